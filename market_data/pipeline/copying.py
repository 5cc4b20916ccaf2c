"""Copying a dataset from one bar store into another, slice by slice, with equal digests.

What belongs here: comparing, what may be replaced, writing, reading back.
What does not: the cut into slices (copy_slices.py); the order of parts, and what happens when the
source changes (migration.py).

A slice is replaced in one atomic step of the target, and only where the target tells other rows, so
that a copy may stop anywhere and be repeated at any time. It is replaced only while the target is
what was looked at: whatever another writer puts there in between is looked at first.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import polars as pl

from market_data.datasets import Dataset
from market_data.errors import (
    CopyMismatchError,
    CopyRefusedError,
    SessionConflictError,
    SliceChangedError,
    StoreConflictError,
)
from market_data.pipeline.copy_found import NONE, Found, FoundMonths, Months, total
from market_data.pipeline.copy_slices import Slice, cut
from market_data.pipeline.migration import Outcome, Receipts, Tell, named
from market_data.ports import BarStore
from market_data.quality.digest import month_digests

ROWS_AT_ONCE = 500_000
"""Bars of that number, on both sides and on their way, take some hundred megabytes."""

LOOKS = 8
"""At a slice that another writer changes each time between the look and the write."""


@dataclass(frozen=True)
class _Read:
    """The rows of a slice on both sides, at versions that are not newer."""

    versions: tuple[str, str]
    rows: pl.DataFrame
    held: pl.DataFrame


@dataclass
class _Work:
    """What a copy has done so far."""

    months: FoundMonths = field(default_factory=FoundMonths)
    written: int = 0
    rows: int = 0


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
        self._known: dict[Slice, Found] = {}
        self._version = ""
        self._disturbed = False

    @property
    def name(self) -> str:
        """The dataset's."""
        return self._dataset.name

    def compare(self, tell: Tell, *, thorough: bool) -> Outcome:
        """Read both sides and write nothing, see the port."""
        slices = self._slices()
        months = FoundMonths()
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
            StoreConflictError: another writer of the target came first every time.
        """
        # Taken first: whatever is written from here on makes `changed` true.
        self._version, self._disturbed = self._source.version(self._dataset), False
        slices = self._slices()
        work = _Work()
        late: list[Slice] = []
        for number, slice_ in enumerate(slices, 1):
            try:
                done = self._copy_slice(slice_, work, tell)
            except SessionConflictError:
                # The target keeps the bar in a later month, from which the source has moved it.
                late.append(slice_)
                done = "waits for a later one, which holds a bar of it"
            tell(f"{self.name} {slice_.label}: {done} ({number} of {len(slices)})")
        for slice_ in late:
            self._clear(slice_)
        for slice_ in late:
            tell(f"{self.name} {slice_.label}: {self._copy_slice(slice_, work, tell)}")
        return Outcome(work.months.compared(), len(slices), work.written, work.rows)

    def changed(self) -> bool:
        """Whether the source was written to since the last copy began.

        Or the target by others: rows of theirs may lie outside of every slice that was cut, or in
        one that was done.
        """
        if self._disturbed or self._source.version(self._dataset) != self._version:
            return True
        return any(rows[0] != rows[1] for slice_ in self._slices() for _, *rows in slice_.months)

    def _slices(self) -> list[Slice]:
        source, target = (s.counts(self._dataset) for s in (self._source, self._target))
        return list(cut(self._dataset, source, target, self._rows_at_once))

    def _remembered(self, slice_: Slice) -> Found | None:
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

    def _look(self, slice_: Slice, read: _Read) -> Found:
        source, target = month_digests(read.rows), month_digests(read.held)
        foreign: Months = {}
        if source != target and not self._receipts.knows(self.name, str(total(target))):
            foreign = month_digests(_only(read.held, read.rows))
        found = Found(read.versions, source, target, foreign)
        self._known[slice_] = found
        return found

    def _copy_slice(self, slice_: Slice, work: _Work, tell: Tell) -> str:
        """Make both sides equal; returns what was done."""
        found, copied = self._remembered(slice_), None
        if found is None or not found.equal:
            found, copied = self._settle(slice_, tell)
        work.months.add(found)
        self._receipts.note(self.name, str(total(found.source)))
        if copied is None:
            return "equal already"
        work.written, work.rows = work.written + 1, work.rows + copied
        return f"{copied} rows copied"

    def _clear(self, slice_: Slice) -> None:
        """Let only rows of the source stay in the target, so that others may take their place."""
        read = self._read(slice_)
        self._refuse_foreign(slice_, self._look(slice_, read))
        with suppress(SliceChangedError):  # the copy of the slice looks again
            self._put_what_is_right(slice_, read.rows, read.held, read.versions[1])

    def _settle(self, slice_: Slice, tell: Tell) -> tuple[Found, int | None]:
        """Make both sides equal; returns what they hold, and the rows that were written for it."""
        for _ in range(LOOKS):
            read = self._read(slice_)
            found = self._look(slice_, read)
            if found.equal:
                return found, None
            try:
                return self._write(slice_, read, found), read.rows.height
            except SliceChangedError:
                self._disturbed = True
                tell(f"{self.name} {slice_.label}: another writer was faster, looking again")
        raise StoreConflictError(
            f"{self.name} {slice_.label}: the target is written to faster than it is copied to; "
            "what is copied stays, so let runs end there and copy again"
        )

    def _write(self, slice_: Slice, read: _Read, found: Found) -> Found:
        """Make the target hold the rows that were read of the source.

        Raises:
            SliceChangedError: it is not what was looked at any more.
        """
        self._refuse_foreign(slice_, found)
        # Noted before: a copy that dies in between leaves a target that the next may replace.
        self._receipts.note(self.name, str(total(found.source)))
        self._put(slice_, read.rows, read.versions[1])
        version = self._version_of(self._target, slice_)
        told = self._scan(self._target, slice_)
        if version == read.versions[1] and month_digests(told) != found.source:
            # A store that was changed behind its back trusts its own books and writes nothing; a
            # slice that was another one in between is written.
            self._put(slice_, read.rows, self._put_what_is_right(slice_, read.rows, told, version))
            version = self._version_of(self._target, slice_)
            told = self._scan(self._target, slice_)
        made = Found((read.versions[0], version), found.source, month_digests(told), {})
        self._demand_equality(made)
        self._known[slice_] = made
        return made

    def _refuse_foreign(self, slice_: Slice, found: Found) -> None:
        if found.foreign and not self._overwrite:
            raise CopyRefusedError(
                f"{self.name} {slice_.label}: the target holds {total(found.foreign).rows} rows "
                "that the source does not, or holds otherwise; if they may go, repeat with "
                "--overwrite"
            )

    def _put_what_is_right(
        self, slice_: Slice, rows: pl.DataFrame, told: pl.DataFrame, version: str
    ) -> str:
        """Leave only rows that belong there; returns the version at which that was so."""
        right = told.join(rows, on=told.columns, how="semi", nulls_equal=True)
        self._put(slice_, right, version)
        version = self._version_of(self._target, slice_)
        if month_digests(self._scan(self._target, slice_)) != month_digests(right):
            raise SliceChangedError(f"{self.name} {slice_.label}: another writer was faster")
        return version

    def _put(self, slice_: Slice, rows: pl.DataFrame, seen: str) -> None:
        self._target.replace(
            self._dataset,
            rows,
            sessions=slice_.sessions,
            symbols=slice_.symbols,
            unless_changed_since=seen,
        )

    def _demand_equality(self, made: Found) -> None:
        for month in sorted(made.source.keys() | made.target):
            source, target = made.source.get(month, NONE), made.target.get(month, NONE)
            if source != target:
                raise CopyMismatchError(
                    f"{named(self.name, f'{month:%Y-%m}')}: the source tells {source.rows} rows of "
                    f"digest {source}, but after they were written the target tells {target.rows} "
                    f"rows of digest {target}: where another writer is at work on it, let it end "
                    "and copy again"
                )


def _only(held: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of `held` that `rows` has not, as they are there."""
    return held.join(rows, on=held.columns, how="anti", nulls_equal=True)
