"""From a clock to sessions: which one has just closed, which ones are running.

What belongs here: questions that a schedule puts to the calendars. What does not: when it puts them
(policy.py), what it launches (jobs/automation).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import polars as pl

from market_data.calendars import trading_sessions

_DAY = timedelta(days=1)
DAILY_WINDOW = timedelta(hours=20)
"""A tick a day serves a close of so long before: early closes too, and on days on which clocks are
changed never that of the day before."""
HOURLY_WINDOW = timedelta(hours=1)


def session_closed(calendar: str, by: datetime, window: timedelta) -> date | None:
    """The session that closed within a span of time, the newest one; None where none did.

    Args:
        calendar: calendar code.
        by: the end of the span, included, aware.
        window: its length; its beginning is not included.

    Raises:
        ConfigurationError: the calendar is unknown.
    """
    by = by.astimezone(UTC)
    near = trading_sessions(calendar, by.date() - 3 * _DAY, by.date() + _DAY)
    closed = near.filter(pl.col("close") <= by, pl.col("close") > by - window)["session"]
    found: date | None = None if closed.is_empty() else closed.item(-1)
    return found


def running_sessions(calendars: Iterable[str], now: datetime) -> dict[str, date]:
    """The session that is running now, by calendar; calendars that are closed are left out.

    Args:
        calendars: calendar codes.
        now: the moment, aware.

    Raises:
        ConfigurationError: a calendar is unknown.
    """
    found: dict[str, date] = {}
    now = now.astimezone(UTC)
    for calendar in calendars:
        near = trading_sessions(calendar, now.date() - _DAY, now.date() + 2 * _DAY)
        running = near.filter(pl.col("open") <= now, pl.col("close") > now)["session"]
        if not running.is_empty():
            found[calendar] = running.item(-1)
    return found
