"""Curated datasets on Delta Lake.

What belongs here: the promises of `market_data.ports.BarStore`, made of units and files.
What does not: locks, commits and retries (delta_table.py), the cut into units (units.py).

A unit holds one file, sorted by (symbol, time), in row groups of 16k, so that one symbol's year is
a few row groups. A replace rewrites only the units whose rows differ, all of them in one commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path

import polars as pl

from adapters.stores.delta_change import Change
from adapters.stores.delta_lake_table import DeltaLakeTable
from adapters.stores.delta_maintenance import compact, history, vacuum
from adapters.stores.delta_rows import rows_in
from adapters.stores.delta_snapshot import Snapshot
from adapters.stores.delta_table import DeltaFiles
from adapters.stores.neighbours import COLUMNS, Edge, edges, refuse_shared
from adapters.stores.slices import (
    LONGEST_OFFSET,
    checked_slice,
    files_of,
    midnight,
    rows_of,
)
from adapters.stores.units import first_day, may_hold, split, units_of_slice
from market_data.datasets import Dataset
from market_data.errors import SliceChangedError
from market_data.ordering import sort_if_needed
from market_data.ports import TableVersion


class DeltaBarStore:
    """Keeps each dataset as one Delta table under root/<dataset name>.

    Args:
        root: local folder or object-store URI.
        storage_options: credentials and settings of an object store.
    """

    def __init__(self, root: Path | str, storage_options: Mapping[str, str] | None = None) -> None:
        self._root = root
        self._options = storage_options
        self._tables: dict[str, DeltaFiles] = {}

    def replace(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,
        *,
        sessions: tuple[date, date],
        symbols: Sequence[str],
        unless_changed_since: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> int:
        """Make the slice hold exactly these rows, see the port.

        Args:
            dataset: where.
            frame: rows of `dataset.schema`, all of them inside the slice.
            sessions: first and last session of the slice.
            symbols: symbols of the slice.
            unless_changed_since: nothing is written where the slice has another version by now.
            metadata: short notes kept with the commit.

        Raises:
            SchemaError: the frame is not such a slice.
            SessionConflictError: another session holds a bar of the frame.
            SliceChangedError: the version is not `unless_changed_since`.
            StoreConflictError: other writers won every attempt.
        """
        rows = checked_slice(dataset, frame, sessions, symbols)
        parts = split(dataset.layout, rows)
        units = units_of_slice(dataset.layout, sessions, symbols)
        table = self._table(dataset)
        outer = edges(dataset, rows, sessions)
        beside = pl.any_horizontal(pl.lit(value=False), *(edge.files() for edge in outer))

        def plan(snapshot: Snapshot) -> Change | None:
            if unless_changed_since is not None:
                now = self._version_of(dataset, snapshot, symbols, sessions)
                if now != unless_changed_since:
                    raise SliceChangedError(
                        f"{dataset.name}: another writer changed the slice {sessions[0]} to "
                        f"{sessions[1]} since it was read; nothing was written: read it again"
                    )
            refuse_shared(dataset, outer, lambda edge: _beside(table, snapshot, edge))
            change = Change(units, "replace", beside=beside)
            files = snapshot.of(units)
            touched = set(files.filter(files_of(sessions, symbols))["unit"])
            by_unit = {key[0]: part for key, part in files.group_by("unit")}
            for unit in sorted(touched | parts.keys()):
                old = by_unit.get(unit)
                new = parts.get(unit, dataset.schema.empty())
                if old is None:
                    change.adds.append(table.write(unit, new))
                    continue
                known = sort_if_needed(table.collect(table.scan(old), old), dataset.sort)
                inside = rows_of(sessions, symbols)
                if known.filter(inside).equals(new):
                    continue
                merged = sort_if_needed(pl.concat([known.filter(~inside), new]), dataset.sort)
                if not merged.is_empty():
                    change.adds.append(table.write(unit, merged))
                change.removes.extend(table.remove(file) for file in old.iter_rows(named=True))
            return change if change.adds or change.removes else None

        table.change(units, plan, metadata)
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
            TableDamagedError: a data file is gone or cannot be read; the message names it.
        """
        return rows_in(
            self._table(dataset),
            None,
            symbols=symbols,
            start=start,
            end=end,
            sessions=sessions,
            columns=columns,
        )

    def latest(
        self, dataset: Dataset, *, symbols: Sequence[str] | None = None, rows: int = 1
    ) -> pl.DataFrame:
        """The newest rows of each symbol, sorted by (symbol, time); newest files read first."""
        if rows < 1:
            return dataset.schema.empty()
        table = self._table(dataset)
        files = table.snapshot().files
        if symbols is None:
            named = table.scan(files).select(pl.col("symbol").unique())
            symbols = table.collect(named, files)["symbol"].to_list()
        missing = list(dict.fromkeys(symbols))
        found = [dataset.schema.empty()]
        period = pl.col("unit").str.split("/").list.first()
        for name, group in sorted(
            files.group_by(period), reverse=True, key=lambda item: str(item[0][0])
        ):
            if not missing:
                break
            near = group.filter(files_of(None, missing), may_hold(dataset.layout, missing))
            rows_near = table.collect(table.scan(near).filter(rows_of(None, missing)), near)
            newest = (
                sort_if_needed(rows_near, dataset.sort)
                .group_by("symbol", maintain_order=True)
                .tail(rows)
                .select(dataset.schema.names)
            )
            found.append(newest)
            # The periods before hold nothing that is newer than these.
            certain = pl.concat(found).filter(_after(dataset, first_day(str(name[0]))))
            counts = dict(certain.group_by("symbol").len().iter_rows())
            missing = [symbol for symbol in missing if counts.get(symbol, 0) < rows]
        ordered = sort_if_needed(pl.concat(found), dataset.sort)
        return (
            ordered.group_by("symbol", maintain_order=True).tail(rows).select(dataset.schema.names)
        )

    def counts(self, dataset: Dataset) -> pl.DataFrame:
        """Rows per symbol and month of sessions, see the port; two columns are read."""
        table = self._table(dataset)
        files = table.snapshot().files
        counted = (
            table.scan(files)
            .group_by("symbol", month=pl.col("session").dt.month_start())
            .agg(rows=pl.len().cast(pl.Int64))
        )
        return table.collect(counted, files).sort("symbol", "month")

    def version(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> str:
        """The files that may hold the range, in one token: every write makes new ones."""
        return self._version_of(dataset, self._table(dataset).snapshot(), symbols, sessions)

    def _version_of(
        self,
        dataset: Dataset,
        snapshot: Snapshot,
        symbols: Sequence[str] | None,
        sessions: tuple[date, date] | None,
    ) -> str:
        files = snapshot.files.filter(
            files_of(sessions, symbols), may_hold(dataset.layout, symbols)
        )
        paths = "\n".join((str(self._root), dataset.name, *files["path"].sort()))
        return sha256(paths.encode()).hexdigest()

    def history(self, dataset: Dataset) -> list[TableVersion]:
        """Commits, newest first.

        Raises:
            DatasetMissingError: nothing was ever written.
        """
        return history(self._table(dataset))

    def compact(self, dataset: Dataset) -> None:
        """Merge the files of each unit into one sorted file.

        Raises:
            DatasetMissingError: nothing was ever written.
        """
        compact(self._table(dataset))

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None:
        """Remove files that no version within the retention needs.

        Raises:
            DatasetMissingError: nothing was ever written.
        """
        vacuum(self._table(dataset), retention_hours)

    def table(self, dataset: Dataset) -> DeltaLakeTable:
        """Versions and upkeep of a dataset, see `market_data.ports.lake`."""
        return DeltaLakeTable(self._table(dataset))

    def _table(self, dataset: Dataset) -> DeltaFiles:
        known = self._tables.get(dataset.name)
        if known is not None:
            return known
        made = DeltaFiles(self._root, dataset, self._options)
        return self._tables.setdefault(dataset.name, made)


def _after(dataset: Dataset, first: date) -> pl.Expr:
    """Rows that start later than any row of a session before a day."""
    if dataset.time_column != "ts":
        return pl.lit(value=True)
    return pl.col("ts") >= midnight(pl.lit(first)) + LONGEST_OFFSET


def _beside(table: DeltaFiles, snapshot: Snapshot, edge: Edge) -> pl.DataFrame:
    """The rows of a snapshot that may be those of an edge; mostly no file has to be read."""
    layout = table.dataset.layout
    files = snapshot.files.filter(edge.files(), may_hold(layout, edge.symbols))
    if files.is_empty():
        return table.dataset.schema.empty().select(COLUMNS)
    near = rows_of(edge.sessions, edge.symbols) & pl.col("ts").is_between(*edge.times)
    return table.collect(table.scan(files).filter(near).select(COLUMNS), files)
