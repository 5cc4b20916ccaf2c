"""Small tables that are replaced whole: instruments, trading sessions, corporate actions.

What belongs here: writing and reading such a table as Delta. The same content again writes
nothing, so that a version of the table means a change.
What does not: tables that are replaced slice by slice (delta_bar_store.py).
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

import polars as pl
from filelock import FileLock

from adapters.disk import writing_to
from adapters.stores.object_settings import options_of
from adapters.stores.objects import for_delta, is_remote, reaching
from market_data.errors import ConfigurationError, StoreConflictError

ATTEMPTS = 20
"""Of a commit, where other writers came first."""
TABLES = ("reference/instruments", "reference/trading_sessions", "reference/corporate_actions")


class ReferenceStore(Protocol):
    """What keeps the tables of `TABLES`."""

    def uri(self, name: str) -> str:
        """Where a table lies."""
        ...

    def put(self, name: str, frame: pl.DataFrame) -> bool:
        """Make a table hold exactly these rows; returns whether anything was written."""
        ...

    def get(self, name: str) -> pl.DataFrame:
        """The rows of a table; FileNotFoundError where it was never written."""
        ...


class ReferenceTables:
    """Keeps the tables of `TABLES` below one folder, or one URI of an object store."""

    def __init__(self, root: str | Path) -> None:
        self._root = str(root)
        self._remote = is_remote(root)

    def __repr__(self) -> str:
        return f"ReferenceTables({self._root!r})"

    def uri(self, name: str) -> str:
        """Where a table lies.

        Raises:
            ConfigurationError: there is no such table.
        """
        if name not in TABLES:
            raise ConfigurationError(f"no reference table {name!r}; there are: {', '.join(TABLES)}")
        return f"{self._root}/{name}"

    def put(self, name: str, frame: pl.DataFrame) -> bool:
        """Make the table hold exactly these rows; returns whether anything was written.

        Raises:
            StorageError: the disk takes no more.
        """
        with writing_to(self.uri(name)):
            return self._put(name, frame)

    def _put(self, name: str, frame: pl.DataFrame) -> bool:
        uri = self.uri(name)
        if self._remote:
            return self._put_anew(uri, name, frame)
        Path(uri).mkdir(parents=True, exist_ok=True)
        with FileLock(f"{uri}.lock"):
            return self._write(uri, name, frame)

    def _put_anew(self, uri: str, name: str, frame: pl.DataFrame) -> bool:
        """Where nobody queues at a lock, the one whose commit came second looks again."""
        from deltalake.exceptions import CommitFailedError

        for _ in range(ATTEMPTS):
            try:
                with reaching(uri):
                    return self._write(uri, name, frame)
            except CommitFailedError:
                continue
        raise StoreConflictError(f"{uri}: other writers committed first {ATTEMPTS} times in a row")

    def _write(self, uri: str, name: str, frame: pl.DataFrame) -> bool:
        from deltalake import DeltaTable, write_deltalake

        options = self._options()
        if DeltaTable.is_deltatable(uri, options) and self.get(name).equals(frame):
            return False
        # Batches are written side by side, in no order; one batch keeps that of the rows.
        rows = frame.rechunk().to_arrow()
        write_deltalake(
            uri, rows, mode="overwrite", schema_mode="overwrite", storage_options=options
        )
        return True

    def _options(self) -> dict[str, str] | None:
        return for_delta(options_of(self._root))

    def get(self, name: str) -> pl.DataFrame:
        """The rows of the table.

        Raises:
            FileNotFoundError: it has never been written.
            StoreUnavailableError: the object store does not answer, or refuses.
        """
        from deltalake import DeltaTable

        uri, options = self.uri(name), self._options()
        with reaching(uri) if self._remote else nullcontext():
            if not DeltaTable.is_deltatable(uri, options):
                raise FileNotFoundError(f"{name} has not been materialised yet ({uri})")
            if not self._remote:
                return pl.read_delta(uri)
            return pl.DataFrame(
                pl.from_arrow(DeltaTable(uri, storage_options=options).to_pyarrow_table())
            )
