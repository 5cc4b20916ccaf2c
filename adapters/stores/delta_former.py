"""Rows of data files that the newest version of a table does not name.

What belongs here: reading such files, and which of their rows a vendor still said. What does not:
what a repair makes of them (delta_repair.py, delta_log_repair.py).

Such files are there until vacuum removes them. Rows of a raw log that a person took out by
restoring a former version are not among them, whichever file holds them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import polars as pl

from adapters.stores.delta_change import folder_of
from adapters.stores.delta_commits import Commit, commits_of
from adapters.stores.delta_snapshot import files_frame
from adapters.stores.delta_table import DeltaFiles
from market_data.errors import TableDamagedError
from market_data.ordering import sort_if_needed


class FormerFiles:
    """The data files of a table that lay there when this was made.

    Args:
        table: of which.
    """

    def __init__(self, table: DeltaFiles) -> None:
        self._table = table
        self._by_unit: dict[str, list[str]] = {}
        for path in sorted(table.place.files.stored()):
            self._by_unit.setdefault(folder_of(path), []).append(path)
        self._restores: list[Commit] | None = None

    @property
    def units(self) -> list[str]:
        """Folders that hold any file, sorted."""
        return sorted(self._by_unit)

    def paths(self, unit: str, named: Collection[str]) -> list[str]:
        """The files of a unit but those that are named."""
        return [path for path in self._by_unit.get(unit, ()) if path not in named]

    def read(self, path: str) -> pl.DataFrame | None:
        """The rows of a file; None where it cannot be read, or holds other columns."""
        table = self._table
        try:
            found = pl.read_parquet(table.place.files.read(path), hive_partitioning=False)
        except (pl.exceptions.PolarsError, FileNotFoundError):
            return None  # half of a file that a killed writer left
        known = set(table.dataset.schema.names)
        if not {"symbol", "session"} <= set(found.columns):
            return None
        return table.dataset.schema.conform(found.select(known & set(found.columns)))

    def rows(self, unit: str, named: Collection[str]) -> dict[str, pl.DataFrame]:
        """By file of a unit but those that are named, its rows."""
        found = {path: self.read(path) for path in self.paths(unit, named)}
        kept = {path: rows for path, rows in found.items() if rows is not None}
        if not kept or not self._table.is_raw:
            return kept
        away = self._restored_away(unit)
        return {path: _without(rows, away) for path, rows in kept.items()}

    def true_still(self, unit: str, held: pl.DataFrame, lost: Iterable[str]) -> pl.DataFrame:
        """Rows of a raw log that former files hold and the unit does not any more, each once.

        Args:
            unit: which.
            held: rows of `Snapshot.files`: its whole files.
            lost: its files that cannot be read.
        """
        former = self.rows(unit, {*held["path"], *lost})
        if not former:
            return self._table.dataset.schema.empty()
        known = self._table.collect(self._table.scan(held), held)
        missing = _without(pl.concat(former.values()).unique(), known)
        return sort_if_needed(missing, self._table.dataset.sort)

    def _restored_away(self, unit: str) -> pl.DataFrame:
        """Rows that a restore took out of a unit, and that none after it brought back."""
        if self._restores is None:
            told = commits_of(self._table.place)
            self._restores = [commit for commit in told if commit.action == "restore"]
        away = self._table.dataset.schema.empty()
        for commit in self._restores:
            away = pl.concat([away, *self._of(unit, commit.removes)]).unique()
            # A file may hold such rows beside others that stayed.
            for rows in self._of(unit, self._left_by(commit)):
                away = _without(away, rows)
        return away

    def _left_by(self, commit: Commit) -> Collection[str]:
        """The files that a version consisted of, as far as the log still tells."""
        if commit.aside:
            return commit.adds
        try:
            handle = self._table.opened(commit.version)
        except TableDamagedError:
            return commit.adds
        return set(files_frame(handle, self._table.dataset)["path"])

    def _of(self, unit: str, paths: Iterable[str]) -> list[pl.DataFrame]:
        found = (self.read(path) for path in sorted(paths) if folder_of(path) == unit)
        return [rows for rows in found if rows is not None]


def _without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    if others.is_empty():
        return rows
    return rows.join(others, on=rows.columns, how="anti", nulls_equal=True)


def counted(rows: pl.DataFrame) -> pl.DataFrame:
    """How many rows there are: columns symbol, session, rows."""
    return rows.group_by("symbol", "session").agg(rows=pl.len().cast(pl.Int64))


def contents(rows: pl.DataFrame) -> pl.DataFrame:
    """The same, and a digest that no order of the rows changes."""
    return (
        rows.select("symbol", "session", digest=rows.hash_rows(seed=1))
        .group_by("symbol", "session")
        .agg(rows=pl.len().cast(pl.Int64), digest=pl.col("digest").sum())
    )


def differing(was: pl.DataFrame, becomes: pl.DataFrame) -> pl.DataFrame:
    """Symbol-sessions whose `contents` differ: columns CHANGED of `market_data.ports.lake`."""
    both = was.join(becomes, on=["symbol", "session"], how="full", coalesce=True, suffix="_new")
    differs = pl.col("rows").ne_missing(pl.col("rows_new")) | pl.col("digest").ne_missing(
        pl.col("digest_new")
    )
    return both.filter(differs).select(
        "symbol",
        "session",
        rows_before=pl.col("rows").fill_null(0),
        rows_after=pl.col("rows_new").fill_null(0),
    )
