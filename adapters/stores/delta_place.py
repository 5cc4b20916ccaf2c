"""Where a Delta table lies: opening it at a version, making it, and the errors of a damaged log.

What belongs here: everything that depends on folder or object store but the data files.
What does not: data files (table_files.py), what a version holds (delta_snapshot.py), changes
(delta_table.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from adapters.disk import refusal
from adapters.stores.delta_mending import Mended, Mending
from adapters.stores.delta_snapshot import noted
from adapters.stores.delta_transport import is_transport
from adapters.stores.objects import Objects, Options, for_delta, is_remote, reaching
from adapters.stores.table_files import TableFiles
from adapters.stores.units import partition_columns
from market_data.datasets import Dataset
from market_data.errors import StorageError, TableDamagedError

if TYPE_CHECKING:
    from deltalake import DeltaTable, Schema

CHECKPOINT_EVERY = "50"
LOG = "_delta_log"
_ASIDE = ".damaged-"


class TablePlace:
    """Where the table of a dataset lies.

    Args:
        root: local folder or s3:// URI of the lake; the table lies in root/<dataset name>.
        dataset: which dataset.
        options: credentials and settings of an object store.
        repairing: a repair works on it, which opens a log as well whose mending has not ended.

    Attributes:
        uri: of the table; a path where it is local.
        local: its folder; None on an object store.
        files: its data files.
        mending: the note that its log was mended.
    """

    def __init__(
        self,
        root: Path | str,
        dataset: Dataset,
        options: Options | None = None,
        *,
        repairing: bool = False,
    ) -> None:
        self.dataset = dataset
        self.local = None if is_remote(root) else Path(root) / dataset.name
        self.uri = str(self.local or f"{str(root).rstrip('/')}/{dataset.name}")
        self.files = TableFiles(self.local, self.uri, options)
        self.mending = Mending(self.local, self.uri, options)
        self._options = options
        self._repairing = repairing

    def __repr__(self) -> str:
        return f"TablePlace({self.uri!r})"

    def open(self, version: int | None = None) -> DeltaTable | None:
        """The table at a version, the newest where None; None where nothing was ever written.

        Raises:
            TableDamagedError: its log cannot be read, is gone while data files are there, or was
                mended and its rows are not all there yet.
            StoreUnavailableError: the object store does not answer.
        """
        while True:
            mended = self.mended()
            handle = self._open(version)
            if self.mended() == mended:
                return handle

    def _open(self, version: int | None) -> DeltaTable | None:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        with self.reached():
            try:
                return DeltaTable(self.uri, version, storage_options=for_delta(self._options))
            except TableNotFoundError:
                if not self.files.stored():
                    return None
                raise self._damaged("its log is gone, data files are there") from None
            except DeltaError as error:
                if self.local is None and is_transport(error):
                    raise OSError(_first_line(error)) from error  # typed by `reached`
                raise self._damaged(f"its log cannot be read: {_first_line(error)}") from error

    def mended(self) -> Mended:
        """The last mending of the log, for whoever keeps the table open: another one, other rows.

        Raises:
            TableDamagedError: it has not ended.
            StoreUnavailableError: the object store does not answer.
        """
        last = self.mending.last()
        if not last.ended and not self._repairing:
            raise self._damaged(
                "its log is being mended at this moment, or its repair was killed and is to be run "
                "again: its rows are not all there"
            )
        return last

    def create(self) -> DeltaTable | None:
        """A new, empty table; None where another process made one at this moment.

        Raises:
            StorageError: none can be made there.
            StoreUnavailableError: the object store does not answer.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        columns = partition_columns(self.dataset.layout)
        with self.reached():
            try:
                return DeltaTable.create(
                    self.uri,
                    self.schema(),
                    partition_by=list(columns),
                    configuration={
                        "delta.checkpointInterval": CHECKPOINT_EVERY,
                        "delta.dataSkippingStatsColumns": ",".join(noted(self.dataset)),
                    },
                    storage_options=for_delta(self._options),
                )
            except DeltaError as error:
                if self._open(None) is not None:
                    return None
                told = refusal(error, self.uri)
                raise StorageError(
                    told or f"no table can be made at {self.uri}: {_first_line(error)}"
                ) from error

    def schema(self) -> Schema:
        """The columns of the dataset and of its partitions, as the log words them."""
        from deltalake import Schema

        columns = partition_columns(self.dataset.layout)
        return Schema.from_arrow(
            pl.DataFrame(schema={**self.dataset.schema.dtypes, **columns})
            .to_arrow(compat_level=pl.CompatLevel.oldest())
            .schema
        )

    def log_files(self, folder: str = LOG) -> list[str]:
        """Names of the files of the log: commits, checkpoints and the hint at the newest one.

        Args:
            folder: the log, or one of `folders_aside`.
        """
        if self.local is not None:
            place = self.local / folder
            return sorted(f.name for f in place.iterdir()) if place.is_dir() else []
        found = Objects(f"{self.uri}/{folder}", self._options).below()
        return sorted(o["path"] for o in found if "/" not in o["path"])

    def log_file(self, name: str, folder: str = LOG) -> bytes:
        """The content of one of them.

        Raises:
            FileNotFoundError: there is none.
        """
        if self.local is not None:
            return (self.local / folder / name).read_bytes()
        return Objects(f"{self.uri}/{folder}", self._options).get(name)

    def folders_aside(self) -> list[str]:
        """Folders with files of the log that repairs laid aside."""
        if self.local is not None:
            return sorted(f.name for f in self.local.glob(f"{_ASIDE}*") if f.is_dir())
        found = Objects(self.uri, self._options).below()
        folders = {str(o["path"]).partition("/")[0] for o in found}
        return sorted(folder for folder in folders if folder.startswith(_ASIDE))

    def lay_aside(self, names: list[str], moment: datetime) -> str:
        """Move files of the log to a folder that no reader looks into; returns where that is."""
        folder = f"{_ASIDE}{moment:%Y%m%dT%H%M%SZ}"
        if self.local is not None:
            target = self.local / folder
            target.mkdir(parents=True, exist_ok=True)
            for name in names:
                (self.local / LOG / name).replace(target / name)
            return str(target)
        log = Objects(f"{self.uri}/{LOG}", self._options)
        aside = Objects(f"{self.uri}/{folder}", self._options)
        for name in names:
            aside.put(name, log.get(name))
            log.remove([name])
        return aside.uri

    def commit_file(self, version: int) -> tuple[int, int] | None:
        """What tells the commit of a version from another of its number, on a disk."""
        if self.local is None:
            return None
        try:
            found = (self.local / LOG / f"{version:020d}.json").stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Typed errors where an object store does not answer.

        Raises:
            StoreUnavailableError: it does not.
        """
        with nullcontext() if self.local is not None else reaching(self.uri):
            yield

    def _damaged(self, what: str) -> TableDamagedError:
        name = self.dataset.name
        return TableDamagedError(
            f"the table {name} at {self.uri} is damaged: {what}. Put its folder back from a "
            f"backup, or mend it: 'emp lake repair {name}' says what that would cost"
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
