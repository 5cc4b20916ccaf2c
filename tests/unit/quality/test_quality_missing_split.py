"""A split that nobody told of: found where it is, and nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.quality.price_sanity import RATIOS, check_missing_split
from market_data.quality.thresholds import Thresholds
from market_data.schemas import CORPORATE_ACTIONS, FINDINGS
from market_data.universe import AssetClass, Instrument
from tests.support.raw_rows import LIMITS, THRESHOLDS

FIRST = date(2024, 1, 1)
DAYS = 60
SHARE = Instrument(symbol="AAA", asset_class=AssetClass.EQUITY, calendar="XNYS")
COIN = Instrument(symbol="AAA", asset_class=AssetClass.CRYPTO, calendar="24/7")
NONE = CORPORATE_ACTIONS.empty()


def walk(seed: int) -> pl.DataFrame:
    """Bars of quiet days: prices within two per cent, volumes within 15 of the usual."""
    chance = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(chance.uniform(-0.02, 0.02, DAYS)))
    opening = np.roll(close, 1) * (1 + chance.uniform(-0.003, 0.003, DAYS))
    opening[0] = close[0]
    return pl.DataFrame(
        {
            "symbol": ["AAA"] * DAYS,
            "session": [FIRST + timedelta(days=i) for i in range(DAYS)],
            "open": opening,
            "close": close,
            "volume": 1e6 * chance.uniform(0.85, 1.15, DAYS),
        }
    )


def stepped(bars: pl.DataFrame, at: int, price: float, volume: float) -> pl.DataFrame:
    """The bars with prices and volumes from one day on multiplied."""
    later = pl.int_range(pl.len()) >= at
    return bars.with_columns(
        pl.when(later).then(pl.col("open", "close") * price).otherwise(pl.col("open", "close")),
        volume=pl.when(later).then(pl.col("volume") * volume).otherwise("volume"),
    )


def action(at: int, value: float, kind: str = "split") -> pl.DataFrame:
    row = ("AAA", FIRST + timedelta(days=at), kind, value, "x", datetime(2024, 1, 1, tzinfo=UTC))
    return pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")


def found(
    bars: pl.DataFrame, actions: pl.DataFrame = NONE, of: Instrument = SHARE
) -> list[tuple[int, float]]:
    """Day number and ratio of each finding."""
    outcome = check_missing_split(
        bars,
        actions,
        [of],
        thresholds=THRESHOLDS,
        dataset="x",
        sessions=(FIRST, FIRST + timedelta(days=DAYS)),
    )
    FINDINGS.check(outcome.findings)
    assert outcome.findings["severity"].unique().to_list() in ([], ["warn"])
    return [
        ((session - FIRST).days, ratio)
        for session, ratio in outcome.findings.select("session", "threshold").iter_rows()
    ]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, DAYS - 1), st.sampled_from(RATIOS), st.booleans())
def test_a_split_is_found_on_its_day_unless_it_is_recorded(
    seed: int, at: int, k: int, reverse: bool
) -> None:
    ratio = 1 / k if reverse else float(k)
    bars = stepped(walk(seed), at, 1 / ratio, ratio)
    assert found(bars) == [(at, pytest.approx(1 / ratio))]
    assert found(bars, action(at, ratio)) == []
    # Recorded for the wrong ratio it still breaks the series.
    assert found(bars, action(at, ratio * 3)) != []


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(10, DAYS - 1),
    st.sampled_from(RATIOS),
    st.sampled_from([0.9, 1.0, 1.05]),
)
def test_a_crash_without_a_shift_of_volume_is_none(
    seed: int, at: int, k: int, volume: float
) -> None:
    assert found(stepped(walk(seed), at, 1 / k, volume)) == []


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, DAYS - 1), st.sampled_from(RATIOS))
def test_a_crash_on_volume_out_of_proportion_is_none(seed: int, at: int, k: int) -> None:
    assert found(stepped(walk(seed), at, 1 / k, k * 6.0)) == []


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000))
def test_quiet_days_hold_none(seed: int) -> None:
    assert found(walk(seed)) == []


def test_a_single_bad_print_is_none() -> None:
    bars = walk(1)
    odd = pl.int_range(pl.len()) == 30
    doubled = bars.with_columns(
        open=pl.when(odd).then(pl.col("open") * 0.5).otherwise("open"),
        volume=pl.when(odd).then(pl.col("volume") * 2).otherwise("volume"),
    )
    assert found(doubled) == []


def test_a_large_dividend_explains_a_step() -> None:
    bars = stepped(walk(3), 30, 0.5, 2.0)
    paid = bars["close"][29] * 0.5
    assert found(bars) != []
    assert found(bars, action(30, paid, "dividend")) == []


def test_what_cannot_be_split_or_has_no_volume_is_not_judged() -> None:
    bars = stepped(walk(4), 30, 0.25, 4.0)
    assert found(bars) == [(30, 0.25)]
    assert found(bars, of=COIN) == []
    assert found(bars.with_columns(volume=pl.lit(None, dtype=pl.Float64))) == []
    # Nothing tells the usual volume of the first days.
    assert found(stepped(walk(4), 3, 0.25, 4.0)) == []


def test_only_the_sessions_of_the_slice_are_told() -> None:
    bars = stepped(walk(5), 30, 0.5, 2.0)
    day = FIRST + timedelta(days=31)
    outcome = check_missing_split(
        bars, NONE, [SHARE], thresholds=THRESHOLDS, dataset="x", sessions=(day, day)
    )
    assert outcome.findings.is_empty()


@pytest.mark.parametrize(
    ("limits", "is_found"),
    [({}, True), ({"split_volume": 1.01}, False), ({"split_tolerance": 1e-9}, False)],
)
def test_the_limits_are_those_of_the_configuration(
    limits: dict[str, float], *, is_found: bool
) -> None:
    layers = {"default": LIMITS, "equity/1d": limits}
    outcome = check_missing_split(
        stepped(walk(1), 30, 0.25, 6.0),
        NONE,
        [SHARE],
        thresholds=Thresholds.parse({"rules": layers}),
        dataset="x",
        sessions=(FIRST, FIRST + timedelta(days=DAYS)),
    )
    assert outcome.findings.is_empty() is not is_found


def said(bars: pl.DataFrame, actions: pl.DataFrame) -> list[str]:
    span = (FIRST, FIRST + timedelta(days=DAYS))
    outcome = check_missing_split(
        bars, actions, [SHARE], thresholds=THRESHOLDS, dataset="x", sessions=span
    )
    return outcome.findings["detail"].to_list()


@pytest.mark.parametrize("recorded", [29, 31, 33])
def test_a_split_that_is_recorded_on_another_day_is_not_to_be_added_again(recorded: int) -> None:
    bars = stepped(walk(1), 30, 0.25, 4.0)
    told = said(bars, action(recorded, 4.0))
    assert told
    for sentence in told:
        assert f"one of 4.0 is recorded on {FIRST + timedelta(days=recorded)}" in sentence
        assert "--refetch" in sentence


def test_bars_taken_back_by_a_split_that_they_do_not_hold_are_to_be_asked_for_again() -> None:
    """As traded there is a fall to a quarter; multiplied once too often, one to a sixteenth."""
    bars = stepped(walk(2), 30, 1 / 16, 16.0)
    (sentence,) = said(bars, action(30, 4.0))
    assert "--refetch" in sentence
    (sentence,) = said(stepped(walk(2), 30, 0.25, 4.0), action(50, 4.0))[:1]
    assert "none is recorded; 'emp actions import' adds it" in sentence
