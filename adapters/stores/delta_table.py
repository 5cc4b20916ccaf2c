"""One Delta table as a set of Parquet files: snapshot, read, and atomic change of whole units.

What belongs here: locks, reading, committing, retrying.
What does not: the newest version kept open (delta_handle.py), writing files (table_files.py), which
rows a unit shall hold (delta_bar_store.py, delta_raw_log.py), how rows map to units (units.py),
names of datasets (market_data/datasets.py).

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
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import polars as pl

from adapters.disk import writing_to
from adapters.stores.delta_change import Change
from adapters.stores.delta_damage import damaged, lost_among, vacuumed
from adapters.stores.delta_handle import KeptHandle
from adapters.stores.delta_place import TablePlace
from adapters.stores.delta_snapshot import Snapshot, noted, statistics
from adapters.stores.locks import NamedLocks
from adapters.stores.objects import for_polars
from adapters.stores.units import partition_columns, unit_values
from market_data.datasets import Dataset
from market_data.errors import DatasetMissingError, StoreConflictError

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

PLAN_ATTEMPTS = 8
PLAN_ATTEMPTS_WITHOUT_LOCKS = 60
"""On an object store nobody queues: whoever commits first wins, the others plan anew."""
COMMIT_ATTEMPTS = 60


class DeltaFiles:
    """One dataset of a lake.

    Args:
        root: local folder or URI of the lake; the table lies in root/<dataset name>.
        dataset: which dataset.
        storage_options: credentials and settings of an object store.
        repairing: see `for_repair`.
    """

    def __init__(
        self,
        root: Path | str,
        dataset: Dataset,
        storage_options: Mapping[str, str] | None = None,
        *,
        repairing: bool = False,
    ) -> None:
        self.dataset = dataset
        self.place = TablePlace(root, dataset, storage_options, repairing=repairing)
        self._root, self._options = root, storage_options
        self._reading = for_polars(storage_options)
        local = self.place.local is not None
        locked = local and not repairing
        self._locks = NamedLocks(Path(root) / ".locks" / dataset.name if locked else None)
        self._attempts = PLAN_ATTEMPTS if local else PLAN_ATTEMPTS_WITHOUT_LOCKS
        self._guard = threading.RLock()
        self._kept = KeptHandle(self.place)

    def __repr__(self) -> str:
        return f"DeltaFiles({self.place.uri!r})"

    @property
    def is_raw(self) -> bool:
        """Whether its rows are what somebody said, to which others are only ever added."""
        return self.dataset.name.startswith("raw/")

    def for_repair(self) -> DeltaFiles:
        """The same table for a repair that holds `writers_away` of this one.

        It reads a log whose mending has not ended, and takes no locks of its own.
        """
        return DeltaFiles(self._root, self.dataset, self._options, repairing=True)

    # --- snapshot and read ---------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The newest version; version -1 and no files where nothing was ever written."""
        with self._guard:
            return self._kept.snapshot()

    def opened(self, version: int | None = None) -> DeltaTable:
        """The table at a version, the newest where None, through a handle of the caller's own.

        Raises:
            DatasetMissingError: nothing was ever written.
            TableDamagedError: its log cannot be read.
        """
        handle = self.place.open(version)
        if handle is None:
            raise DatasetMissingError(
                f"{self.dataset.name} has no table at {self.place.uri}: nothing was written to it "
                "yet"
            )
        return handle

    def scan(self, files: pl.DataFrame) -> pl.LazyFrame:
        """All columns of some files of a snapshot; a column that an old file lacks is null.

        What is made of it is collected by `collect`.
        """
        paths = [f"{self.place.uri}/{path}" for path in files["path"]]
        if not paths:
            return self.dataset.schema.empty().lazy()
        return pl.scan_parquet(
            paths,
            schema=self.dataset.schema.dtypes,
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
            storage_options=self._reading,
        )

    def collect(self, rows: pl.LazyFrame, files: pl.DataFrame) -> pl.DataFrame:
        """The rows of a scan of some files.

        Raises:
            TableDamagedError: a file is gone or cannot be read; the message names it.
            VersionGoneError: it is one of a former version, which vacuum has removed.
            StoreUnavailableError: the object store does not answer.
        """
        try:
            with self.place.reached():
                return rows.collect()
        except (FileNotFoundError, pl.exceptions.PolarsError) as error:
            lost = lost_among(self.place.files, files, thorough=True)
            if not lost:
                raise
            now = set(self.snapshot().files["path"])
            if current := {path: what for path, what in lost.items() if path in now}:
                raise damaged(self.place, files, current) from error
            raise vacuumed(self.place, lost) from error

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
        with writing_to(self.place.uri), self._locks.hold(units):
            for attempt in range(self._attempts):
                snapshot = self.snapshot()
                with self.place.files.removed_on_error() as written:
                    change = plan(snapshot)
                    if change is not None:
                        self._leave_traces(change, written)
                if change is None or self._commit(snapshot, change, metadata):
                    return
                # Not whatever the change takes in: a restore takes in files of former versions.
                self.place.files.remove(written)
                _back_off(attempt)
        raise StoreConflictError(
            f"{self.dataset.name}: other writers changed the same units {self._attempts} times in "
            "a row; run again, or let fewer processes write the same slice"
        )

    def _leave_traces(self, change: Change, written: Sequence[str]) -> None:
        """A file without rows, that no version names, in each unit that gets no other new file.

        Rows that only leave, or come back in files of former versions, would leave no sign if the
        log were lost; a repair counts the unit as changed (delta_log_repair.py).
        """
        if not self.is_raw:
            for unit in change.untold(tuple(written)):
                path = f"{unit}/{uuid4().hex}.parquet"
                self.place.files.write(path, self.dataset.schema.empty())

    def write(self, unit: str, frame: pl.DataFrame, *, data_change: bool = True) -> AddAction:
        """Write one file into a unit; it counts for nothing until it is committed.

        Args:
            unit: where.
            frame: rows of the dataset, sorted by `dataset.sort`.
            data_change: false where the same rows are only laid out anew.
        """
        from deltalake.transaction import AddAction

        with self._guard:
            if not self._kept.is_open:
                # The log comes before the first file: files without one mean that it was lost.
                self._kept.ready()
        path = f"{unit}/{uuid4().hex}.parquet"
        size = self.place.files.write(path, frame)
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
        self.opened()
        with self.writers_away():
            yield self.opened()  # anew: its log may have been mended while writers ended

    @contextmanager
    def writers_away(self) -> Iterator[None]:
        """No writer of this lake works on the table; on an object store nothing keeps them away.

        Raises:
            StoreConflictError: a writer kept on too long.
            StorageError: the disk can only be read, or fails.
        """
        with writing_to(self.place.uri), self._locks.hold_every(), self._locks.hold_commit():
            yield

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
                    handle = self._kept.ready()
                    newest = self.snapshot()
                    if change.seen(newest) != expected:
                        # Of a commit that landed, the answer may be lost: its files are in use.
                        return change.is_in(newest)
                    with self.place.reached():
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


def _back_off(attempt: int) -> None:
    """Wait a random moment that grows with the attempts."""
    time.sleep(random.uniform(0.0, min(0.5, 0.005 * 2**attempt)))  # noqa: S311 - not a secret
