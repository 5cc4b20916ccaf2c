"""Where a Delta table lies: opening it at a version, making it, and the errors of a damaged log.

What belongs here: everything that depends on folder or object store but the data files.
What does not: data files (table_files.py), what a version holds (delta_snapshot.py), changes
(delta_table.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from adapters.stores.delta_snapshot import noted
from adapters.stores.objects import Objects, Options, for_delta, is_remote, reaching
from adapters.stores.table_files import TableFiles
from adapters.stores.units import partition_columns
from market_data.datasets import Dataset
from market_data.errors import TableDamagedError

if TYPE_CHECKING:
    from deltalake import DeltaTable, Schema

CHECKPOINT_EVERY = "50"
LOG = "_delta_log"


class TablePlace:
    """Where the table of a dataset lies.

    Args:
        root: local folder or s3:// URI of the lake; the table lies in root/<dataset name>.
        dataset: which dataset.
        options: credentials and settings of an object store.

    Attributes:
        uri: of the table; a path where it is local.
        local: its folder; None on an object store.
        files: its data files.
    """

    def __init__(self, root: Path | str, dataset: Dataset, options: Options | None = None) -> None:
        self.dataset = dataset
        self.local = None if is_remote(root) else Path(root) / dataset.name
        self.uri = str(self.local or f"{str(root).rstrip('/')}/{dataset.name}")
        self.files = TableFiles(self.local, self.uri, options)
        self._options = options

    def __repr__(self) -> str:
        return f"TablePlace({self.uri!r})"

    def open(self, version: int | None = None) -> DeltaTable | None:
        """The table at a version, the newest where None; None where nothing was ever written.

        Raises:
            TableDamagedError: its log cannot be read, or is gone while data files are there.
            StoreUnavailableError: the object store does not answer.
        """
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
                raise self._damaged(f"its log cannot be read: {_first_line(error)}") from error

    def create(self) -> DeltaTable | None:
        """A new, empty table; None where another process makes one at this moment."""
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
            except DeltaError:
                return None

    def schema(self) -> Schema:
        """The columns of the dataset and of its partitions, as the log words them."""
        from deltalake import Schema

        columns = partition_columns(self.dataset.layout)
        return Schema.from_arrow(
            pl.DataFrame(schema={**self.dataset.schema.dtypes, **columns})
            .to_arrow(compat_level=pl.CompatLevel.oldest())
            .schema
        )

    def log_files(self) -> list[str]:
        """Names of the files of the log: commits, checkpoints and the hint at the newest one."""
        if self.local is not None:
            folder = self.local / LOG
            return sorted(f.name for f in folder.iterdir()) if folder.is_dir() else []
        found = Objects(f"{self.uri}/{LOG}", self._options).below()
        return sorted(o["path"] for o in found if "/" not in o["path"])

    def lay_aside(self, names: list[str], folder: str) -> str:
        """Move files of the log to a folder that no reader looks into; returns where that is."""
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

    def mark(self, name: str) -> None:
        """Leave a mark of this name beside the log; the same again changes nothing."""
        if self.local is not None:
            self.local.mkdir(parents=True, exist_ok=True)
            (self.local / name).touch()
        else:
            Objects(self.uri, self._options).put(name, b"")

    def is_marked(self, name: str) -> bool:
        """Whether a mark of this name is there."""
        if self.local is not None:
            return (self.local / name).exists()
        return Objects(self.uri, self._options).size(name) is not None

    def unmark(self, name: str) -> None:
        """Take a mark away."""
        if self.local is not None:
            (self.local / name).unlink(missing_ok=True)
        else:
            Objects(self.uri, self._options).remove([name])

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
