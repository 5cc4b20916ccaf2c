"""The grid of expected bars: properties over calendars, and the bounds of a listing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.calendars import (
    bar_starts,
    expected_bars,
    trading_sessions,
    with_bar_end,
    with_session,
)
from market_data.schemas import EXPECTED
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

CALENDARS = ["XNYS", "XLON", "XTKS", "XHKG", "CMES", "us_futures", "fx", "24/7"]


def instrument(symbol: str, calendar: str, **bounds: date) -> Instrument:
    return Instrument(symbol=symbol, asset_class=AssetClass.EQUITY, calendar=calendar, **bounds)


@settings(max_examples=80, deadline=None)
@given(
    calendar=st.sampled_from(CALENDARS),
    timeframe=st.sampled_from(list(Timeframe)),
    start=st.dates(date(1998, 1, 1), date(2026, 12, 1)),
    days=st.integers(0, 20),
)
def test_grid(calendar: str, timeframe: Timeframe, start: date, days: int) -> None:
    end = start + timedelta(days=days)
    grid = bar_starts(calendar, timeframe, start, end)
    sessions = trading_sessions(calendar, start, end)

    # in order, disjoint, not empty, no longer than the timeframe
    assert (grid["bar_end"] > grid["ts"]).all()
    assert (grid["ts"] >= grid["bar_end"].shift(1)).all()
    if timeframe.is_intraday:
        assert (grid["bar_end"] - grid["ts"] <= timeframe.duration).all()

    # inside the session, out of the break, and filling both
    inside = grid.join(sessions, on="session", how="left", maintain_order="left")
    assert (inside["ts"] >= inside["open"]).all()
    assert (inside["bar_end"] <= inside["close"]).all()
    if timeframe.is_intraday:
        paused = inside.filter(pl.col("break_start").is_not_null())
        assert (
            (paused["bar_end"] <= paused["break_start"]) | (paused["ts"] >= paused["break_end"])
        ).all()
        length = (grid["bar_end"] - grid["ts"]).dt.total_minutes().sum()
        assert length == sessions["minutes"].sum()

    # the other functions agree with it
    assert with_bar_end(grid.drop("bar_end"), calendar, timeframe).equals(grid)
    if timeframe.is_intraday:
        assert with_session(grid.drop("session"), calendar)["session"].equals(grid["session"])
    expected = expected_bars([instrument("A", calendar)], timeframe, start, end)
    counted = grid.group_by("session", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("expected")
    )
    assert expected.select("session", "expected").equals(counted)


def test_hours_of_new_york_and_tokyo() -> None:
    new_york = bar_starts("XNYS", Timeframe.H1, date(2024, 1, 8), date(2024, 1, 8))
    start = datetime(2024, 1, 8, 14, 30, tzinfo=UTC)
    assert new_york["ts"].to_list() == [start + timedelta(hours=h) for h in range(7)]
    assert new_york["bar_end"][-1] == datetime(2024, 1, 8, 21, tzinfo=UTC)
    tokyo = bar_starts("XTKS", Timeframe.H1, date(2024, 1, 9), date(2024, 1, 9))
    clock = [(t.hour, t.minute) for t in tokyo["ts"]]
    assert clock == [(0, 0), (1, 0), (2, 0), (3, 30), (4, 30), (5, 30)]
    assert tokyo["bar_end"][2] == datetime(2024, 1, 9, 2, 30, tzinfo=UTC)


def test_an_fx_week_has_7200_minutes() -> None:
    week = bar_starts("fx", Timeframe.M1, date(2024, 3, 9), date(2024, 3, 16))
    assert week.height == 7200
    assert week["ts"][0] == datetime(2024, 3, 10, 21, tzinfo=UTC)


def test_a_grid_without_sessions_is_empty_and_typed() -> None:
    weekend = bar_starts("XNYS", Timeframe.M1, date(2024, 1, 6), date(2024, 1, 7))
    assert weekend.is_empty()
    assert (
        weekend.schema
        == bar_starts("XNYS", Timeframe.D1, date(2024, 1, 8), date(2024, 1, 8)).schema
    )


def test_listing_bounds_are_included() -> None:
    rows = expected_bars(
        [
            instrument("Z", "XNYS"),
            instrument("A", "XNYS", listed=date(2024, 7, 2), delisted=date(2024, 7, 5)),
            instrument("GONE", "XNYS", delisted=date(2024, 6, 28)),
            instrument("LATER", "XNYS", listed=date(2024, 7, 9)),
            instrument("EUR", "fx"),
        ],
        Timeframe.H1,
        date(2024, 7, 1),
        date(2024, 7, 8),
    )
    EXPECTED.check(rows)
    assert rows.rows() == rows.sort("symbol", "session").rows()
    per_symbol = rows.group_by("symbol", maintain_order=True).agg("session", "expected")
    july = [date(2024, 7, d) for d in range(1, 9)]
    assert per_symbol.rows() == [
        ("A", [july[1], july[2], july[4]], [7, 4, 7]),  # 4 July: holiday; 3 July: closes early
        ("EUR", [july[0], july[1], july[2], july[3], july[4], july[7]], [24] * 6),
        ("Z", [july[0], july[1], july[2], july[4], july[7]], [7, 7, 4, 7, 7]),
    ]
    assert rows["open"][0] == datetime(2024, 7, 2, 13, 30, tzinfo=UTC)
    assert rows["close"][1] == datetime(2024, 7, 3, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("calendar", "timeframe", "bars"),
    [
        ("XNYS", Timeframe.M1, 390),
        ("XNYS", Timeframe.M30, 13),
        ("XNYS", Timeframe.H4, 2),
        ("XNYS", Timeframe.D1, 1),
        ("XTKS", Timeframe.M5, 60),
        ("24/7", Timeframe.M15, 96),
        ("24/7", Timeframe.M30, 48),
        ("fx", Timeframe.H4, 6),
    ],
)
def test_expected_counts(calendar: str, timeframe: Timeframe, bars: int) -> None:
    day = date(2024, 1, 9)
    rows = expected_bars([instrument("A", calendar)], timeframe, day, day)
    assert rows["expected"].to_list() == [bars]


def test_no_instruments_expect_nothing() -> None:
    rows = expected_bars([], Timeframe.D1, date(2024, 1, 1), date(2024, 1, 31))
    assert rows.equals(EXPECTED.empty())
