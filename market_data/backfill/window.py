"""A span of every day on the wall clock of a zone, in which large work may begin.

What belongs here: its form as text, and whether a moment lies in it. What does not: what begins in
it (driving.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

_FORM = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d) (\S+)")
_REFUSED = (
    "must be two different times of day and a time zone, such as 22:00-06:00 America/New_York"
)


@dataclass(frozen=True)
class Window:
    """From one time of day to another, over midnight where it ends before it begins.

    Attributes:
        first: its beginning, included.
        last: its end, not included.
        zone: whose wall clock that is.
    """

    first: time
    last: time
    zone: str

    def __str__(self) -> str:
        return f"{self.first:%H:%M}-{self.last:%H:%M} {self.zone}"

    def holds(self, moment: datetime) -> bool:
        """Whether a moment, aware, lies in it."""
        at = moment.astimezone(ZoneInfo(self.zone)).time()
        if self.first < self.last:
            return self.first <= at < self.last
        return at >= self.first or at < self.last


def window_of(value: object) -> Window:
    """The window of a text such as "22:00-06:00 America/New_York".

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, Window):
        return value
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[1] == match[2]:
        raise ValueError(_REFUSED)
    try:
        first, last = (time.fromisoformat(match[place]) for place in (1, 2))
        return Window(first, last, ZoneInfo(match[3]).key)
    except (ValueError, LookupError, OSError) as error:
        raise ValueError(_REFUSED) from error
