"""The raw log on Delta Lake: what every vendor said, append-only.

What belongs here: the promises of `market_data.ports.RawLog`, made of units and files.
What does not: what counts as a revision (market_data/revisions.py), locks and commits
(delta_table.py).

An append reads what is known of the same symbols and sessions, and adds one sorted file per unit
with what is new; no file is rewritten. `compact` joins the files of a unit, rows unchanged. What
was withdrawn (withdrawals.py) counts as never said, and stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import polars as pl

from adapters.stores.delta_change import Change
from adapters.stores.delta_lake_table import DeltaLakeTable
from adapters.stores.delta_maintenance import compact, history, vacuum
from adapters.stores.delta_snapshot import Snapshot
from adapters.stores.delta_table import DeltaFiles
from adapters.stores.slices import files_of, rows_of
from adapters.stores.units import may_hold, split
from adapters.stores.withdrawals import WithdrawnFetches
from market_data.datasets import Dataset
from market_data.errors import SchemaError
from market_data.ordering import KEY, by_runs, repeats_key, sort_if_needed
from market_data.ports import Appended, TableVersion
from market_data.revisions import VALUES, new_or_changed, newest
from market_data.statements import new_statements, subject_of

_TOLD_AGAIN = {"symbol": pl.String(), "session": pl.Date(), "rows": pl.Int64(), "again": pl.Int64()}


class DeltaRawLog:
    """Keeps each vendor and timeframe as one Delta table under root/<dataset name>.

    Args:
        root: local folder or object-store URI.
        storage_options: credentials and settings of an object store.
    """

    def __init__(self, root: Path | str, storage_options: Mapping[str, str] | None = None) -> None:
        self._root = root
        self._options = storage_options
        self._tables: dict[str, DeltaFiles] = {}
        self._withdrawn = WithdrawnFetches(root, storage_options)

    def append(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,
        *,
        seen: pl.DataFrame | None = None,
        confirmed: pl.DataFrame | None = None,
        now: datetime | None = None,
    ) -> Appended:
        """Keep the bars of one fetch that are new or differ from the newest revision known.

        A long fetch may come in several calls with one fetch_id.

        Args:
            dataset: a raw dataset.
            frame: rows of RAW_BARS, all of one fetch.
            seen: columns symbol, session, asked_at: answers about a session, with rows or without.
            confirmed: columns symbol, ts: bars to keep though nothing differs.
            now: when the answer came, if just now: it is later than rows of a time to come.

        Raises:
            SchemaError: wrong columns, or rows of several fetches.
            StoreConflictError: other writers won every attempt.
        """
        _check(dataset, frame)
        if frame.is_empty():
            return Appended(0, 0)
        table = self._table(dataset)
        parts = split(dataset.layout, frame)
        units = sorted(parts)
        counts = Appended(0, 0)
        withdrawn = self._withdrawn.of(dataset.name)
        if frame["fetch_id"][0] in withdrawn:
            # What is appended again is withdrawn, too, and compared with what it is a part of.
            withdrawn = frozenset()

        def plan(snapshot: Snapshot) -> Change | None:
            nonlocal counts
            change = Change(units, "append")
            new = revised = 0
            for unit in units:
                known = _without(_known(table, snapshot.of([unit]), parts[unit]), withdrawn)
                difference = new_or_changed(parts[unit], known, seen, confirmed, now)
                new, revised = new + difference.new, revised + difference.revised
                if not difference.frame.is_empty():
                    rows = sort_if_needed(difference.frame, dataset.sort)
                    change.adds.append(table.write(unit, rows))
            counts = Appended(new, revised)
            return change if change.adds else None

        table.change(units, plan, {"fetch_id": frame["fetch_id"][0]})
        return counts

    def read(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
        known_at: datetime | None = None,
    ) -> pl.DataFrame:
        """The newest revision of each bar as of `known_at`, sorted by (symbol, ts)."""
        return newest(self.revisions(dataset, symbols=symbols, sessions=sessions), known_at)

    def revisions(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> pl.DataFrame:
        """Every revision, sorted by (symbol, ts, fetched_at, fetch_id, values), of one snapshot.

        Those of withdrawn fetches are left out.
        """
        table = self._table(dataset)
        held = table.snapshot().files
        if held.is_empty():  # of most vendors, most of the time
            return dataset.schema.empty()
        files = held.filter(files_of(sessions, symbols), may_hold(dataset.layout, symbols))
        rows = table.collect(table.scan(files).filter(rows_of(sessions, symbols)), files)
        rows = _without(rows, self._withdrawn.of(dataset.name))
        # A fetch that contradicts itself has several rows of one key.
        return rows.sort(*dataset.sort, *VALUES)

    def told_again(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> pl.DataFrame:
        """How many rows of each session tell a bar that another row tells, too, see the port."""
        table = self._table(dataset)
        held = table.snapshot().files
        if held.is_empty():  # of most vendors, most of the time
            return pl.DataFrame(schema=_TOLD_AGAIN)
        files = held.filter(files_of(sessions, symbols), may_hold(dataset.layout, symbols))
        withdrawn = self._withdrawn.of(dataset.name)
        columns = [*KEY, "session", *(["fetch_id"] if withdrawn else [])]
        asked = table.scan(files).filter(rows_of(sessions, symbols)).select(columns)
        rows = sort_if_needed(_without(table.collect(asked, files), withdrawn))
        if rows.is_empty():
            return pl.DataFrame(schema=_TOLD_AGAIN)
        same = repeats_key(rows)
        marked = rows.with_columns(again=pl.lit(value=False) if same is None else same)
        return (
            by_runs(marked)
            .agg(pl.col("symbol", "session").first(), rows=pl.len(), again=pl.col("again").sum())
            .select("symbol", "session", pl.col("rows", "again").cast(pl.Int64))
        )

    def state(
        self, dataset: Dataset, frame: pl.DataFrame, *, now: datetime | None = None
    ) -> Appended:
        """Keep the statements of one fetch that say anything new.

        Args:
            dataset: one whose rows are statements.
            frame: rows of it, all of one fetch.
            now: when they are kept, where they came just now, see the port.

        Raises:
            SchemaError: wrong columns, or rows of several fetches.
            StoreConflictError: other writers won every attempt.
        """
        _check(dataset, frame)
        if frame.is_empty():
            return Appended(0, 0)
        table = self._table(dataset)
        parts = split(dataset.layout, frame)
        counts = Appended(0, 0)

        def plan(snapshot: Snapshot) -> Change | None:
            nonlocal counts
            change = Change(sorted(parts), "state")
            new = revised = 0
            for unit in sorted(parts):
                kept = _known(table, snapshot.of([unit]), parts[unit])
                found = new_statements(parts[unit], kept, dataset, now)
                if not found.is_empty():
                    change.adds.append(table.write(unit, sort_if_needed(found, dataset.sort)))
                    new += found.height
                    revised += found.join(kept, on=subject_of(dataset), how="semi").height
            counts = Appended(new, revised)
            return change if change.adds else None

        table.change(sorted(parts), plan, {"fetch_id": frame["fetch_id"][0]})
        return counts

    def statements(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> pl.DataFrame:
        """Every statement that was kept, sorted as the dataset is, of one snapshot."""
        table = self._table(dataset)
        files = table.snapshot().files.filter(
            files_of(sessions, symbols), may_hold(dataset.layout, symbols)
        )
        rows = table.scan(files).filter(rows_of(sessions, symbols))
        return sort_if_needed(table.collect(rows, files), dataset.sort)

    def history(self, dataset: Dataset) -> list[TableVersion]:
        """Commits, newest first.

        Raises:
            DatasetMissingError: nothing was ever written.
        """
        return history(self._table(dataset))

    def compact(self, dataset: Dataset) -> None:
        """Merge the files of each unit into one sorted file; no row changes.

        Raises:
            DatasetMissingError: nothing was ever written.
        """
        compact(self._table(dataset))

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None:
        """Remove files that no version within the retention needs; no row changes.

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


def _check(dataset: Dataset, frame: pl.DataFrame) -> None:
    """Refuse what is not of the dataset, or not of one fetch."""
    dataset.schema.check(frame)
    fetches = frame.select("fetch_id", "fetched_at").unique()
    if fetches.height > 1:
        raise SchemaError(
            f"{dataset.name}: rows of {fetches.height} fetches in one append; append "
            "each fetch by itself, with one fetch_id and one fetched_at"
        )


def _without(rows: pl.DataFrame, fetches: frozenset[str]) -> pl.DataFrame:
    """The rows but those of withdrawn fetches."""
    return rows if not fetches else rows.filter(~pl.col("fetch_id").is_in(list(fetches)))


def _known(table: DeltaFiles, files: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Every revision kept of the symbols and sessions of some rows of one unit."""
    first, last = rows.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    symbols = rows["symbol"].unique().to_list()
    near = files.filter(files_of((first, last), symbols))
    return table.collect(table.scan(near).filter(rows_of((first, last), symbols)), near)
