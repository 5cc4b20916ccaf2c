"""A store that is opened by its first use.

What belongs here: opening it once, and again after it could not be opened. What does not: which
store it is (opening.py).

Whoever only fetches into the lake never meets the warehouse, and so goes on while its server is
away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import date, datetime

import polars as pl

from market_data.datasets import Dataset
from market_data.ports import BarStore, TableVersion
from market_data.ports.lake import VersionedTable


class LazyBarStore:
    """Another store, opened when it is asked something; safe across threads.

    Args:
        open_store: opens it; where it raises, the caller is told, and the next use tries again.
    """

    def __init__(self, open_store: Callable[[], BarStore]) -> None:
        self._open_store = open_store
        self._guard = threading.Lock()
        self._opened: BarStore | None = None

    def __repr__(self) -> str:
        return f"LazyBarStore({self._opened!r})" if self._opened else "LazyBarStore(not opened)"

    @property
    def opened(self) -> BarStore:
        """The store itself; raises what opening it raises."""
        with self._guard:
            if self._opened is None:
                self._opened = self._open_store()
            return self._opened

    def replace(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,
        *,
        sessions: tuple[date, date],
        symbols: Sequence[str],
        unless_changed_since: str | None = None,
    ) -> int:
        """Make a slice hold exactly these rows, see the port."""
        return self.opened.replace(
            dataset,
            frame,
            sessions=sessions,
            symbols=symbols,
            unless_changed_since=unless_changed_since,
        )

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
        """Rows sorted by (symbol, time), see the port."""
        return self.opened.scan(
            dataset, symbols=symbols, start=start, end=end, sessions=sessions, columns=columns
        )

    def latest(
        self, dataset: Dataset, *, symbols: Sequence[str] | None = None, rows: int = 1
    ) -> pl.DataFrame:
        """The newest rows of each symbol, see the port."""
        return self.opened.latest(dataset, symbols=symbols, rows=rows)

    def counts(self, dataset: Dataset) -> pl.DataFrame:
        """Rows by symbol and month, see the port."""
        return self.opened.counts(dataset)

    def version(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> str:
        """A token of what a scan of a range tells, see the port."""
        return self.opened.version(dataset, symbols=symbols, sessions=sessions)

    def history(self, dataset: Dataset) -> list[TableVersion]:
        """Commits, newest first, see the port."""
        return self.opened.history(dataset)

    def compact(self, dataset: Dataset) -> None:
        """Merge small files, see the port."""
        self.opened.compact(dataset)

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None:
        """Remove old files, see the port."""
        self.opened.vacuum(dataset, retention_hours=retention_hours)

    def table(self, dataset: Dataset) -> VersionedTable:
        """Versions and upkeep, see the port."""
        return self.opened.table(dataset)
