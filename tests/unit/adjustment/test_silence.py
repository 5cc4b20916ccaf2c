"""What an answer takes back by no longer naming it, and what its silence does not."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from market_data.calendars import trading_sessions
from market_data.corporate_actions.silence import no_longer_told
from market_data.schemas import CORPORATE_ACTIONS, RAW_BARS
from tests.support.raw_rows import raw_rows

DAYS: list[date] = trading_sessions("XNYS", date(2024, 1, 2), date(2024, 1, 24))[
    "session"
].to_list()
ONE, TWO, LATER = DAYS[5], DAYS[9], DAYS[13]
NOW = datetime(2024, 1, 25, tzinfo=UTC)


def dividends(*days: date, value: float = 2.0) -> pl.DataFrame:
    rows = [("AAA", d, "dividend", value, "alpha", datetime.combine(d, time(), UTC)) for d in days]
    return pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")


def answer(*carried: date) -> pl.DataFrame:
    """Closes of 100, and adjusted ones that carry some dividends of 2."""
    rows = raw_rows(first=DAYS[0], last=DAYS[-1], basis="splits|trade||regular|", close=100.0)
    parts = [0.98 ** sum(day < ex for ex in carried) for day in rows["session"]]
    return rows.with_columns(adj_close=pl.lit(100.0) * pl.Series(parts, dtype=pl.Float64))


@pytest.mark.parametrize(
    ("known", "named", "carried", "gone"),
    [
        pytest.param([ONE], [], [], [], id="the only one"),
        pytest.param([ONE], [TWO], [TWO], [ONE], id="the only one, and another is named"),
        pytest.param([ONE, TWO], [], [], [], id="all at once"),
        pytest.param([ONE, TWO, LATER], [LATER], [LATER], [ONE, TWO], id="another is named"),
        pytest.param([ONE, TWO], [], [TWO], [ONE], id="another is carried"),
        pytest.param([ONE, TWO], [], [ONE, TWO], [], id="all are carried"),
        pytest.param([ONE, TWO], [DAYS[0]], [], [], id="one of before the answer is named"),
        pytest.param([ONE, TWO], [TWO], [ONE, TWO], [], id="carried and not named"),
    ],
)
def test_adjusted_closes_that_carry_nothing_take_back_nothing(
    known: list[date], named: list[date], carried: list[date], gone: list[date]
) -> None:
    told = dividends(*named).select("symbol", "ex_date", "kind")
    found = no_longer_told(dividends(*known), told, answer(*carried), RAW_BARS.empty(), now=NOW)
    assert found["ex_date"].to_list() == gone


@pytest.mark.parametrize(("value", "gone"), [(0.02, []), (0.1, [ONE])])
def test_a_dividend_that_rounding_hides_is_not_taken_back(value: float, gone: list[date]) -> None:
    """Closes are told to cents."""
    known = pl.concat([dividends(ONE, value=value), dividends(TWO)])
    named = dividends(TWO).select("symbol", "ex_date", "kind")
    found = no_longer_told(known, named, answer(TWO), RAW_BARS.empty(), now=NOW)
    assert found["ex_date"].to_list() == gone


@pytest.mark.parametrize(
    ("value", "before", "adjusted", "gone"),
    [
        pytest.param(4.0, 104.0, 1.0, True, id="no close knows of it"),
        pytest.param(4.0, 395.0, 1.0, False, id="it was traded, and nothing is adjusted"),
        pytest.param(4.0, 104.0, 0.25, False, id="the adjusted closes carry it"),
        pytest.param(0.1, 9.8, 1.0, False, id="shares were put together"),
        pytest.param(0.1, 97.0, 1.0, True, id="shares were not put together"),
        pytest.param(1.1, 98.0, 1.0, False, id="too small to be told from a day's move"),
    ],
)
def test_a_lone_split_is_taken_back_where_the_prices_as_traded_know_nothing_of_it(
    value: float, before: float, adjusted: float, gone: bool
) -> None:
    known = dividends(ONE, value=value).with_columns(kind=pl.lit("split"))
    bars = raw_rows(first=DAYS[0], last=DAYS[-1], basis="raw|trade||regular|", close=100.0)
    old = pl.col("session") < ONE
    close = pl.when(old).then(before).otherwise(100.0)
    closes = bars.with_columns(
        close=close, adj_close=close * pl.when(old).then(adjusted).otherwise(1)
    )
    nothing = known.clear().select("symbol", "ex_date", "kind")
    found = no_longer_told(known, nothing, closes, RAW_BARS.empty(), now=NOW)
    assert found["ex_date"].to_list() == ([ONE] if gone else [])
    assert found["value"].to_list() == ([1.0] if gone else [])


@pytest.mark.parametrize(
    ("kind", "days", "moved"),
    [
        ("split", 5, True),
        ("split", 10, True),
        ("split", 11, False),
        ("dividend", 4, True),
        ("dividend", 5, False),
    ],
)
def test_a_vendor_moves_an_action_by_some_days(kind: str, days: int, moved: bool) -> None:
    """Two sessions over a long weekend are five days."""
    ex_date = date(2024, 1, 11)
    before = datetime(2024, 1, 12, tzinfo=UTC)
    rows = [("AAA", ex_date, kind, 10.0, "yahoo", before)]
    known = pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")
    named = [("AAA", ex_date + timedelta(days=days), kind)]
    told = pl.DataFrame(named, schema=["symbol", "ex_date", "kind"], orient="row")
    bars = raw_rows(first=DAYS[0], last=DAYS[-1], basis="splits|trade||regular|", close=100.0)
    found = no_longer_told(known, told, bars, RAW_BARS.empty(), now=NOW)
    assert found["ex_date"].to_list() == ([ex_date] if moved else [])
