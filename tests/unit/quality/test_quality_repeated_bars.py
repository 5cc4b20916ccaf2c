"""Bars that say the one before once more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from market_data.quality.bar_flags import bar_flags
from market_data.quality.repeated_bars import check_repeated_bars, find_repeated_bars
from market_data.quality.thresholds import Thresholds
from market_data.quality.view import limits_of
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

FIRST = date(2024, 1, 2)
Numbers = tuple[float, float, float, float, float | None]
RANGED: Numbers = (10.0, 11.0, 9.0, 10.5, 300.0)
OTHER: Numbers = (10.5, 11.5, 9.5, 10.7, 400.0)
POINT: Numbers = (10.0, 10.0, 10.0, 10.0, 100.0)
D1, M1 = Timeframe.D1, Timeframe.M1


def bars_of(said: Sequence[Numbers], timeframe: Timeframe, per_session: int = 1) -> pl.DataFrame:
    begin = datetime(2024, 1, 2, 15, tzinfo=UTC)
    days = [n // per_session for n in range(len(said))]
    starts = [
        begin + timedelta(days=day) + timeframe.duration * (n % per_session)
        for n, day in enumerate(days)
    ]
    times = pl.DataFrame(
        {"symbol": "AAA", "session": [FIRST + timedelta(days=n) for n in days], "ts": starts},
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    )
    names = ["open", "high", "low", "close", "volume"]
    cells = pl.DataFrame(said, dict.fromkeys(names, pl.Float64), orient="row")
    return pl.concat([times, cells], how="horizontal")


def limits_for(
    thresholds: Thresholds, timeframe: Timeframe, asset_class: AssetClass = AssetClass.EQUITY
) -> pl.DataFrame:
    one = Instrument(symbol="AAA", asset_class=asset_class, calendar="XNYS")
    return limits_of([one], timeframe, thresholds)


def repeated(
    said: Sequence[Numbers], thresholds: Thresholds, timeframe: Timeframe, per_session: int = 1
) -> list[int]:
    """Numbers of the bars that are told of."""
    bars = bars_of(said, timeframe, per_session)
    found = find_repeated_bars(bars, limits_for(thresholds, timeframe), timeframe)
    return bars.with_row_index().join(found, on="ts", how="semi")["index"].to_list()


def with_cell(bar: Numbers, place: int, value: float | None) -> Numbers:
    return (*bar[:place], value, *bar[place + 1 :])  # type: ignore[return-value]


def test_a_day_that_comes_again_is_told_and_the_first_one_is_not(thresholds: Thresholds) -> None:
    assert repeated([OTHER, RANGED, RANGED, RANGED, OTHER], thresholds, D1) == [2, 3]
    assert repeated([POINT, POINT], thresholds, D1) == [1]


@pytest.mark.parametrize("place", range(5))
def test_days_that_differ_in_one_number_are_two(thresholds: Thresholds, place: int) -> None:
    value = RANGED[place]
    assert value is not None
    assert repeated([RANGED, with_cell(RANGED, place, value + 0.01)], thresholds, D1) == []


@pytest.mark.parametrize("volume", [0.0, None])
def test_a_day_without_trades_repeats_nothing(thresholds: Thresholds, volume: float | None) -> None:
    assert repeated([with_cell(RANGED, 4, volume)] * 3, thresholds, D1) == []


def test_minutes_need_three_in_a_row_with_a_range_and_within_one_session(
    thresholds: Thresholds,
) -> None:
    assert repeated([OTHER, RANGED, RANGED, OTHER], thresholds, M1, 4) == []
    assert repeated([OTHER, RANGED, RANGED, RANGED, OTHER], thresholds, M1, 5) == [2, 3]
    assert repeated([POINT] * 8, thresholds, M1, 8) == []
    assert repeated([RANGED] * 4, thresholds, M1, 2) == []


@pytest.mark.parametrize("asset_class", [AssetClass.FX, AssetClass.INDEX])
def test_classes_without_traded_units_are_not_judged(
    thresholds: Thresholds, asset_class: AssetClass
) -> None:
    limits = limits_for(thresholds, D1, asset_class)
    assert find_repeated_bars(bars_of([RANGED] * 3, D1), limits, D1).is_empty()


def test_one_instrument_does_not_repeat_another(thresholds: Thresholds) -> None:
    one = bars_of([RANGED], D1)
    both = pl.concat([one, one.with_columns(symbol=pl.lit("BBB"))])
    limits = limits_for(thresholds, D1)
    rules = pl.concat([limits, limits.with_columns(symbol=pl.lit("BBB"))])
    assert find_repeated_bars(both, rules, D1).is_empty()
    assert find_repeated_bars(both.clear(), rules, D1).is_empty()


def test_the_finding_counts_what_is_flagged(thresholds: Thresholds) -> None:
    said = [OTHER, RANGED, RANGED, RANGED, OTHER, RANGED, RANGED, OTHER]
    for timeframe, per_session, rows in (
        (D1, 1, [(2.0, 1), (3.0, 1), (2.0, 1)]),
        (M1, 8, [(3.0, 2)]),
    ):
        bars, limits = bars_of(said, timeframe, per_session), limits_for(thresholds, timeframe)
        found = find_repeated_bars(bars, limits, timeframe)
        outcome = check_repeated_bars(
            found,
            timeframe,
            check="price_sanity",
            dataset="curated/bars",
            sessions=(FIRST, date.max),
        )
        assert outcome.findings.select("value", "rows").rows() == rows
        assert set(outcome.findings["code"]) == {"repeated_bar"}
        flags = bar_flags(bars, limits, timeframe=timeframe, actions=CORPORATE_ACTIONS.empty())
        own = flags.filter(pl.col("code") == "repeated_bar")
        assert own.select("symbol", "session", "ts").equals(found.select("symbol", "session", "ts"))
        assert set(own["severity"]) == {"warn"}
        other = check_repeated_bars(
            found, timeframe, check="price_sanity", dataset="x", sessions=(date.min, date.min)
        )
        assert other.findings.is_empty()
