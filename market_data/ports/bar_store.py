"""The warehouse port: curated datasets that are replaced slice by slice and read by range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

import polars as pl

from market_data.datasets import Dataset

if TYPE_CHECKING:
    from market_data.ports.lake import VersionedTable


@dataclass(frozen=True)
class TableVersion:
    """One commit of a dataset."""

    version: int
    timestamp: datetime
    operation: str


class BarStore(Protocol):
    """Keeps datasets of market_data/datasets.py.

    Every adapter passes tests/contract/bar_store.py. Writers in several processes may run at
    once; no reader ever sees half of a replace.
    """

    def replace(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,
        *,
        sessions: tuple[date, date],
        symbols: Sequence[str],
        unless_changed_since: str | None = None,
    ) -> int:
        """Make the slice (sessions, both ends included, x symbols) hold exactly these rows.

        One atomic step; rows of the slice that are not in `frame` are gone afterwards, rows
        outside it are untouched. The same frame twice writes nothing the second time.

        A bar starts less than three days from the midnight in UTC of its session, and lies in one
        session only.

        Args:
            dataset: where.
            frame: rows of `dataset.schema`, in any order, all of them inside the slice.
            sessions: first and last session of the slice, at most 200 years.
            symbols: symbols of the slice; none is empty or holds a character 0 or 31.
            unless_changed_since: what `version` told of exactly this slice before it was read:
                nothing is written where it tells something else now. None writes in any case.

        Returns:
            Rows that the slice holds now.

        Raises:
            SchemaError: the frame has not the dataset's columns, holds rows outside the slice or
                far from their session, or names a key twice; or it is no slice.
            SessionConflictError: another session, outside the slice, holds a bar of the frame.
            SliceChangedError: the version is not `unless_changed_since`.
            StoreConflictError: other writers won every attempt.
        """
        ...

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
        """Rows sorted by (symbol, time), of one consistent snapshot.

        Args:
            dataset: where from.
            symbols: only these; None for all.
            start: first bar start (included) or, for a dataset without `ts`, first session.
            end: end of the range, excluded; for a dataset without `ts`, the day after the last.
            sessions: first and last session, both included.
            columns: only these, in this order; None for all.

        Returns:
            The rows; an empty frame with the right columns where there are none.
        """
        ...

    def latest(
        self, dataset: Dataset, *, symbols: Sequence[str] | None = None, rows: int = 1
    ) -> pl.DataFrame:
        """The newest rows of each symbol, sorted by (symbol, time); none for `rows` below 1."""
        ...

    def counts(self, dataset: Dataset) -> pl.DataFrame:
        """How many rows there are of each symbol in each month of sessions.

        Returns:
            Columns symbol, month (its first day), rows; sorted by symbol and month. What is not
            there has no row.
        """
        ...

    def version(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> str:
        """A token of what a scan of this range tells: it changes when that changes.

        It may change without need, too. Cheap next to a scan.
        """
        ...

    def history(self, dataset: Dataset) -> list[TableVersion]:
        """Commits, newest first.

        Raises:
            UnsupportedOperationError: the engine keeps none.
        """
        ...

    def compact(self, dataset: Dataset) -> None:
        """Merge small files.

        Raises:
            UnsupportedOperationError: the engine has no files to merge.
        """
        ...

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None:
        """Remove files that no version within the retention needs.

        Raises:
            UnsupportedOperationError: the engine has none.
        """
        ...

    def table(self, dataset: Dataset) -> VersionedTable:
        """Versions, restore and repair of a dataset, see `market_data.ports.lake`.

        Raises:
            UnsupportedOperationError: the engine keeps no versions.
        """
        ...
