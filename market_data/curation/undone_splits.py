"""A vendor's prices turned back into prices as traded, with what is known of splits.

What belongs here: which actions count for which rows, and rows that nobody can turn back.
What does not: the arithmetic (market_data/corporate_actions), the evidence
(split_evidence.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from market_data.corporate_actions.adjustment import deadjust_splits
from market_data.curation.split_evidence import SplitsTold, untold


@dataclass(frozen=True)
class Splits:
    """What is known of the splits in a vendor's prices: by `now`, or since, of later fetches."""

    actions: pl.DataFrame
    since: pl.DataFrame | None
    now: datetime
    calendar: str
    told: SplitsTold | None

    def undone(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows in the same order, their prices as traded."""
        if self.since is None:
            return self._undo(rows, self.actions)
        numbered = rows.with_row_index("_place")
        later = pl.col("fetched_at") > self.now
        parts = (
            self._undo(numbered.filter(~later), self.actions, self.since),
            self._undo(numbered.filter(later), self.since),
        )
        return pl.concat(parts).sort("_place").drop("_place")

    def _undo(
        self, rows: pl.DataFrame, actions: pl.DataFrame, since: pl.DataFrame | None = None
    ) -> pl.DataFrame:
        done = deadjust_splits(rows, actions, calendar=self.calendar)
        if self.told is None:
            return done
        unknown = untold(rows, actions, self.told, since=since, now=self.now)
        if unknown is None:
            return done
        return done.with_columns(
            pl.when(unknown).then(rows.get_column("basis")).otherwise("basis").alias("basis"),
            pl.col("deadjusted") & ~unknown,
        )
