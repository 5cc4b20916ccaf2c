"""The clock of the request budget: one that no change of the machine's clock moves.

What belongs here: reading the machine, and what has passed since a mark that another process left.
What does not: where the mark lies (sqlite_store.py).

Windows of a day must outlive a restart, so the clock cannot be one that begins with the machine;
and it must not follow a wall clock that is set. So it goes on from a mark: on the same boot by the
time that the machine has been up, otherwise by the wall clock, and never back. A wall clock that
was set back and is put right again has told nothing new: what passed is then counted from the
latest time that it had shown.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Reading:
    """The clocks of a machine, in microseconds.

    Attributes:
        wall: since 1970, as the machine is set.
        steady: since the machine was started, sleep included; None where it cannot tell.
        boot: names that start; empty where it cannot tell.
    """

    wall: int
    steady: int | None = None
    boot: str = ""


@dataclass(frozen=True)
class Mark:
    """An instant of the shared clock, and what the machine's clocks said at it."""

    at: int
    reading: Reading
    peak: tuple[int, int] | None = None
    """Where the wall clock counts: the latest time that it has shown, and the instant of that."""


def instant(mark: Mark | None, reading: Reading) -> int:
    """The instant of the shared clock at a reading; the first of all is the wall clock's."""
    return advanced(mark, reading).at


def advanced(mark: Mark | None, reading: Reading) -> Mark:
    """The mark of a reading that follows on another."""
    if mark is None:
        return Mark(reading.wall, reading, (reading.wall, reading.wall))
    before = mark.reading
    if (
        reading.boot
        and reading.boot == before.boot
        and reading.steady is not None
        and before.steady is not None
        and reading.steady >= before.steady
    ):
        return Mark(mark.at + reading.steady - before.steady, reading)
    top, at_top = mark.peak or (before.wall, mark.at)
    if reading.wall < top:
        # What passes on a clock that is behind counts, or nobody could ask until it has caught up.
        return Mark(mark.at + max(0, reading.wall - before.wall), reading, (top, at_top))
    at = max(mark.at, at_top + reading.wall - top)
    return Mark(at, reading, (reading.wall, at))


def machine_reading() -> Reading:
    """The clocks of this machine."""
    wall = time.time_ns() // 1_000
    boot = _boot()
    if not boot:
        return Reading(wall)
    return Reading(wall, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000, boot)


@cache
def _boot() -> str:
    """The name of the machine's start; only Linux has one."""
    try:
        return _BOOT_ID.read_text().strip() if hasattr(time, "CLOCK_BOOTTIME") else ""
    except OSError:
        return ""
