"""Clocks: the real one, one that stands still for rehearsals and tests, the age of a process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """The current time, aware."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class FixedClock:
    """A clock that always tells the same time."""

    at: datetime

    def now(self) -> datetime:
        """The time it was made with."""
        return self.at


def process_began() -> datetime:
    """When this process was started, UTC, by the machine's clock."""
    import psutil

    return datetime.fromtimestamp(psutil.Process().create_time(), UTC)
