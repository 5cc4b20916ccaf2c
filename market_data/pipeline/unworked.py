"""Splits that come with an answer, and may not be worked into its prices yet.

What belongs here: what one answer has shown of them, part by part, and what of the raw log helps to
see it. What does not: judging (market_data/corporate_actions/told_early.py), what follows for a bar
(market_data/corporate_actions/worked_in.py).
"""

from __future__ import annotations

import polars as pl

from market_data.corporate_actions.told_early import APART, VERDICTS, judged, noted, told_lately
from market_data.curation.split_evidence import SplitsTold
from market_data.datasets import Dataset
from market_data.pipeline.platform import Platform


class Unworked:
    """What the parts of one answer show of its splits; the first that shows it speaks for all."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._shown = pl.DataFrame(schema=VERDICTS)

    @property
    def shown(self) -> pl.DataFrame:
        """Columns symbol, ex_date, worked_in of the splits of which the parts showed it."""
        return self._shown

    def noted(
        self, raw: pl.DataFrame, told: SplitsTold, *, dataset: Dataset, calendar: str
    ) -> pl.DataFrame:
        """The bars, their basis saying which splits they lack, or may lack.

        Args:
            raw: rows of RAW_BARS of a part of the answer, not empty.
            told: what the vendors have said themselves, this answer included.
            dataset: the raw log that they are not yet in.
            calendar: of the symbols.
        """
        vendor = raw.item(0, "vendor")
        if vendor not in told.tellers:
            return raw
        splits = told_lately(raw, told.said_by(vendor), calendar=calendar)
        if splits.is_empty():
            return raw
        last = splits.select(pl.col("ex_date").max()).item()
        kept = self._platform.raw_log.read(
            dataset,
            symbols=splits.get_column("symbol").unique().to_list(),
            sessions=(raw.select(pl.col("session").min()).item(), last + APART),
        )
        found = pl.concat([self._shown, judged(raw, splits, kept)])
        self._shown = found.drop_nulls().unique(["symbol", "ex_date"], keep="first")
        return noted(raw, splits, self._shown)
