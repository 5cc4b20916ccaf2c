"""Small tables that are replaced whole: instruments, trading sessions, corporate actions.

What belongs here: writing and reading such a table as one of TimescaleDB's database. The same
content again writes nothing.
What does not: tables that are replaced slice by slice (bar_store.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from adapters.stores.reference_tables import TABLES
from adapters.timescale.connection import Connections
from market_data.errors import ConfigurationError


class TimescaleReferenceTables:
    """Keeps the reference tables in the schema `reference`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def __repr__(self) -> str:
        return f"TimescaleReferenceTables({self._connections.settings.shown})"

    def uri(self, name: str) -> str:
        """Where a table lies.

        Raises:
            ConfigurationError: there is no such table.
        """
        return f"{self._connections.settings.shown}/{_table(name)}"

    def put(self, name: str, frame: pl.DataFrame) -> bool:
        """Make the table hold exactly these rows; returns whether anything was written."""
        table = _table(name)

        def once() -> bool:
            with self._connections.arrow(writing=True) as cursor:
                cursor.execute(
                    "select pg_advisory_xact_lock(hashtextextended($1, 0))", (f"emp {name}",)
                )
                cursor.fetchall()
                known = _content(cursor, table, frame.columns)
                if known is not None and _same(known, frame):
                    return False
                cursor.execute(f'drop table if exists reference."{table}"')
                arrow = frame.with_row_index("row_number").to_arrow(
                    compat_level=pl.CompatLevel.oldest()
                )
                cursor.adbc_ingest(table, arrow, mode="create", db_schema_name="reference")
                return True

        return self._connections.retrying(once)

    def get(self, name: str) -> pl.DataFrame:
        """The rows of the table.

        Raises:
            FileNotFoundError: it has never been written.
        """
        table = _table(name)

        def once() -> pl.DataFrame | None:
            with self._connections.arrow(writing=False) as cursor:
                return _content(cursor, table, None)

        found = self._connections.retrying(once)
        if found is None:
            raise FileNotFoundError(f"{name} has not been materialised yet ({self.uri(name)})")
        return found


def _table(name: str) -> str:
    if name not in TABLES:
        raise ConfigurationError(f"no reference table {name!r}; there are: {', '.join(TABLES)}")
    return name.split("/")[1]


def _content(cursor: Any, table: str, columns: Sequence[str] | None) -> pl.DataFrame | None:
    cursor.execute("select to_regclass($1)::text", (f'reference."{table}"',))
    if cursor.fetchone()[0] is None:
        return None
    cursor.execute(f'select * from reference."{table}" order by row_number')  # noqa: S608
    frame = pl.DataFrame(cursor.fetch_arrow_table())
    rows = frame.drop("row_number")
    if columns is not None and rows.columns != list(columns):
        return None
    return rows


def _same(known: pl.DataFrame, frame: pl.DataFrame) -> bool:
    return known.cast(dict(frame.schema)).equals(frame)  # type: ignore[arg-type]
