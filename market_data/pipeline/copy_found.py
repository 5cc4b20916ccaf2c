"""What a copy has found of a dataset, slice by slice and month by month.

What belongs here: digests per month of both sides, put together.
What does not: reading and writing (copying.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from market_data.pipeline.copy_slices import Slice
from market_data.pipeline.migration import Compared
from market_data.quality.digest import RowsDigest

NONE = RowsDigest()

Months = dict[date, RowsDigest]


@dataclass(frozen=True)
class Found:
    """What a slice holds on both sides; `foreign` counts what only the target holds."""

    versions: tuple[str, str]
    source: Months
    target: Months
    foreign: Months

    @property
    def equal(self) -> bool:
        """Whether both sides tell the same."""
        return self.source == self.target


class FoundMonths:
    """The months of all slices, put together."""

    def __init__(self) -> None:
        self._read: dict[date, tuple[RowsDigest, RowsDigest, int]] = {}
        self._unread: dict[date, tuple[int, int]] = {}

    def add(self, found: Found) -> None:
        """Months of a slice that was read."""
        for month in found.source.keys() | found.target:
            source, target, foreign = self._read.get(month, (NONE, NONE, 0))
            self._read[month] = (
                source + found.source.get(month, NONE),
                target + found.target.get(month, NONE),
                foreign + found.foreign.get(month, NONE).rows,
            )

    def add_unread(self, slice_: Slice) -> None:
        """Months of a slice that was only counted."""
        for month, *rows in slice_.months:
            source, target = self._unread.get(month, (0, 0))
            self._unread[month] = (source + rows[0], target + rows[1])

    def compared(self) -> tuple[Compared, ...]:
        """Every month, oldest first."""
        return tuple(self._month(month) for month in sorted(self._read.keys() | self._unread))

    def _month(self, month: date) -> Compared:
        source, target, foreign = self._read.get(month, (NONE, NONE, 0))
        more = self._unread.get(month)
        digests = (str(source), str(target)) if more is None else ("", "")
        rows = more or (0, 0)
        return Compared(
            f"{month:%Y-%m}", source.rows + rows[0], target.rows + rows[1], *digests, foreign
        )


def total(months: Months) -> RowsDigest:
    """The digest of all months together."""
    return sum(months.values(), NONE)
