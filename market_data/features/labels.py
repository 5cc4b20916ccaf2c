"""Labels: what came after a bar. They look ahead, and are never features.

What belongs here: the columns of the group labels. What does not: keeping a model from seeing them
(market_data/pipeline/feature_frames.py).
"""

from __future__ import annotations

import polars as pl

from market_data.timeframes import Timeframe

HORIZONS = (1, 5, 20)
FURTHEST = {
    Timeframe.M1: 14,
    Timeframe.M5: 14,
    Timeframe.M15: 14,
    Timeframe.H1: 30,
    Timeframe.H4: 60,
    Timeframe.D1: 60,
}
"""Days between the sessions of a bar and of the bar that its label is told by, at most: a return
over a hole in the data is none of so many bars."""


def with_labels(frame: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """Adds the columns of the group labels.

    Args:
        frame: columns of `market_data.features.series.SERIES`, sorted by (symbol, ts).
        timeframe: of the bars.
    """
    found = []
    for n in HORIZONS:
        days = (pl.col("session").shift(-n) - pl.col("session")).dt.total_days()
        same = pl.col("symbol").shift(-n) == pl.col("symbol")
        there = same & (days <= FURTHEST[timeframe])
        later = pl.when(there)
        found += [
            later.then(pl.col("close").shift(-n) / pl.col("close") - 1).alias(f"fwd_ret_{n}"),
            later.then(pl.col("available_at").shift(-n)).alias(f"fwd_end_{n}"),
        ]
    return frame.with_columns(found)
