"""Schedules after closes: one tick that counts per session, whatever the clocks do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from market_data.automation.closes import (
    DAILY_WINDOW,
    HOURLY_WINDOW,
    running_sessions,
    session_closed,
)
from market_data.automation.policy import CloseRules
from market_data.calendars import trading_sessions

RULES = CloseRules()


def ticks(cron: str, zone: str, first: date, last: date) -> Iterator[datetime]:
    """The ticks of a schedule as Dagster's daemon computes them, UTC."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    for tick in schedule_execution_time_iterator(start.timestamp(), cron, zone):
        if tick >= end:
            return
        yield tick.astimezone(UTC)


def served(calendar: str, cron: str, zone: str, window: timedelta, span: tuple[date, date]) -> list:
    """The sessions that the ticks of a span find closed."""
    found = (session_closed(calendar, t - RULES.delay, window) for t in ticks(cron, zone, *span))
    return [session for session in found if session is not None]


@pytest.mark.parametrize("calendar", sorted(RULES.times))
def test_each_session_of_a_year_is_served_once(calendar: str):
    """The year has both changes of the clock, holidays and early closes."""
    usual = RULES.times[calendar]
    span = date(2024, 1, 2), date(2024, 12, 30)
    # The session of the last day may close on the next one, UTC.
    sessions = trading_sessions(calendar, *span)["session"].to_list()
    found = served(calendar, usual.cron(RULES.delay), usual.zone, DAILY_WINDOW, span)
    assert len(set(found)) == len(found)
    assert set(sessions[1:-1]) <= set(found)
    assert set(found) <= {sessions[0] - timedelta(days=d) for d in range(5)} | set(sessions)


@pytest.mark.parametrize("calendar", sorted(RULES.times))
def test_a_tick_follows_the_usual_close_by_the_delay(calendar: str):
    """The table of the policy against the calendars."""
    usual = RULES.times[calendar]
    closes = trading_sessions(calendar, date(2024, 12, 2), date(2024, 12, 20))["close"]
    local = closes.dt.convert_time_zone(usual.zone).dt.time().unique().to_list()
    assert local == [usual.at]


def test_the_wall_clock_never_stands_where_it_is_changed():
    for calendar, usual in RULES.times.items():
        minute, hour, *_ = usual.cron(RULES.delay).split()
        quiet = usual.zone == "UTC" or int(hour) >= 3
        assert quiet, (calendar, hour, minute)


@pytest.mark.parametrize("day", ["2024-03-10", "2024-11-03"])
def test_an_fx_day_is_served_after_the_change_of_the_clock(day: str):
    sunday = date.fromisoformat(day)
    usual = RULES.times["fx"]
    span = sunday - timedelta(days=2), sunday + timedelta(days=2)
    found = served("fx", usual.cron(RULES.delay), usual.zone, DAILY_WINDOW, span)
    assert found == [span[0], sunday + timedelta(days=1), sunday + timedelta(days=2)]


def test_a_calendar_without_a_usual_close_is_served_within_the_hour():
    span = date(2024, 3, 25), date(2024, 4, 12)
    sessions = trading_sessions("XASX", *span)["session"].to_list()
    found = served("XASX", "30 * * * *", "UTC", HOURLY_WINDOW, span)
    assert found == sessions, "with the change of the clock of 2024-04-07"


def test_an_early_close_counts():
    by = datetime(2024, 7, 3, 16, 30, tzinfo=ZoneInfo("America/New_York")) - RULES.delay
    assert session_closed("XNYS", by, DAILY_WINDOW) == date(2024, 7, 3)
    early = trading_sessions("XNYS", date(2024, 7, 3), date(2024, 7, 3)).row(0, named=True)
    assert early["early_close"]
    assert session_closed("XNYS", early["close"] - timedelta(seconds=1), DAILY_WINDOW) is None
    assert session_closed("XNYS", early["close"], HOURLY_WINDOW) == date(2024, 7, 3)


@pytest.mark.parametrize(
    ("now", "running"),
    [
        (datetime(2024, 3, 8, 15, tzinfo=UTC), {"24/7": 8, "XNYS": 8, "fx": 8}),
        # Saturday: everything but crypto is closed.
        (datetime(2024, 3, 9, 15, tzinfo=UTC), {"24/7": 9}),
        # Sunday evening belongs to Monday's fx day; New York's clock was changed that morning.
        (datetime(2024, 3, 10, 21, 30, tzinfo=UTC), {"24/7": 10, "fx": 11}),
        (datetime(2024, 3, 10, 20, 30, tzinfo=UTC), {"24/7": 10}),
        # The close itself is no part of the session.
        (datetime(2024, 3, 11, 20, 0, tzinfo=UTC), {"24/7": 11, "fx": 11}),
    ],
)
def test_running_sessions(now: datetime, running: dict[str, int]):
    found = running_sessions(["24/7", "XNYS", "fx"], now)
    assert found == {calendar: date(2024, 3, day) for calendar, day in running.items()}


def test_every_calendar_that_is_named_exists():
    for calendar in RULES.times:
        assert isinstance(
            trading_sessions(calendar, date(2024, 3, 1), date(2024, 3, 8)), pl.DataFrame
        )
