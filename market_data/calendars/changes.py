"""Schedules from a configuration: an own week, and single days on top of any calendar.

What belongs here: rules (market_data/calendar_rules.py) made into sessions. What does not: the
sessions that they are laid on (exchange.py, continuous.py), caching (sessions.py).
"""

from __future__ import annotations

from datetime import UTC as PYTHON_UTC
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from market_data.calendar_rules import WEEKDAYS, CalendarRules, DayRule, OwnHours
from market_data.calendars.schedule import Schedule, completed
from market_data.calendars.wall_clock import local_instant
from market_data.errors import ConfigurationError
from market_data.schemas import UTC

_HOURS = ("open", "close", "break_start", "break_end")


def own_week(calendar: str, hours: OwnHours, since: date, until: date) -> Schedule:
    """The sessions of a calendar with hours of its own, from `since` to `until`."""
    weekdays = [number for number, day in enumerate(WEEKDAYS, start=1) if day in hours.weekdays]
    days = pl.select(session=pl.date_range(since, until, interval="1d"))
    pause = hours.pause or (None, None)
    times = dict(zip(_HOURS, (hours.open, hours.close, *pause), strict=True))
    frame = days.filter(pl.col("session").dt.weekday().is_in(weekdays)).with_columns(
        *(
            pl.lit(None, dtype=UTC).alias(name)
            if since_midnight is None
            else local_instant(pl.col("session"), hours.zone, since_midnight).alias(name)
            for name, since_midnight in times.items()
        ),
        early_close=pl.lit(value=False),
    )
    return completed(calendar, hours.zone, frame)


def with_notes(sessions: pl.DataFrame, rules: CalendarRules) -> pl.DataFrame:
    """Sessions whose changed days tell what a person wrote about them, where somebody did.

    Apart from `with_days`, since a note is no part of the version of a calendar: its schedule is
    not built anew for one.
    """
    if not rules.days:
        return sessions
    changed = sessions.filter(pl.col("changed").is_not_null())["session"]
    if changed.is_empty():
        return sessions
    days = rules.by_date(changed[0], changed[-1])
    notes = {day: days[day].note for day in changed if days[day].note}
    told = pl.col("session").replace_strict(notes, default=pl.col("changed"))
    return sessions.with_columns(changed=told) if notes else sessions


def with_days(
    calendar: str, schedule: Schedule, rules: CalendarRules, since: date, until: date
) -> Schedule:
    """A schedule with the days of a configuration that differ from its own.

    Args:
        calendar: plain code, for the rows and for messages.
        schedule: the sessions without them.
        rules: what the configuration says.
        since: first date of the schedule's span.
        until: last date of it.

    Raises:
        ConfigurationError: a rule does not fit the session of its day; the message names it.
    """
    days = rules.by_date(since, until)
    if not days:
        return schedule
    usual = _usual_hours(schedule)
    touched = schedule.sessions.filter(pl.col("session").is_in(list(days)))
    there = {row["session"]: row for row in touched.iter_rows(named=True)}
    changed = [
        row
        for day, rule in days.items()
        if (row := _changed(calendar, schedule.zone, day, rule, there.get(day), usual)) is not None
    ]
    kept = schedule.sessions.filter(~pl.col("session").is_in(list(days)))
    added = pl.DataFrame(changed, schema=kept.schema)
    return completed(calendar, schedule.zone, _apart(calendar, pl.concat([kept, added])))


def _usual_hours(schedule: Schedule) -> dict[str, timedelta]:
    """The commonest hours of the schedule, since the session's midnight on its own clocks."""
    newest = schedule.sessions.tail(400)
    found: dict[str, timedelta] = {}
    for name in _HOURS:
        wall = newest.select(
            pl.col(name).dt.convert_time_zone(schedule.zone).dt.replace_time_zone(None)
            - pl.col("session").cast(pl.Datetime("us"))
        ).to_series()
        if wall.null_count() < wall.len():
            found[name] = wall.drop_nulls().mode().sort()[0]
    return found


def _changed(
    calendar: str,
    zone: str,
    day: date,
    rule: DayRule,
    row: dict[str, Any] | None,
    usual: dict[str, timedelta],
) -> dict[str, Any] | None:
    """The session of one day by its rule; None where there is none.

    A yearly rule waits for a day that has a session; one of a date has to find it.
    """
    if rule.closed or (row is None and rule.every is not None and not rule.session):
        return None
    if row is None and not rule.session:
        raise ConfigurationError(
            f"holidays: {calendar} has no session on {day} to change; add 'session: true' to make "
            "one, or correct the date"
        )
    if row is None:
        row = {"calendar": calendar, "session": day, "early_close": False}
        row |= {name: _instant(day, zone, usual[name]) for name in _HOURS if name in usual}
    row = {**dict.fromkeys(_HOURS), **row}
    if rule.open is not None:
        row["open"] = _instant(day, zone, rule.open)
    if rule.close is not None:
        row["close"] = _instant(day, zone, rule.close)
        row["early_close"] = "close" in usual and rule.close < usual["close"]
    return _with_expectation(calendar, zone, day, rule, _without_lost_break(row))


def _without_lost_break(row: dict[str, Any]) -> dict[str, Any]:
    """A session that begins after its lunch break, or ends before, has none."""
    start, end = row["break_start"], row["break_end"]
    if start is not None and (row["open"] >= start or row["close"] <= end):
        row["open"] = end if start <= row["open"] < end else row["open"]
        row["close"] = start if start < row["close"] <= end else row["close"]
        row["break_start"] = row["break_end"] = None
    return row


def _with_expectation(
    calendar: str, zone: str, day: date, rule: DayRule, row: dict[str, Any]
) -> dict[str, Any]:
    row = {**row, "expected_from": None, "expected_until": None, "changed": rule.when}
    if row["open"] >= row["close"]:
        raise ConfigurationError(
            f"holidays: {calendar} {rule.when}: the session of {day} would open at or after its "
            "close; give both hours"
        )
    if not rule.expected:
        return {**row, "expected_from": row["open"], "expected_until": row["open"]}
    if rule.expected_from is None and rule.expected_until is None:
        return row
    begin = row["open"] if rule.expected_from is None else _instant(day, zone, rule.expected_from)
    end = row["close"] if rule.expected_until is None else _instant(day, zone, rule.expected_until)
    if not row["open"] <= begin < end <= row["close"]:
        raise ConfigurationError(
            f"holidays: {calendar} {rule.when}: the part of the session of {day} in which bars are "
            "expected has to lie inside its hours"
        )
    return {**row, "expected_from": begin, "expected_until": end}


def _instant(day: date, zone: str, since_midnight: timedelta) -> datetime:
    """`local_instant` of one day: a skipped hour means one hour later, a repeated one the first."""
    wall = datetime.combine(day, time()) + since_midnight
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(PYTHON_UTC)


def _apart(calendar: str, sessions: pl.DataFrame) -> pl.DataFrame:
    """The sessions, none of which may begin before the one before it ends."""
    ordered = sessions.sort("session")
    late = ordered.filter(pl.col("open") < pl.col("close").shift(1))
    if not late.is_empty():
        raise ConfigurationError(
            f"holidays: {calendar}: the session of {late['session'][0]} opens before the one "
            "before it has closed"
        )
    return ordered
