"""The sessions of a calendar: the table, its cache, and questions that it answers alone.

What belongs here: `trading_sessions` and what needs nothing but it. What does not: labelling
frames of bars (labels.py), bars inside a session (grid.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache

import polars as pl

from market_data.calendar_rules import CalendarRules
from market_data.calendar_versions import calendar_name, rules_of, versioned
from market_data.calendars import changes, continuous, exchange
from market_data.calendars.schedule import Schedule
from market_data.errors import ConfigurationError

_USUAL_START = date(1970, 1, 1)
EARLIEST = date(1900, 1, 1)
LATEST = date(2199, 12, 31)
_ANY_DAY = date(2020, 1, 1)
_LONGEST_CLOSURE = timedelta(days=400)


def trading_sessions(calendar: str, start: date, end: date) -> pl.DataFrame:
    """The sessions of a calendar, holidays left out.

    Args:
        calendar: "fx", "24/7" or a code known to exchange_calendars, plain or with the version of
            a configuration (market_data/calendar_versions.py).
        start: first session date, included.
        end: last session date, included.

    Returns:
        TRADING_SESSIONS columns, times in UTC, sorted by session; `minutes` leaves the lunch
        break out. Known from 1900 to 2199. Years without recorded holidays are filled with the
        exchange's usual weekdays and hours.

    Raises:
        ConfigurationError: the calendar is unknown.
    """
    sessions = schedule_covering(calendar, start, end).sessions
    first = int(sessions["session"].search_sorted(start, side="left"))
    after = int(sessions["session"].search_sorted(end, side="right"))
    return changes.with_notes(sessions.slice(first, max(after - first, 0)), rules_of(calendar))


def is_session(calendar: str, day: date) -> bool:
    """Whether a date is a session of a calendar.

    Raises:
        ConfigurationError: the calendar is unknown.
    """
    return not trading_sessions(calendar, day, day).is_empty()


def last_closed_session(calendar: str, now: datetime) -> date:
    """The newest session that has ended by `now`.

    Args:
        calendar: calendar code.
        now: an aware date and time, any zone.

    Raises:
        ConfigurationError: the calendar is unknown.
        ValueError: `now` has no zone.
    """
    if now.tzinfo is None:
        raise ValueError(f"now must carry a time zone, got {now.isoformat()}")
    recent = trading_sessions(
        calendar, now.date() - _LONGEST_CLOSURE, now.date() + timedelta(days=1)
    )
    closed: date = recent.filter(pl.col("close") <= now)["session"].item(-1)
    return closed


def exchange_zone(calendar: str) -> str:
    """The IANA zone whose wall clock a calendar follows.

    Raises:
        ConfigurationError: the calendar is unknown.
    """
    plain = calendar_name(calendar)
    if plain in continuous.ZONES:
        return continuous.ZONES[plain]
    return schedule_covering(calendar, _ANY_DAY, _ANY_DAY).zone


def check_calendars(rules: Mapping[str, CalendarRules]) -> None:
    """Build the sessions of every calendar that a configuration says something about.

    Raises:
        ConfigurationError: a calendar is unknown, or a day does not fit it; the message names both.
    """
    for calendar in rules:
        schedule_covering(versioned(calendar, rules), _ANY_DAY, _ANY_DAY)
        last = max((d.day for d in rules[calendar].days if d.day is not None), default=_ANY_DAY)
        schedule_covering(versioned(calendar, rules), _ANY_DAY, last)


def schedule_covering(calendar: str, start: date, end: date) -> Schedule:
    """The cached schedule that holds a span of dates.

    Building one costs tenths of a second whatever its length, so it always spans decades: one
    build serves nearly every request of a process, without asking for today's date.

    Raises:
        ConfigurationError: the calendar is unknown.
    """
    since = _USUAL_START if start >= _USUAL_START else EARLIEST
    last_year = max(end.year, _ANY_DAY.year) // 10 * 10 + 9
    return _build(calendar, since, min(date(last_year, 12, 31), LATEST))


@cache
def _build(calendar: str, since: date, until: date) -> Schedule:
    """The sessions of a code, by the rules of the configuration that it carries."""
    rules, plain = rules_of(calendar), calendar_name(calendar)
    if calendar != plain:
        base = (
            _build(plain, since, until)
            if rules.hours is None
            else changes.own_week(plain, rules.hours, since, until)
        )
        return changes.with_days(plain, base, rules, since, until)
    if calendar in continuous.ZONES:
        return continuous.build(calendar, since, until)
    schedule = exchange.build(calendar, since, until)
    if schedule.sessions.is_empty():
        raise ConfigurationError(
            f"calendar {calendar!r} has no session from {since} to {until}; choose another one"
        )
    return schedule
