"""What a configuration says about calendars: own hours, and days that differ from the usual ones.

What belongs here: the records of config/reference/sessions.yaml and holidays.yaml, and which of
them are valid. What does not: reading the files (adapters/reference_files.py), what becomes of a
schedule (calendars/changes.py), which calendar has which rules (calendar_versions.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

CODE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_/.\-]{0,31}$"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"(-1d )?([01]\d|2[0-4]):([0-5]\d)")
_EVERY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


def _clock(value: Any) -> Any:
    """A wall-clock time as the time since the session's own midnight."""
    if not isinstance(value, str):
        # YAML reads 09:30 without quotes as a number of minutes.
        raise ValueError('a time is a text like "09:30", in quotes, or "-1d 17:00"')  # noqa: TRY004
    found = _CLOCK.fullmatch(value)
    if found is None or (found[2] == "24" and found[3] != "00"):
        raise ValueError(f'{value!r} is no time; write "09:30", or "-1d 17:00" for the eve')
    since = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return since - timedelta(days=1) if found[1] else since


def _written(since: timedelta) -> str:
    """The text that `_clock` reads."""
    eve = "-1d " if since < timedelta(0) else ""
    minutes = (since + timedelta(days=1) if eve else since) // timedelta(minutes=1)
    return f"{eve}{minutes // 60:02}:{minutes % 60:02}"


Clock = Annotated[timedelta, BeforeValidator(_clock), PlainSerializer(_written)]
"""Time since 00:00 of the session's date on the calendar's own clocks; negative for the eve."""


class DayRule(BaseModel):
    """One day, or the same day of every year, that differs from what the calendar usually does.

    Attributes:
        day: the date, where it is one; `date` in the file.
        every: month and day ("12-24") where it comes back each year; on a day without a session
            it changes nothing, unless `session` makes one.
        since: first year of `every`.
        until: last year of `every`.
        closed: there is no session.
        session: there is one although the calendar has none, with its usual hours unless given.
        open: the session opens then.
        close: the session closes then.
        expected_from: bars are expected from then on; earlier ones are welcome.
        expected_until: bars are expected until then; later ones are welcome.
        expected: False: the session takes place, and no bar of it has to come.
        note: why, for a person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    day: date | None = Field(default=None, alias="date")
    every: str | None = None
    since: int | None = Field(default=None, ge=1900, le=2199)
    until: int | None = Field(default=None, ge=1900, le=2199)
    closed: bool = False
    session: bool = False
    open: Clock | None = None
    close: Clock | None = None
    expected_from: Clock | None = None
    expected_until: Clock | None = None
    expected: bool = True
    note: str = ""

    @field_validator("every")
    @classmethod
    def _month_and_day(cls, value: str | None) -> str | None:
        if value is not None and not _EVERY.fullmatch(value):
            raise ValueError(f'{value!r} is no month and day; write "12-24"')
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.day is None) == (self.every is None):
            raise ValueError("give either date or every")
        if self.day is not None and (self.since or self.until):
            raise ValueError("since and until belong to every")
        if self.since and self.until and self.since > self.until:
            raise ValueError(f"since ({self.since}) is later than until ({self.until})")
        hours = (self.open, self.close, self.expected_from, self.expected_until)
        other = self.session or not self.expected or any(h is not None for h in hours)
        if self.closed == other:
            raise ValueError(
                "give closed alone, or some of session, open, close, expected_from, "
                "expected_until, expected"
            )
        for early, late, names in (
            (self.open, self.close, "open and close"),
            (self.expected_from, self.expected_until, "expected_from and expected_until"),
        ):
            if early is not None and late is not None and early >= late:
                raise ValueError(f"{names} are not in this order")
        return self

    @property
    def when(self) -> str:
        """The day as the file names it."""
        return self.day.isoformat() if self.day is not None else f"every {self.every}"

    def dates(self, since: date, until: date) -> Iterator[date]:
        """The days that it speaks of inside a span, both ends included."""
        if self.day is not None:
            if since <= self.day <= until:
                yield self.day
            return
        month, day = (int(part) for part in str(self.every).split("-"))
        first, last = max(since.year, self.since or 0), min(until.year, self.until or 9999)
        for year in range(first, last + 1):
            try:
                found = date(year, month, day)
            except ValueError:  # 29 February
                continue
            if since <= found <= until:
                yield found


class OwnHours(BaseModel):
    """The usual week of a calendar that no library knows.

    Attributes:
        zone: IANA zone of its clocks.
        open: when a session opens; on the eve where it is negative.
        close: when it closes.
        pause: start and end of the lunch break.
        weekdays: days of the week with a session.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    zone: str
    open: Clock
    close: Clock
    pause: tuple[Clock, Clock] | None = Field(default=None, alias="break")
    weekdays: tuple[str, ...] = WEEKDAYS[:5]

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no zone; write one like Europe/Berlin") from error
        return value

    @field_validator("weekdays")
    @classmethod
    def _days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= set(WEEKDAYS):
            raise ValueError(f"weekdays takes some of {', '.join(WEEKDAYS)}")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        times = [self.open, *(self.pause or ()), self.close]
        if times != sorted(set(times)):
            raise ValueError("open, break and close are not in this order")
        if self.close - self.open > timedelta(days=1):
            raise ValueError("a session lasts 24 hours at most")
        return self


class CalendarRules(BaseModel):
    """What a configuration says about one calendar.

    Attributes:
        hours: its usual week; None for a calendar that is known without.
        days: the days that differ. A rule of a date goes before one of every year.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    hours: OwnHours | None = None
    days: tuple[DayRule, ...] = ()

    @model_validator(mode="after")
    def _each_day_once(self) -> Self:
        dates = [d.day for d in self.days if d.day is not None]
        twice = sorted({d.isoformat() for d in dates if dates.count(d) > 1})
        if twice:
            raise ValueError(f"given twice: {', '.join(twice)}")
        yearly = [d for d in self.days if d.every is not None]
        for number, one in enumerate(yearly):
            for other in yearly[:number]:
                if one.every == other.every and _meet(one, other):
                    raise ValueError(f"every {one.every} is given twice for the same years")
        return self

    @cached_property
    def digest(self) -> str:
        """Names the sessions that follow; notes, which change none, are no part of it."""
        content = self.model_dump_json(exclude={"days": {"__all__": {"note"}}})
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def by_date(self, since: date, until: date) -> dict[date, DayRule]:
        """The rule of each day of a span that has one."""
        ordered = sorted(self.days, key=lambda rule: rule.day is not None)
        return {day: rule for rule in ordered for day in rule.dates(since, until)}


def _meet(one: DayRule, other: DayRule) -> bool:
    """Whether two yearly rules have a year in common."""
    return (one.since or 0) <= (other.until or 9999) and (other.since or 0) <= (one.until or 9999)
