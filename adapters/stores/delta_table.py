"""One Delta table as a set of Parquet files: snapshot, read, and atomic change of whole units.

What belongs here: opening, locks, snapshots, committing, retrying.
What does not: writing files (table_files.py), which rows a unit shall hold (delta_bar_store.py,
delta_raw_log.py), how rows map to units (units.py), names of datasets (market_data/datasets.py).

A change is planned on one snapshot, its files are written beside the old ones, and one commit takes
the new ones in and the old ones out. The commit is only ever tried on top of a version in which the
changed units still hold the files that the plan was made from, so that no writer, ours or foreign,
can be overwritten unseen. A process that dies on the way leaves files that no version names; vacuum
removes them. On a local path writers of one unit queue at a file lock, which the system drops with
the process; on an object store the check at commit alone decides.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import polars as pl

from adapters.disk import writing_to
from adapters.stores.delta_snapshot import Snapshot, files_frame, noted, nothing, statistics
from adapters.stores.locks import NamedLocks
from adapters.stores.table_files import TableFiles
from adapters.stores.units import partition_columns, unit_values
from market_data.datasets import Dataset
from market_data.errors import DatasetMissingError, StoreConflictError

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

PLAN_ATTEMPTS = 8
COMMIT_ATTEMPTS = 60
CHECKPOINT_EVERY = "50"


@dataclass(frozen=True)
class Change:
    """Files that one commit takes in and out.

    Attributes:
        units: units whose content the plan depends on.
        action: what the writer did, as history shows it.
        beside: predicate over `Snapshot.files`: files elsewhere that the plan depends on as well.
    """

    units: Sequence[str]
    action: str
    adds: list[AddAction] = field(default_factory=list)
    removes: list[RemoveAction] = field(default_factory=list)
    beside: pl.Expr = field(default_factory=lambda: pl.lit(value=False))

    def seen(self, snapshot: Snapshot) -> set[str]:
        """The files that the plan was made from, where it was made on this snapshot."""
        mine = pl.col("unit").is_in(self.units) | self.beside
        return set(snapshot.files.filter(mine)["path"])


class DeltaFiles:
    """One dataset of a lake.

    Args:
        root: local folder or URI of the lake; the table lies in root/<dataset name>.
        dataset: which dataset.
        storage_options: credentials and settings of an object store.
    """

    def __init__(
        self, root: Path | str, dataset: Dataset, storage_options: Mapping[str, str] | None = None
    ) -> None:
        self.dataset = dataset
        self._options = dict(storage_options or {}) or None
        self._local = None if "://" in str(root) else Path(root) / dataset.name
        self._uri = str(self._local or f"{str(root).rstrip('/')}/{dataset.name}")
        self._files = TableFiles(self._local, self._uri, self._options)
        self._locks = NamedLocks(self._local and Path(root) / ".locks" / dataset.name)
        self._guard = threading.RLock()
        self._handle: DeltaTable | None = None
        self._snapshot = nothing(dataset)

    # --- snapshot and read ---------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The newest version; version -1 and no files where nothing was ever written."""
        with self._guard:
            handle = self._refreshed()
            if handle is None:
                return nothing(self.dataset)
            if handle.version() != self._snapshot.version:
                self._snapshot = Snapshot(handle.version(), files_frame(handle, self.dataset))
            return self._snapshot

    def opened(self) -> DeltaTable:
        """The table at its newest version, through a handle of the caller's own.

        Raises:
            DatasetMissingError: nothing was ever written.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self._uri, storage_options=self._options)
        except TableNotFoundError as error:
            raise DatasetMissingError(
                f"{self.dataset.name} has no table at {self._uri}: nothing was written to it yet"
            ) from error

    def scan(self, files: pl.DataFrame) -> pl.LazyFrame:
        """All columns of some files of a snapshot; a column that an old file lacks is null."""
        paths = [f"{self._uri}/{path}" for path in files["path"]]
        if not paths:
            return self.dataset.schema.empty().lazy()
        return pl.scan_parquet(
            paths,
            schema=self.dataset.schema.dtypes,
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
            storage_options=self._options,
        )

    def _refreshed(self) -> DeltaTable | None:
        """The kept handle moved to the newest version; opening anew costs several times more."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        if self._handle is not None:
            try:
                self._handle.update_incremental()
            except DeltaError:  # its version was cleaned from the log, or the table was replaced
                self._handle, self._snapshot = None, nothing(self.dataset)
        if self._handle is None:
            try:
                self._handle = DeltaTable(self._uri, storage_options=self._options)
            except TableNotFoundError:
                return None
        return self._handle

    # --- change --------------------------------------------------------------------------------

    def change(
        self,
        units: Sequence[str],
        plan: Callable[[Snapshot], Change | None],
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Plan on a snapshot and commit, anew where another writer changed the units meanwhile.

        Args:
            units: units that the plan may read or change.
            plan: writes files with `write` and names them; None when there is nothing to do.
            metadata: kept with the commit.

        Raises:
            StoreConflictError: other writers won every attempt.
            StorageError: the disk takes no more; the table is as it was.
        """
        with writing_to(self._uri), self._locks.hold(units):
            for attempt in range(PLAN_ATTEMPTS):
                snapshot = self.snapshot()
                with self._files.removed_on_error():
                    change = plan(snapshot)
                if change is None or self._commit(snapshot, change, metadata):
                    return
                self._files.remove(add.path for add in change.adds)
                _back_off(attempt)
        raise StoreConflictError(
            f"{self.dataset.name}: other writers changed the same units {PLAN_ATTEMPTS} times in a "
            "row; run again, or let fewer processes write the same slice"
        )

    def write(self, unit: str, frame: pl.DataFrame, *, data_change: bool = True) -> AddAction:
        """Write one file into a unit; it counts for nothing until it is committed.

        Args:
            unit: where.
            frame: rows of the dataset, sorted by `dataset.sort`.
            data_change: false where the same rows are only laid out anew.
        """
        from deltalake.transaction import AddAction

        path = f"{unit}/{uuid4().hex}.parquet"
        size = self._files.write(path, frame)
        now = int(time.time() * 1000)
        return AddAction(
            path, size, unit_values(unit), now, data_change, statistics(frame, noted(self.dataset))
        )

    def remove(self, file: Mapping[str, Any], *, data_change: bool = True) -> RemoveAction:
        """Take a file of a snapshot (a row of `Snapshot.files`) out of the table."""
        from deltalake.transaction import RemoveAction

        now = int(time.time() * 1000)
        return RemoveAction(file["path"], data_change, now, file["size"], unit_values(file["unit"]))

    @contextmanager
    def alone(self) -> Iterator[DeltaTable]:
        """The table while no writer of this lake works on it.

        Raises:
            DatasetMissingError: nothing was ever written.
            StoreConflictError: a writer kept on too long.
            StorageError: the disk can only be read, or fails.
        """
        table = self.opened()
        with writing_to(self._uri), self._locks.hold_every(), self._locks.hold_commit():
            table.update_incremental()
            yield table

    def _commit(
        self, planned: Snapshot, change: Change, metadata: Mapping[str, str] | None
    ) -> bool:
        """Commit on the newest version; False where it no longer holds what was planned on."""
        from deltalake import CommitProperties
        from deltalake.exceptions import CommitFailedError

        properties = CommitProperties(
            custom_metadata={**(metadata or {}), "action": change.action},
            max_commit_retries=0,  # every other winner is looked at before the next attempt
        )
        expected = change.seen(planned)
        columns = list(partition_columns(self.dataset.layout))
        with self._locks.hold_commit(), self._guard:
            for attempt in range(COMMIT_ATTEMPTS):
                try:
                    handle = self._ready()
                    if change.seen(self.snapshot()) != expected:
                        return False
                    handle.create_write_transaction(
                        [*change.adds, *change.removes],
                        "append",
                        handle.schema(),
                        columns,
                        commit_properties=properties,
                    )
                except CommitFailedError:
                    _back_off(attempt)
                else:
                    return True
        raise StoreConflictError(
            f"{self.dataset.name}: other writers committed first {COMMIT_ATTEMPTS} times in a row"
        )

    def _ready(self) -> DeltaTable:
        """The handle, the table made where it is absent, columns added that it does not know."""
        from deltalake import DeltaTable, Schema
        from deltalake.exceptions import DeltaError

        handle = self._refreshed()
        columns = partition_columns(self.dataset.layout)
        wanted = Schema.from_arrow(
            pl.DataFrame(schema={**self.dataset.schema.dtypes, **columns})
            .to_arrow(compat_level=pl.CompatLevel.oldest())
            .schema
        )
        if handle is None:
            try:
                self._handle = DeltaTable.create(
                    self._uri,
                    wanted,
                    partition_by=list(columns),
                    configuration={
                        "delta.checkpointInterval": CHECKPOINT_EVERY,
                        "delta.dataSkippingStatsColumns": ",".join(noted(self.dataset)),
                    },
                    storage_options=self._options,
                )
            except DeltaError:  # another process made it first
                self._handle = self.opened()
            return self._handle
        known = {column.name for column in handle.schema().fields}
        if missing := [column for column in wanted.fields if column.name not in known]:
            handle.alter.add_columns(missing)
        return handle


def _back_off(attempt: int) -> None:
    """Wait a random moment that grows with the attempts."""
    time.sleep(random.uniform(0.0, min(0.5, 0.005 * 2**attempt)))  # noqa: S311 - not a secret
