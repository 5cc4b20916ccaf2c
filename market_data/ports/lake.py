"""The lake port: a table with versions, which are read, looked after, restored and repaired.

What belongs here: what an engine with versions can do with one dataset, and what it reports.
What does not: the rows of today, which have ports of their own (bar_store.py, raw_log.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import polars as pl

from market_data.ports.bar_store import TableVersion

RETENTION = timedelta(hours=720)
"""Vacuum leaves everything that the versions of so long need, unless it is forced."""

CHANGED = {
    "symbol": pl.String(),
    "session": pl.Date(),
    "rows_before": pl.Int64(),
    "rows_after": pl.Int64(),
}
"""Columns that say which symbol-sessions differ between two versions."""

LEFT = {"symbol": pl.String(), "session": pl.Date(), "rows": pl.Int64()}
"""Columns that count what is there."""


@dataclass(frozen=True)
class Footprint:
    """How large a table is.

    Attributes:
        version: the newest one.
        files: files that this version consists of.
        bytes: theirs.
        stored_files: data files that lie there, those of former versions included.
        stored_bytes: theirs.
    """

    version: int
    files: int
    bytes: int
    stored_files: int
    stored_bytes: int


@dataclass(frozen=True)
class Tended:
    """What was done with a table, or would be.

    Attributes:
        dataset: its name.
        did: optimize, vacuum, restore or repair.
        dry_run: nothing was done.
        before: the table as it was.
        after: as it is; what is expected, in a dry run.
        units: folders that were laid out anew.
        removed: data files that went.
        notes: what else a person should know, in sentences.
        changed: columns CHANGED: symbol-sessions whose rows are others than before.
    """

    dataset: str
    did: str
    dry_run: bool
    before: Footprint
    after: Footprint
    units: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    changed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CHANGED))

    def numbers(self) -> dict[str, Any]:
        """Files and bytes before and after, for a record or a reader of JSON."""
        return {
            "dataset": self.dataset,
            "did": self.did,
            "dry_run": self.dry_run,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "units": len(self.units),
            "removed_files": len(self.removed),
            "changed_symbol_sessions": self.changed.height,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Damage:
    """What is wrong with a table.

    Attributes:
        lost: files of the newest version whose rows cannot be read, with what is wrong.
        log: what is wrong with the log, in a sentence; empty where it can be read.
        rows: that the lost files held, as the log has it; None where it does not say.
        ranges: columns file, symbol_from, symbol_to, session_from, session_to, rows: what the log
            says of each lost file.
        sessions: columns CHANGED: which symbol-sessions lose how many rows, as far as former
            versions of the same folders tell; `rows_after` is what is left.
        left: columns symbol, session, rows: what whole files hold of the sessions between the first
            and the last of the lost ones.
    """

    lost: Mapping[str, str]
    log: str
    rows: int | None
    ranges: pl.DataFrame
    sessions: pl.DataFrame
    left: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LEFT))

    @property
    def none(self) -> bool:
        """Whether the table is whole."""
        return not self.lost and not self.log


class VersionedTable(Protocol):
    """One dataset of a lake.

    Writers in other processes may go on meanwhile; each step is one commit or several whole ones,
    and a process that dies on the way leaves the table whole.
    """

    def history(self) -> list[TableVersion]:
        """Commits that the log still holds, newest first.

        Raises:
            DatasetMissingError: nothing was ever written.
        """
        ...

    def version_of(self, version: int | None, at: datetime | None) -> int:
        """The version of a number, or the newest of a moment, UTC; the newest where both are None.

        Raises:
            VersionGoneError: there is no such version, or nothing was written by then.
        """
        ...

    def read(
        self,
        version: int | None = None,
        at: datetime | None = None,
        *,
        symbols: Sequence[str] | None = None,
        start: datetime | date | None = None,
        end: datetime | date | None = None,
        sessions: tuple[date, date] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows of a version, sorted as the dataset is; the range as in `BarStore.scan`.

        Raises:
            VersionGoneError: there is no such version, or vacuum has removed its files.
        """
        ...

    def footprint(self) -> Footprint:
        """How large the table is."""
        ...

    def optimize(self) -> Tended:
        """One file for each folder, sorted, and a checkpoint of the log; no row changes.

        Raises:
            StoreConflictError: other writers won every attempt.
        """
        ...

    def vacuum(
        self, keep: timedelta = RETENTION, *, dry_run: bool = True, force: bool = False
    ) -> Tended:
        """Remove files that no version of `keep` needs.

        Args:
            keep: how far back versions stay whole.
            dry_run: only tell which would go.
            force: `keep` may be shorter than RETENTION.

        Raises:
            ConfigurationError: `keep` is too short.
        """
        ...

    def restore(
        self, version: int | None = None, at: datetime | None = None, *, dry_run: bool = True
    ) -> Tended:
        """Make the table hold what a former version held, as a new version.

        Raises:
            VersionGoneError: there is no such version, or vacuum has removed its files.
            StoreConflictError: other writers won every attempt.
        """
        ...

    def damage(self, *, thorough: bool = False) -> Damage:
        """What is wrong with the table; `thorough` reads every file whole."""
        ...

    def repair(self, *, thorough: bool = False) -> tuple[Damage, Tended]:
        """Go on without what is lost: lost files leave the table, a broken log its last commits.

        Raises:
            UnsupportedOperationError: it cannot be mended here; the message says what can.
        """
        ...
