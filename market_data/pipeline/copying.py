"""Copying a dataset from one bar store into another, slice by slice, with equal digests.

What belongs here: comparing, what may be replaced, writing, reading back.
What does not: the cut into slices (copy_slices.py); the order of parts, and what happens when the
source changes (migration.py).

A slice is replaced in one atomic step of the target, and only where the target tells other rows, so
that a copy may stop anywhere and be repeated at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from market_data.datasets import Dataset
from market_data.errors import CopyMismatchError, CopyRefusedError
from market_data.pipeline.copy_slices import Slice, cut
from market_data.pipeline.migration import Compared, Outcome, Receipts, Tell, named
from market_data.ports import BarStore
from market_data.quality.digest import RowsDigest, month_digests

ROWS_AT_ONCE = 500_000
"""Bars of that number, on both sides and on their way, take some hundred megabytes."""

_NONE = RowsDigest()

Months = dict[date, RowsDigest]


@dataclass(frozen=True)
class _Read:
    """The rows of a slice on both sides, at versions that are not newer."""

    versions: tuple[str, str]
    rows: pl.DataFrame
    held: pl.DataFrame


@dataclass(frozen=True)
class _Found:
    """What a slice holds on both sides; `foreign` counts what only the target holds."""

    versions: tuple[str, str]
    source: Months
    target: Months
    foreign: Months

    @property
    def equal(self) -> bool:
        """Whether both sides tell the same."""
        return self.source == self.target


class DatasetCopy:
    """A `Part`: one dataset in two bar stores.

    Args:
        dataset: which.
        source: is only read.
        target: is made to hold the same.
        receipts: what copies have read.
        overwrite: rows that only the target holds may go.
        rows_at_once: a slice holds about that many at most.
    """

    def __init__(
        self,
        dataset: Dataset,
        source: BarStore,
        target: BarStore,
        receipts: Receipts,
        *,
        overwrite: bool = False,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        self._dataset = dataset
        self._source = source
        self._target = target
        self._receipts = receipts
        self._overwrite = overwrite
        self._rows_at_once = rows_at_once
        self._known: dict[Slice, _Found] = {}
        self._version = ""

    @property
    def name(self) -> str:
        """The dataset's."""
        return self._dataset.name

    def compare(self, tell: Tell, *, thorough: bool) -> Outcome:
        """Read both sides and write nothing, see the port."""
        slices = self._slices()
        months = _Months()
        for number, slice_ in enumerate(slices, 1):
            if not thorough and not slice_.in_target:
                months.add_unread(slice_)
                continue
            tell(f"{self.name} {slice_.label}: reading both sides ({number} of {len(slices)})")
            months.add(self._remembered(slice_) or self._look(slice_, self._read(slice_)))
        return Outcome(months.compared(), len(slices))

    def copy(self, tell: Tell) -> Outcome:
        """Make the target hold what the source holds, see the port.

        Raises:
            CopyRefusedError: the target holds rows of its own.
            CopyMismatchError: what was read back is not what was written.
        """
        # Taken first: whatever is written from here on makes `changed` true.
        self._version = self._source.version(self._dataset)
        slices = self._slices()
        months = _Months()
        written = rows = 0
        for number, slice_ in enumerate(slices, 1):
            found = self._remembered(slice_)
            done = "equal already"
            if found is None or not found.equal:
                read = self._read(slice_)
                found = self._look(slice_, read)
                if not found.equal:
                    found = self._write(slice_, read, found)
                    done = f"{read.rows.height} rows copied"
                    written, rows = written + 1, rows + read.rows.height
            months.add(found)
            self._receipts.note(self.name, str(_sum(found.source)))
            tell(f"{self.name} {slice_.label}: {done} ({number} of {len(slices)})")
        return Outcome(months.compared(), len(slices), written, rows)

    def changed(self) -> bool:
        """Whether the source was written to since the last copy began."""
        return self._source.version(self._dataset) != self._version

    def _slices(self) -> list[Slice]:
        source, target = (s.counts(self._dataset) for s in (self._source, self._target))
        return list(cut(self._dataset, source, target, self._rows_at_once))

    def _remembered(self, slice_: Slice) -> _Found | None:
        """What an earlier look found, where neither side has changed since."""
        found = self._known.get(slice_)
        return found if found is not None and found.versions == self._versions(slice_) else None

    def _versions(self, slice_: Slice) -> tuple[str, str]:
        return self._version_of(self._source, slice_), self._version_of(self._target, slice_)

    def _version_of(self, store: BarStore, slice_: Slice) -> str:
        return store.version(self._dataset, symbols=slice_.symbols, sessions=slice_.sessions)

    def _scan(self, store: BarStore, slice_: Slice) -> pl.DataFrame:
        return store.scan(self._dataset, symbols=slice_.symbols, sessions=slice_.sessions)

    def _read(self, slice_: Slice) -> _Read:
        versions = self._versions(slice_)
        return _Read(versions, self._scan(self._source, slice_), self._scan(self._target, slice_))

    def _look(self, slice_: Slice, read: _Read) -> _Found:
        source, target = month_digests(read.rows), month_digests(read.held)
        foreign: Months = {}
        if source != target and not self._receipts.knows(self.name, str(_sum(target))):
            foreign = month_digests(_only(read.held, read.rows))
        found = _Found(read.versions, source, target, foreign)
        self._known[slice_] = found
        return found

    def _write(self, slice_: Slice, read: _Read, found: _Found) -> _Found:
        """Make the target hold the rows that were read of the source."""
        if found.foreign and not self._overwrite:
            raise CopyRefusedError(
                f"{self.name} {slice_.label}: the target holds {_sum(found.foreign).rows} rows "
                "that the source does not, or holds otherwise; if they may go, repeat with "
                "--overwrite"
            )
        # Noted before: a copy that dies in between leaves a target that the next may replace.
        self._receipts.note(self.name, str(_sum(found.source)))
        self._put(slice_, read.rows)
        told = self._scan(self._target, slice_)
        if found.target and month_digests(told) != found.source:
            # A store that was changed behind its back may trust its own books and write nothing;
            # a slice that was another one in between is written.
            self._put(slice_, told.join(read.rows, on=told.columns, how="semi", nulls_equal=True))
            self._put(slice_, read.rows)
            told = self._scan(self._target, slice_)
        versions = (read.versions[0], self._version_of(self._target, slice_))
        made = _Found(versions, found.source, month_digests(told), {})
        self._demand_equality(made)
        self._known[slice_] = made
        return made

    def _put(self, slice_: Slice, rows: pl.DataFrame) -> None:
        self._target.replace(self._dataset, rows, sessions=slice_.sessions, symbols=slice_.symbols)

    def _demand_equality(self, made: _Found) -> None:
        for month in sorted(made.source.keys() | made.target):
            source, target = made.source.get(month, _NONE), made.target.get(month, _NONE)
            if source != target:
                raise CopyMismatchError(
                    f"{named(self.name, f'{month:%Y-%m}')}: the source tells {source.rows} rows of "
                    f"digest {source}, but after they were written the target tells {target.rows} "
                    f"rows of digest {target}"
                )


class _Months:
    """The months of all slices, put together."""

    def __init__(self) -> None:
        self._read: dict[date, tuple[RowsDigest, RowsDigest, int]] = {}
        self._unread: dict[date, tuple[int, int]] = {}

    def add(self, found: _Found) -> None:
        """Months of a slice that was read."""
        for month in found.source.keys() | found.target:
            source, target, foreign = self._read.get(month, (_NONE, _NONE, 0))
            self._read[month] = (
                source + found.source.get(month, _NONE),
                target + found.target.get(month, _NONE),
                foreign + found.foreign.get(month, _NONE).rows,
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
        source, target, foreign = self._read.get(month, (_NONE, _NONE, 0))
        more = self._unread.get(month)
        digests = (str(source), str(target)) if more is None else ("", "")
        rows = more or (0, 0)
        return Compared(
            f"{month:%Y-%m}", source.rows + rows[0], target.rows + rows[1], *digests, foreign
        )


def _only(held: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of `held` that `rows` has not, as they are there."""
    return held.join(rows, on=held.columns, how="anti", nulls_equal=True)


def _sum(months: Months) -> RowsDigest:
    return sum(months.values(), _NONE)
