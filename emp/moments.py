"""Days and instants as people write them.

What belongs here: text, dates and datetimes to the two kinds of period that bars are read by:
sessions (whole days, the last one included) and instants (the end excluded).
What does not: which sessions exist (market_data/calendars).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from market_data.errors import ConfigurationError

Moment = str | date | datetime
"""A day ("2024-03-01" or a date) or an instant ("2024-03-01T14:30" or a datetime); an instant
without an offset is UTC."""


@dataclass(frozen=True)
class Period:
    """What part of a series is wanted; the bounds that are not None all hold.

    Attributes:
        sessions: first and last session, both included.
        start: first bar start, UTC.
        end: end of the bar starts, UTC, excluded.
    """

    sessions: tuple[date, date] | None = None
    start: datetime | None = None
    end: datetime | None = None


def parse(value: Moment, name: str) -> date | datetime:
    """A day or an aware instant in UTC.

    Raises:
        ConfigurationError: the text is neither.
    """
    if isinstance(value, str):
        value = _read(value, name)
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _read(text: str, name: str) -> date | datetime:
    for form in (date, datetime):
        try:
            return form.fromisoformat(text)
        except ValueError:
            continue
    raise ConfigurationError(
        f"{name}={text!r} is no date; write 2024-03-01 or 2024-03-01T14:30+00:00"
    )


def day(value: Moment, name: str) -> date:
    """A day.

    Raises:
        ConfigurationError: the value is no date, or holds a time of day.
    """
    parsed = parse(value, name)
    if isinstance(parsed, datetime):
        raise ConfigurationError(f"{name}={value!s} holds a time of day; sessions are whole days")
    return parsed


def instant(value: Moment, name: str) -> datetime:
    """An instant in UTC; a day is its first moment, so that nothing of that day is known yet.

    Raises:
        ConfigurationError: the value is neither a date nor a datetime.
    """
    parsed = parse(value, name)
    return parsed if isinstance(parsed, datetime) else datetime.combine(parsed, time(), UTC)


def period(start: Moment | None, end: Moment | None, *, earliest: date, latest: date) -> Period:
    """The period between two moments.

    Args:
        start: a day is the first session, an instant the first bar start.
        end: a day is the last session, included; an instant is excluded.
        earliest: session that stands in where `end` is a day and `start` is none.
        latest: session that stands in where `start` is a day and `end` is none.

    Raises:
        ConfigurationError: a value is no moment, or the end lies before the start.
    """
    first = None if start is None else parse(start, "start")
    last = None if end is None else parse(end, "end")
    first_day = None if isinstance(first, datetime) else first
    last_day = None if isinstance(last, datetime) else last
    found = Period(
        sessions=(first_day or earliest, last_day or latest) if first_day or last_day else None,
        start=first if isinstance(first, datetime) else None,
        end=last if isinstance(last, datetime) else None,
    )
    if first is not None and last is not None and _backwards(first, last):
        raise ConfigurationError(f"the period ends ({end}) before it starts ({start})")
    return found


def _backwards(first: date | datetime, last: date | datetime) -> bool:
    if isinstance(first, datetime) and isinstance(last, datetime):
        return last <= first
    one, other = (m.date() if isinstance(m, datetime) else m for m in (first, last))
    return other < one
