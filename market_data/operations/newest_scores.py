"""The newest scores of each symbol.

What belongs here: which scores count as the newest. What does not: judging them (checklist.py,
quality_health.py).

Symbols of one dataset have calendars of their own: on a Saturday the newest session of a share is
Friday's, that of a crypto pair the day itself.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

REACH = timedelta(days=10)
"""Longer than any usual closure. A symbol whose newest score lies further behind that of its
dataset is no longer scored: what it was once says nothing of today."""


def newest_scores(scores: pl.DataFrame, sessions: int = 1) -> pl.DataFrame:
    """The scores of the newest scored sessions of each symbol of each dataset, in the order given.

    Args:
        scores: rows of SCORES of some weeks.
        sessions: how many of a symbol.
    """
    own = pl.col("session").rank("dense", descending=True).over("dataset", "symbol")
    newest = pl.col("session").max().over("dataset")
    return scores.filter(own <= sessions, pl.col("session") >= newest - REACH)
