"""Which raw rows curation refuses, told without making bars of the others.

What belongs here: rows that break a rule, or contradict another of their fetch. What does not: bars
that give way to other vendors (disagreement.py), which only a whole curation tells.
"""

from __future__ import annotations

import polars as pl

from market_data.curation.curate import CurationInput, by_vendor, prepared
from market_data.curation.preparation import groups_of
from market_data.quarantine import quarantine_bars
from market_data.schemas import QUARANTINE


def refused_rows(given: CurationInput) -> pl.DataFrame:
    """Rows of QUARANTINE: what `curate` refuses of the native rows, but for drift.

    Args:
        given: as for `curate`; its minutes are not looked at.

    Raises:
        MarketDataError: a raw row names a symbol that is not among the instruments.
    """
    native = by_vendor(given.native)
    found = [QUARANTINE.empty()]
    for group, instruments in groups_of(given.instruments, native).items():
        own = pl.col("symbol").is_in([i.symbol for i in instruments])
        for raw in native:
            rows = raw.filter(own)
            if rows.is_empty():
                continue
            refused = prepared(given, group, rows, given.timeframe).refused
            found.append(quarantine_bars(refused, timeframe=given.timeframe, seen_at=given.now))
    return pl.concat(found).sort("symbol", "ts", "row_id")
