"""Curated datasets and scores on TimescaleDB.

What belongs here: the promises of `market_data.ports.BarStore`, made of statements.
What does not: the statements (reading.py, writing.py), connections (connection.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NoReturn

import polars as pl

from adapters.stores.neighbours import COLUMNS, Edge, edges, refuse_shared
from adapters.stores.slices import checked_slice, limit
from adapters.timescale.connection import Connections
from adapters.timescale.errors import LostRaceError, RepeatedKeyError
from adapters.timescale.reading import (
    Conditions,
    fetch,
    select_counts,
    select_latest,
    select_range,
    select_version,
)
from adapters.timescale.tables import table_of
from adapters.timescale.writing import Slice, write
from market_data.datasets import Dataset
from market_data.errors import SchemaError, UnsupportedOperationError
from market_data.ports import TableVersion
from market_data.ports.lake import VersionedTable


class TimescaleStore:
    """Keeps each dataset in one hypertable."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def __repr__(self) -> str:
        return f"TimescaleStore({self._connections.settings.shown})"

    def replace(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,
        *,
        sessions: tuple[date, date],
        symbols: Sequence[str],
        unless_changed_since: str | None = None,
    ) -> int:
        """Make the slice hold exactly these rows, see the port.

        Raises:
            ConfigurationError: there is no such dataset.
            SchemaError: the frame is not such a slice.
            SessionConflictError: another session holds a bar of the frame.
            SliceChangedError: the version is not `unless_changed_since`.
            StoreUnavailableError: the server stayed away; the slice is as it was.
        """
        table_of(dataset)
        rows = checked_slice(dataset, frame, sessions, symbols)
        slice_ = Slice(dataset, rows, sessions, symbols)
        if not slice_.symbols:
            return 0
        seen = unless_changed_since and unless_changed_since.removeprefix(self._token(""))
        attempts = 0

        def once() -> None:
            nonlocal attempts
            attempts += 1
            try:
                with self._connections.arrow(writing=True) as cursor:
                    write(cursor, slice_, unless_changed_since=seen, again=attempts > 1)
            except RepeatedKeyError as error:
                outer = edges(dataset, rows, sessions)
                refuse_shared(dataset, outer, lambda edge: self._beside(dataset, edge))
                # Whoever held the key has let it go.
                raise LostRaceError(str(error)) from None

        self._connections.retrying(once)
        return rows.height

    def scan(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        start: datetime | date | None = None,
        end: datetime | date | None = None,
        sessions: tuple[date, date] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows sorted by (symbol, time) of one snapshot, see the port.

        Raises:
            SchemaError: a time limit without a zone, or a column that the dataset has not.
            StoreUnavailableError: no answer, or not within TIMESCALEDB_STATEMENT_TIMEOUT_MS.
        """
        if unknown := [name for name in columns or () if name not in dataset.schema.names]:
            raise SchemaError(f"{dataset.name} has no column {', '.join(unknown)}")
        where = Conditions()
        if symbols is not None:
            where.among(symbols)
        kind = "timestamptz" if dataset.time_column == "ts" else "date"
        for sign, bound in ((">=", limit(dataset, start)), ("<", limit(dataset, end))):
            if bound is not None:
                where.add(f"{dataset.time_column} {sign} {{}}::{kind}", bound)
        if sessions is not None:
            where.within(dataset, sessions)
        return self._select(dataset, select_range(dataset, where, columns), where)

    def latest(
        self, dataset: Dataset, *, symbols: Sequence[str] | None = None, rows: int = 1
    ) -> pl.DataFrame:
        """The newest rows of each symbol, sorted by (symbol, time)."""
        if rows < 1:
            return dataset.schema.empty()
        where = Conditions()
        if symbols is not None:
            where.among(symbols)
        else:
            where.add("symbol <> {}::text", "")
        return self._select(dataset, select_latest(dataset, where, rows), where)

    def counts(self, dataset: Dataset) -> pl.DataFrame:
        """Rows per symbol and month of sessions, see the port; every row is looked at."""
        statement = select_counts(dataset)

        def once() -> pl.DataFrame:
            with self._connections.arrow(writing=False) as cursor:
                cursor.execute(statement)
                return pl.DataFrame(cursor.fetch_arrow_table())

        return self._connections.retrying(once)

    def version(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,  # noqa: ARG002  months are the finest grain
        sessions: tuple[date, date] | None = None,
    ) -> str:
        """The revisions of the range's months in one token, see the port.

        Copies of a database, which know the same revisions, have tokens of their own: by where
        they lie and by their number there.
        """
        table_of(dataset)
        first, last = sessions or (date.min, date.max)

        def once() -> str:
            with self._connections.small() as connection:
                found = connection.execute(
                    select_version("%s", "%s", "%s"), (dataset.name, first.replace(day=1), last)
                ).fetchone()
            return self._token(str(found[0]) if found else "")

        return self._connections.retrying(once)

    def history(self, dataset: Dataset) -> list[TableVersion]:
        """TimescaleDB keeps no versions.

        Raises:
            UnsupportedOperationError: always.
        """
        self._refuse(dataset, "keeps no history; the raw log does, read it with as_of")

    def compact(self, dataset: Dataset) -> None:
        """There are no files to merge.

        Raises:
            UnsupportedOperationError: always.
        """
        self._refuse(dataset, "has no files to merge; the server's autovacuum keeps it in shape")

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None:  # noqa: ARG002
        """There are no files to remove.

        Raises:
            UnsupportedOperationError: always.
        """
        self._refuse(dataset, "has no old files; the server's autovacuum frees what is dead")

    def table(self, dataset: Dataset) -> VersionedTable:
        """There are no versions to read or to return to.

        Raises:
            UnsupportedOperationError: always.
        """
        self._refuse(
            dataset,
            "keeps no versions and has no files to look after; 'emp bars --as-of' curates again "
            "from what was known at a moment, 'emp backup' keeps copies",
        )

    def _token(self, version: str) -> str:
        return f"{self._connections.settings.shown}:{version}"

    def _beside(self, dataset: Dataset, edge: Edge) -> pl.DataFrame:
        """The rows that may be those of an edge."""
        first, last = edge.times
        return self.scan(
            dataset,
            symbols=edge.symbols,
            start=first,
            end=last + timedelta(microseconds=1),
            sessions=edge.sessions,
            columns=COLUMNS,
        )

    def _refuse(self, dataset: Dataset, why: str) -> NoReturn:
        raise UnsupportedOperationError(f"{table_of(dataset).name} on TimescaleDB {why}")

    def _select(self, dataset: Dataset, statement: str, where: Conditions) -> pl.DataFrame:
        def once() -> pl.DataFrame:
            with self._connections.arrow(writing=False) as cursor:
                return fetch(cursor, dataset, statement, where.values)

        return self._connections.retrying(once)
