"""Buckets of the session: days of clock changes, lunch, running bars, volumes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from market_data.calendars import bar_starts
from market_data.curation.resampling import resample
from market_data.timeframes import Timeframe
from tests.support.raw_rows import NOW, raw_rows


def minutes(symbol: str, first: date, last: date | None = None, **columns: object) -> pl.DataFrame:
    frame = raw_rows(symbol, timeframe=Timeframe.M1, first=first, last=last or first, **columns)
    number = pl.int_range(pl.len()).cast(pl.Float64)
    return frame.with_columns(
        open=100 + number, high=100.9 + number, low=99.1 + number, close=100.5 + number
    )


def on_grid(bars: pl.DataFrame, calendar: str, timeframe: Timeframe) -> None:
    first, last = bars["session"].min(), bars["session"].max()
    grid = bar_starts(calendar, timeframe, first, last)
    assert bars.select("session", "ts", "bar_end").equals(grid)


def test_new_york_hours_are_anchored_at_half_past_nine_on_both_sides_of_the_clock_change() -> None:
    # clocks change on Sunday 10 March 2024: 14:30 UTC before, 13:30 UTC after
    bars = resample(minutes("AAA", date(2024, 3, 8), date(2024, 3, 11)), "XNYS", Timeframe.H1, NOW)
    on_grid(bars, "XNYS", Timeframe.H1)
    assert bars["ts"].dt.strftime("%d %H:%M").to_list()[::7] == ["08 14:30", "11 13:30"]
    assert bars["parts"].to_list() == [60, 60, 60, 60, 60, 60, 30] * 2
    assert bars["open"].to_list()[:3] == [100.0, 160.0, 220.0]
    assert bars["close"].to_list()[:2] == [159.5, 219.5]
    assert bars["high"].to_list()[6] == 100.9 + 389
    assert bars["low"].to_list()[6] == 99.1 + 360
    assert bars["volume"].to_list()[6] == 300.0


def test_the_fx_day_rolls_at_seventeen_in_new_york() -> None:
    bars = resample(minutes("EURUSD", date(2024, 3, 8), date(2024, 3, 11)), "fx", Timeframe.D1, NOW)
    on_grid(bars, "fx", Timeframe.D1)
    assert bars["ts"].to_list() == [
        datetime(2024, 3, 7, 22, tzinfo=UTC),
        datetime(2024, 3, 10, 21, tzinfo=UTC),
    ]
    assert bars["parts"].to_list() == [1440, 1440]


def test_fx_four_hours_follow_the_clock_change() -> None:
    bars = resample(
        minutes("EURUSD", date(2024, 11, 1), date(2024, 11, 4)), "fx", Timeframe.H4, NOW
    )
    on_grid(bars, "fx", Timeframe.H4)
    assert bars["ts"].dt.hour().to_list() == [21, 1, 5, 9, 13, 17, 22, 2, 6, 10, 14, 18]


def test_the_grid_starts_again_after_lunch() -> None:
    day = minutes("TYO", date(2024, 1, 4))
    bars = resample(day, "XTKS", Timeframe.H1, NOW)
    on_grid(bars, "XTKS", Timeframe.H1)
    assert bars["parts"].to_list() == [60, 60, 30, 60, 60, 30]
    daily = resample(day, "XTKS", Timeframe.D1, NOW)
    assert daily["parts"].to_list() == [300]


def test_a_running_bar_is_not_final() -> None:
    now = datetime(2024, 1, 4, 15, 0, tzinfo=UTC)
    day = minutes("AAA", date(2024, 1, 4)).filter(pl.col("ts") < now)
    bars = resample(day, "XNYS", Timeframe.M15, now)
    assert bars["final"].to_list() == [True, True]
    bars = resample(day, "XNYS", Timeframe.H1, now)
    assert (bars["final"].to_list(), bars["parts"].to_list()) == ([False], [30])


def test_volumes_are_summed_where_known_and_null_where_not() -> None:
    day = minutes("AAA", date(2024, 1, 4)).head(15)
    number = pl.int_range(pl.len())
    mixed = day.with_columns(
        volume=pl.when(number < 5).then(None).when(number < 10).then(0.0).otherwise(2.0),
        vwap=pl.when(number < 10).then(None).otherwise(100.0 + number),
        trades=pl.when(number < 10).then(None).otherwise(3),
    )
    found = resample(mixed, "XNYS", Timeframe.M5, NOW).select("volume", "vwap", "trades").rows()
    assert found == [(None, None, None), (0.0, None, None), (10.0, 112.0, 15)]
    # a minute that traded without a vwap leaves the bucket without one
    holed = mixed.with_columns(vwap=pl.when(number == 12).then(None).otherwise("vwap"))
    assert resample(holed, "XNYS", Timeframe.M5, NOW)["vwap"].to_list() == [None, None, None]


def test_vwap_is_weighted_by_volume() -> None:
    two = minutes("AAA", date(2024, 1, 4)).head(2)
    weighted = two.with_columns(vwap=pl.Series([100.0, 103.0]), volume=pl.Series([2.0, 1.0]))
    assert resample(weighted, "XNYS", Timeframe.M5, NOW)["vwap"].to_list() == [101.0]


def test_order_does_not_matter_and_bases_stay_apart() -> None:
    day = minutes("AAA", date(2024, 1, 4))
    straight = resample(day, "XNYS", Timeframe.M15, NOW)
    assert resample(day.reverse(), "XNYS", Timeframe.M15, NOW).equals(straight)
    mixed = pl.concat([day, minutes("AAA", date(2024, 1, 4), basis="raw|bid||regular|")])
    apart = resample(mixed, "XNYS", Timeframe.M15, NOW)
    assert apart.height == 2 * straight.height
    assert apart["parts"].unique().to_list() == [15]


def test_no_minutes_make_no_bars() -> None:
    empty = minutes("AAA", date(2024, 1, 4)).clear()
    assert resample(empty, "XNYS", Timeframe.H1, NOW).is_empty()
