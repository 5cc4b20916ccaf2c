"""Regimes: whether a market trends or ranges, and how much it moves.

What belongs here: the columns of the group regime, from indicators. What does not: statistics of
regimes (market_data/features/regime_stats.py), the timeframes together (confluence.py).
"""

from __future__ import annotations

import polars as pl

TRENDING = 25.0
"""A directional index above this is a trend."""
VOLATILE = 0.02
LOW, MEDIUM = 0.01, 0.025
"""Average true range as a share of the close."""

UP, DOWN, UNDECIDED = "trending_up", "trending_down", "trending"
CHOP, QUIET = "volatile_chop", "quiet_range"


def with_regimes(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the columns of the group regime.

    Args:
        frame: close, ma_5, ma_20, atr_14, adx_14, and `_still`: whether the last 20 closes are one.
    """
    step = (pl.col("ma_5") - pl.col("ma_20")).sign().cast(pl.Int64)
    ratio, adx, trend = pl.col("atr_ratio"), pl.col("adx_14"), pl.col("trend")
    return frame.with_columns(
        trend=pl.when(step.is_not_null()).then(pl.when("_still").then(0).otherwise(step)),
        atr_ratio=pl.col("atr_14") / pl.col("close"),
    ).with_columns(
        regime=pl.when(adx.is_null() | trend.is_null() | ratio.is_null())
        .then(None)
        .when((adx > TRENDING) & (trend > 0))
        .then(pl.lit(UP))
        .when((adx > TRENDING) & (trend < 0))
        .then(pl.lit(DOWN))
        .when(adx > TRENDING)
        .then(pl.lit(UNDECIDED))
        .when(ratio > VOLATILE)
        .then(pl.lit(CHOP))
        .otherwise(pl.lit(QUIET)),
        volatility=pl.when(ratio.is_null())
        .then(None)
        .when(ratio < LOW)
        .then(pl.lit("low"))
        .when(ratio < MEDIUM)
        .then(pl.lit("medium"))
        .otherwise(pl.lit("high")),
    )
