"""The raw log port: what every vendor said, every revision, append-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import polars as pl

from market_data.datasets import Dataset
from market_data.ports.lake import VersionedTable


@dataclass(frozen=True)
class Appended:
    """What an append did: rows that were new, and those of them that revise a known bar."""

    new: int
    revised: int


class RawLog(Protocol):
    """Appends revisions; never changes or removes a row."""

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

        The bars of one key (symbol, ts) in one fetch are compared as a set, so that a vendor
        that contradicts itself is kept as it spoke. The same fetch again appends nothing, also
        when two processes do it at once.

        `known_at` in the frame is that of a first sight (assumed); a row that revises a known
        bar, or that is new to a symbol-session which an earlier fetch already saw after the bar
        could be had, gets its `fetched_at` instead. The log knows of the fetches that brought
        rows; `seen` tells it of those that brought none.

        Fetches may be appended in another order than they were made: reads tell each bar's
        revisions in the order of the fetches, and none but the first counts as known before it
        was fetched. See `market_data.revisions` for what that cannot mend.

        Args:
            dataset: a raw dataset, see `market_data.datasets.raw_bars`.
            frame: rows of RAW_BARS, all of one fetch.
            seen: columns symbol, session, asked_at (UTC): when a vendor's answer last covered a
                session, with rows or without; None where nobody kept count.
            confirmed: columns symbol, ts: bars that are kept though they are known with the same
                values, because it is news that they were told again; None for none.
            now: the time, where the answer came just now: what the log holds of a time still to
                come was written by a clock that was ahead, and the answer is later. None for an
                answer out of the archive.
        """
        ...

    def read(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
        known_at: datetime | None = None,
    ) -> pl.DataFrame:
        """The newest revision of each bar, as of `known_at` (now where None).

        Returns:
            Rows of RAW_BARS sorted by (symbol, ts). A key whose newest fetch contradicts itself
            comes back with all its rows.
        """
        ...

    def revisions(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> pl.DataFrame:
        """Every revision, sorted by (symbol, ts, fetched_at)."""
        ...

    def told_again(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> pl.DataFrame:
        """How many rows of each session tell a bar that another row tells, too; reads keys alone.

        Returns:
            symbol, session, rows, again (Int64: rows less the bars that they tell), sorted by
            (symbol, session).
        """
        ...

    def state(
        self, dataset: Dataset, frame: pl.DataFrame, *, now: datetime | None = None
    ) -> Appended:
        """Keep the statements of one fetch that say anything new, see `market_data.statements`.

        The same fetch again appends nothing, also when two processes do it at once.

        Args:
            dataset: one whose rows are statements.
            frame: rows of it, all of one fetch.
            now: when they are kept, where they came just now: they are later than every statement
                of a time still to come. None for a fetch of another time.
        """
        ...

    def statements(
        self,
        dataset: Dataset,
        *,
        symbols: Sequence[str] | None = None,
        sessions: tuple[date, date] | None = None,
    ) -> pl.DataFrame:
        """Every statement that was kept, sorted as the dataset is.

        `market_data.statements.holding` tells those that hold.
        """
        ...

    def compact(self, dataset: Dataset) -> None:
        """Merge small files; no row changes.

        Raises:
            DatasetMissingError: nothing was ever written.
        """
        ...

    def vacuum(self, dataset: Dataset, *, retention_hours: int = 720) -> None:
        """Remove files that no version within the retention needs; no row changes.

        Raises:
            DatasetMissingError: nothing was ever written.
        """
        ...

    def table(self, dataset: Dataset) -> VersionedTable:
        """Versions, restore and repair of a dataset, see `market_data.ports.lake`."""
        ...
