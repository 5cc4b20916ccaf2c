"""A vendor's prices turned back into prices as traded, with what is known of splits.

What belongs here: which statements count for which rows, and rows that nobody can turn back.
What does not: the arithmetic and who had worked in what (market_data/corporate_actions), whether
anybody could have told (split_evidence.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from market_data.basis import Adjustment, bases_of
from market_data.corporate_actions.adjustment import SCALED
from market_data.corporate_actions.undoing import deadjust_splits
from market_data.corporate_actions.worked_in import by_own_word, disputed_by_time
from market_data.curation.split_evidence import SplitsTold, untold

DISPUTED = "disputed"
"""Rows that were divided by a split or not: sources differ, or nobody has told of all that were
worked in while one is on record, and the price does not say."""


@dataclass(frozen=True)
class Splits:
    """What is known of the splits in a vendor's prices: by `now`, or since, of later fetches."""

    actions: pl.DataFrame
    since: pl.DataFrame | None
    now: datetime
    calendar: str
    told: SplitsTold | None

    def undone(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows in the same order, their prices as traded, with `deadjusted` and `disputed`.

        Rows that nobody can turn back stay as they came, their basis too.
        """
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
        done = self.multiplied(rows, actions)
        if self.told is None:
            return done
        unknown = untold(
            rows, actions, self.told, calendar=self.calendar, since=since, now=self.now
        )
        if unknown is None:
            return done
        # Nobody knows all of their splits, but that there was one.
        spanned = unknown & _before_a_split(rows, actions, self.now)
        done = done.with_columns(pl.col(DISPUTED) | spanned)
        return _as_they_came(done, rows, unknown)

    def multiplied(self, rows: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
        """The rows as traded but for the disputed ones; a split that nobody told is left out."""
        adjusted = _days(rows)
        if self.told is None or not adjusted or rows.is_empty():
            done = deadjust_splits(rows, actions, calendar=self.calendar)
            return done.with_columns(pl.lit(value=False).alias(DISPUTED))
        these = rows.filter(pl.col("basis").is_in(list(adjusted)))
        vendor = rows.get_column("vendor").item(0)
        if vendor in self.told.tellers:
            said = self.told.said_by(vendor)
            judged = by_own_word(these, said, actions, calendar=self.calendar)
            done = deadjust_splits(rows, actions, calendar=self.calendar, factors=judged)
        else:
            judged = disputed_by_time(these, actions, adjusted, calendar=self.calendar)
            done = deadjust_splits(rows, actions, calendar=self.calendar)
        disputed = _at(rows, judged)
        return _as_they_came(done.with_columns(disputed.alias(DISPUTED)), rows, disputed)


def _days(rows: pl.DataFrame) -> dict[str, date | None]:
    """Texts of the bases that are adjusted for splits, with the day of their adjustment."""
    return {t: b.adjusted_on for t, b in bases_of(rows, Adjustment.SPLITS).items()}


def _before_a_split(rows: pl.DataFrame, actions: pl.DataFrame, now: datetime) -> pl.Series:
    """Rows between which and the day of their adjustment a split is on record."""
    splits = actions.filter(pl.col("kind") == "split", pl.col("ex_date") <= now.date())
    days = pl.col("basis").replace_strict(_days(rows), default=None, return_dtype=pl.Date)
    until = rows.select("symbol", "session", _day=pl.coalesce(days, pl.col("fetched_at").dt.date()))
    spans = until.unique().join(splits.select("symbol", "ex_date"), on="symbol")
    found = spans.filter(pl.col("ex_date") > pl.col("session"), pl.col("ex_date") <= pl.col("_day"))
    split = found.select("symbol", "session", "_day", _split=pl.lit(value=True)).unique()
    joined = until.join(split, on=["symbol", "session", "_day"], how="left", maintain_order="left")
    return joined.get_column("_split").fill_null(value=False)


def _at(rows: pl.DataFrame, judged: pl.DataFrame) -> pl.Series:
    """`disputed` of each row."""
    if not judged.get_column(DISPUTED).any():
        return pl.repeat(value=False, n=rows.height, eager=True)
    on = ["symbol", "session", "fetched_at", "basis"]
    found = rows.select(on).join(
        judged.select(*on, DISPUTED), on=on, how="left", maintain_order="left"
    )
    return found.get_column(DISPUTED).fill_null(value=False)


def _as_they_came(done: pl.DataFrame, rows: pl.DataFrame, unclear: pl.Series) -> pl.DataFrame:
    """The rows done, but for those that are unclear."""
    if not unclear.any():
        return done
    kept = [c for c in (*SCALED, "volume", "basis") if c in rows.columns]
    return done.with_columns(
        *(pl.when(unclear).then(rows.get_column(c)).otherwise(c).alias(c) for c in kept),
        pl.col("deadjusted") & ~unclear,
    )
