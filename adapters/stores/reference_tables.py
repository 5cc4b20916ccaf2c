"""Small tables that are replaced whole: instruments, trading sessions, corporate actions.

What belongs here: writing and reading such a table as Delta. The same content again writes
nothing, so that a version of the table means a change.
What does not: tables that are replaced slice by slice (delta_bar_store.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import polars as pl
from filelock import FileLock

from adapters.disk import writing_to
from market_data.errors import ConfigurationError

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
    """Keeps the tables of `TABLES` below one folder."""

    def __init__(self, root: str | Path) -> None:
        self._root = str(root)

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
        from deltalake import DeltaTable, write_deltalake

        uri = self.uri(name)
        Path(uri).mkdir(parents=True, exist_ok=True)
        with FileLock(f"{uri}.lock"):
            if DeltaTable.is_deltatable(uri) and self.get(name).equals(frame):
                return False
            # Batches are written side by side, in no order; one batch keeps that of the rows.
            rows = frame.rechunk().to_arrow()
            write_deltalake(uri, rows, mode="overwrite", schema_mode="overwrite")
        return True

    def get(self, name: str) -> pl.DataFrame:
        """The rows of the table.

        Raises:
            FileNotFoundError: it has never been written.
        """
        from deltalake import DeltaTable

        uri = self.uri(name)
        if not DeltaTable.is_deltatable(uri):
            raise FileNotFoundError(f"{name} has not been materialised yet ({uri})")
        return pl.read_delta(uri)
