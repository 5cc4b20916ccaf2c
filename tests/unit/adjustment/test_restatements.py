"""Bars on another basis are no revisions, whatever was split; what really changed is one."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.basis import Adjustment, Basis
from market_data.calendars import trading_sessions
from market_data.price_steps import price_step
from market_data.restatements import may_restate, without_restated
from market_data.schemas import CORPORATE_ACTIONS, RAW_BARS

SESSIONS = trading_sessions("XNYS", date(2024, 1, 2), date(2024, 2, 9))
DAYS: list[date] = SESSIONS["session"].to_list()
FETCHED, AGAIN = datetime(2024, 2, 12, tzinfo=UTC), datetime(2024, 3, 12, tzinfo=UTC)
EX_DATE = date(2024, 2, 20)
ADJUSTED = str(Basis(adjustment=Adjustment.SPLITS, unit="USD"))
AS_TRADED = str(Basis(unit="USD"))
PRICES = ("open", "high", "low", "close")


def single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def bars(
    seed: int, *, ratio: float = 1.0, fetched: datetime = FETCHED, basis: str = ADJUSTED
) -> pl.DataFrame:
    """A vendor's bars in single precision, prices divided by a ratio and volumes multiplied."""
    chance = np.random.default_rng(seed)
    close = chance.uniform(1, 500, len(DAYS))
    volume = chance.integers(100_000, 10**8, len(DAYS)) // 100 * 100
    return RAW_BARS.conform(
        SESSIONS.select("session", ts="open").with_columns(
            *(
                pl.Series(name, [single(single(c * f) / ratio) for c in close])
                for name, f in zip(PRICES, (1.0, 1.01, 0.99, 1.0), strict=True)
            ),
            volume=pl.Series([float(round(v * ratio)) for v in volume]),
            adj_close=pl.Series([single(c / ratio * 0.97) for c in close]),
            symbol=pl.lit("AAA"),
            vendor=pl.lit("yahoo"),
            vendor_symbol=pl.lit("AAA"),
            basis=pl.lit(basis),
            known_at=SESSIONS["close"],
            fetched_at=pl.lit(fetched),
            fetch_id=pl.lit(str(fetched)),
        )
    )


def split(ratio: float, ex_date: date = EX_DATE) -> pl.DataFrame:
    row = ("AAA", ex_date, "split", ratio, "yahoo", AGAIN)
    return pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")


RATIOS = st.sampled_from([2.0, 3.0, 4.0, 7.0, 20.0, 1.5, 0.5, 0.1, 1 / 30])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), RATIOS, st.sets(st.integers(0, len(DAYS) - 1), max_size=4))
def test_only_what_really_changed_is_left(seed: int, ratio: float, changed: set[int]) -> None:
    known = bars(seed)
    restated = bars(seed, ratio=ratio, fetched=AGAIN)
    corrected = restated.with_columns(
        close=pl.when(pl.int_range(pl.len()).is_in(sorted(changed)))
        .then(pl.col("close") * 1.0001)
        .otherwise("close")
    )
    left = without_restated(corrected, known, split(ratio), calendar="XNYS")
    assert left["session"].to_list() == [DAYS[i] for i in sorted(changed)]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), RATIOS)
def test_without_the_split_every_bar_has_changed(seed: int, ratio: float) -> None:
    restated = bars(seed, ratio=ratio, fetched=AGAIN)
    none = CORPORATE_ACTIONS.empty()
    assert without_restated(restated, bars(seed), none, calendar="XNYS").equals(restated)


def test_an_adjusted_close_alone_is_no_revision() -> None:
    dividend = split(0.3).with_columns(kind=pl.lit("dividend"))
    restated = bars(1, fetched=AGAIN).with_columns(adj_close=pl.col("adj_close") * 0.99)
    assert without_restated(restated, bars(1), dividend, calendar="XNYS").is_empty()


def test_bars_as_traded_and_new_ones_are_left_to_the_log() -> None:
    known, again = bars(2, basis=AS_TRADED), bars(2, fetched=AGAIN, basis=AS_TRADED)
    assert without_restated(again, known, split(2.0), calendar="XNYS").equals(again)
    fewer = bars(2).filter(pl.col("session") < DAYS[20])
    restated = bars(2, ratio=2.0, fetched=AGAIN)
    left = without_restated(restated, fewer, split(2.0), calendar="XNYS")
    assert left["session"].to_list() == DAYS[20:]


def test_a_bar_that_was_still_running_is_told_again() -> None:
    early = DAYS[-1]
    midday = SESSIONS["open"][-1] + timedelta(hours=2)
    known = bars(3).with_columns(
        fetched_at=pl.when(pl.col("session") == early).then(pl.lit(midday)).otherwise("fetched_at")
    )
    restated = bars(3, ratio=2.0, fetched=AGAIN)
    left = without_restated(restated, known, split(2.0), calendar="XNYS")
    assert left["session"].to_list() == [early]


@pytest.mark.parametrize(
    ("asked_at", "ex_date", "possible"),
    [
        (FETCHED, EX_DATE, True),
        (AGAIN, EX_DATE, False),
        (FETCHED, DAYS[0], False),
    ],
)
def test_the_log_is_read_only_where_something_may_have_been_restated(
    asked_at: datetime, ex_date: date, possible: bool
) -> None:
    seen = pl.DataFrame(
        {"symbol": ["AAA"], "session": [DAYS[0]], "asked_at": [asked_at]},
        schema_overrides={"asked_at": pl.Datetime("us", "UTC")},
    )
    assert may_restate(bars(1, fetched=AGAIN), split(2.0, ex_date), seen) is possible


def rounded(seed: int, decimals: int, ratio: float, fetched: datetime) -> pl.DataFrame:
    """A vendor's bars, divided by a ratio and then rounded to decimals."""
    chance = np.random.default_rng(seed)
    # What is rounded to tenths or whole numbers costs more than a few of them.
    close = chance.uniform(1, 500, len(DAYS)) * 10.0 ** max(0, 2 - decimals)
    close = close + 10.0 ** (2 - decimals)
    return bars(seed, ratio=ratio, fetched=fetched).with_columns(
        *(
            pl.Series(name, [round(c * f / ratio, decimals) for c in close])
            for name, f in zip(PRICES, (1.0, 1.01, 0.99, 1.0), strict=True)
        )
    )


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([0, 1, 2, 3, 4]),
    st.integers(2, 10),
    st.sets(st.integers(0, len(DAYS) - 1), max_size=4),
)
def test_rounding_to_decimals_is_no_revision_and_more_than_that_is(
    seed: int, decimals: int, ratio: int, changed: set[int]
) -> None:
    known = rounded(seed, decimals, 1, FETCHED)
    restated = rounded(seed, decimals, ratio, AGAIN)
    # Two steps as the vendor tells them: twice as far as its rounding of both can reach.
    corrected = restated.with_columns(
        close=pl.when(pl.int_range(pl.len()).is_in(sorted(changed)))
        .then((pl.col("close") * 1.000002 + 2 * 10.0**-decimals).round(decimals))
        .otherwise("close")
    )
    left = without_restated(corrected, known, split(float(ratio)), calendar="XNYS")
    assert left["session"].to_list() == [DAYS[i] for i in sorted(changed)]


def test_a_cent_more_is_a_revision_where_no_split_came_in_between() -> None:
    known, again = rounded(1, 2, 1, FETCHED), rounded(1, 2, 1, AGAIN)
    early = split(2.0, date(2023, 12, 1))
    assert without_restated(again, known, early, calendar="XNYS").is_empty()
    more = again.with_columns(close=(pl.col("close") + 0.01).round(2))
    assert without_restated(more, known, early, calendar="XNYS").equals(more)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([1.25, 300.5, 7.0], 0.01),
        ([301.0, 302.0, 7.0], 0.01),
        ([301.0, 302.0, 7.0, 301.0], 0.01),
        ([301.0, 302.0, None, 7.0, 9.0], 1.0),
        ([301.5, 302.0, 7.0, 9.0], 0.1),
        ([1.2345, 300.5], 0.0001),
        ([218.67, None], 0.01),
        ([single(218.67), single(0.1)], 0.0),
        ([100 / 3], 0.0),
        ([99_999.123456], 1e-6),
    ],
)
def test_prices_show_their_step(values: list[float | None], step: float) -> None:
    frame = pl.DataFrame({"close": pl.Series(values, dtype=pl.Float64)})
    assert frame.select(price_step(["close"])).item() == step
