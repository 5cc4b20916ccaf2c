"""Kept: how many raw bars of a range are kept, and the first few of them.

What belongs here: counts and a preview of a raw log, gathered chunk by chunk, so that memory does
not follow the range. What does not: judging them (market_data/pipeline/inspection.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from market_data.datasets import raw_bars
from market_data.pipeline.curate import PREVIEW_ROWS, chunks
from market_data.pipeline.platform import Platform
from market_data.schemas import RAW_BARS
from market_data.timeframes import Timeframe


@dataclass(frozen=True)
class KeptBars:
    """What a raw log keeps of a range.

    Attributes:
        rows: newest revisions of bars.
        per_session: columns session, rows, symbols (how many have bars), sorted by session.
        preview: the first rows of RAW_BARS, of the earliest chunks that have any.
    """

    rows: int
    per_session: pl.DataFrame
    preview: pl.DataFrame


def kept_bars(
    platform: Platform,
    vendor: str,
    timeframe: Timeframe,
    symbols: Sequence[str],
    first: date,
    last: date,
) -> KeptBars:
    """Count the newest revisions of one vendor's bars, first to last session, both included."""
    dataset = raw_bars(vendor, timeframe)
    counts = [pl.DataFrame(schema={"session": pl.Date, "rows": pl.Int64, "symbols": pl.Int64})]
    preview = RAW_BARS.empty()
    for sessions in chunks(first, last, 31 if timeframe.is_intraday else 366):
        bars = platform.raw_log.read(dataset, symbols=symbols, sessions=sessions)
        counts.append(
            bars.group_by("session").agg(
                rows=pl.len().cast(pl.Int64), symbols=pl.col("symbol").n_unique().cast(pl.Int64)
            )
        )
        if preview.height < PREVIEW_ROWS:
            preview = pl.concat([preview, bars]).head(PREVIEW_ROWS)
    per_session = pl.concat(counts).sort("session")
    return KeptBars(int(per_session["rows"].sum()), per_session, preview)
