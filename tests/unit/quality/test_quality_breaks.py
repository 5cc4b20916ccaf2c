"""Lunch breaks: no bar is due in one, and none is missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market_data.calendars import bar_starts, trading_sessions
from market_data.quality.checks import evaluate_bars
from market_data.quality.coverage import measure_coverage
from market_data.quality.score import score_sessions
from market_data.quality.staleness import check_staleness
from market_data.quality.thresholds import Thresholds
from market_data.quality.view import BarsView
from market_data.timeframes import Timeframe

CALENDARS = ("XTKS", "XHKG", "XNYS")
"""The last one has no break."""
FIRST, LAST = date(2024, 9, 2), date(2025, 2, 28)
"""Tokyo closes later since 2024-11-05."""
SHORT = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.M30, Timeframe.H1)


def told_until(make_view, calendar: str, timeframe: Timeframe, day: date, now: datetime):
    """What a feed without fault has of a session at a moment."""
    view: BarsView = make_view(calendar, timeframe, day, day, now=now)
    over = bar_starts(calendar, timeframe, day, day).filter(pl.col("bar_end") <= now)
    return replace(view, bars=view.bars.join(over.select("ts"), on="ts", how="semi"))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    calendar=st.sampled_from(CALENDARS),
    timeframe=st.sampled_from(SHORT),
    number=st.integers(0, 10_000),
    minute=st.integers(1, 480),
)
def test_a_feed_without_fault_is_never_late_nor_lacking(
    make_view, calendar: str, timeframe: Timeframe, number: int, minute: int
) -> None:
    days = trading_sessions(calendar, FIRST, LAST)
    day, opens = days.select("session", "open").row(number % days.height)
    now = opens + timedelta(minutes=minute)
    view = told_until(make_view, calendar, timeframe, day, now)
    measured = measure_coverage(view).row(0, named=True)
    lag = measured["due"] - max(measured["newest_end"] or opens, opens) - measured["pause"]
    # The bar that runs is the only one that is not there yet.
    assert timedelta(0) <= lag <= timeframe.duration
    if timeframe.minutes <= 30:
        assert measured["observed"] >= measured["expected"]
        assert measured["gaps"] == 0


@pytest.mark.parametrize(
    ("calendar", "clock"), [("XTKS", "03:20"), ("XHKG", "04:20"), ("XHKG", "04:59")]
)
def test_the_lunch_break_makes_nothing_stale(
    make_view, thresholds: Thresholds, calendar: str, clock: str
) -> None:
    now = datetime.fromisoformat(f"2024-03-05 {clock}").replace(tzinfo=UTC)
    view = told_until(make_view, calendar, Timeframe.M1, date(2024, 3, 5), now)
    outcomes = evaluate_bars(view, thresholds)
    assert all(o.findings.is_empty() for o in outcomes.values())
    (found,) = score_sessions(view, outcomes, thresholds, rule_version="r1").rows(named=True)
    assert (found["score"], found["status"], found["freshness_seconds"]) == (1.0, "GREEN", 0.0)


@pytest.mark.parametrize(
    ("lost", "clock", "lag"),
    # Tokyo rests from 02:30 to 03:30.
    [
        ("02:00", "03:00", 30),
        ("02:00", "03:40", 40),
        ("03:40", "04:10", 30),
        ("02:30", "03:55", 25),
    ],
)
def test_a_feed_that_dies_beside_the_break_is_late_by_the_time_that_was_traded(
    make_view, thresholds: Thresholds, lost: str, clock: str, lag: int
) -> None:
    now, last = (
        datetime.fromisoformat(f"2024-03-05 {at}").replace(tzinfo=UTC) for at in (clock, lost)
    )
    view = told_until(make_view, "XTKS", Timeframe.M1, date(2024, 3, 5), now)
    view = replace(view, bars=view.bars.filter(pl.col("ts") < last))
    outcome = check_staleness(view, view.limits(thresholds))
    assert outcome.measured["lag"].to_list() == [lag * 60.0]
    assert outcome.findings["code"].to_list() == ["stale"]


def test_the_share_that_is_expected_by_now_leaves_the_break_out(make_view) -> None:
    now = datetime(2024, 3, 5, 3, 20, tzinfo=UTC)
    view = told_until(make_view, "XTKS", Timeframe.M1, date(2024, 3, 5), now)
    measured = measure_coverage(view)
    assert measured.select("expected", "observed", "coverage", "gaps").rows() == [
        (150, 150, 1.0, 0)
    ]
