"""Columns of what is made of features: predictions of models, statistics of regimes.

What belongs here: a `FrameSchema` each. What does not: the groups of features themselves
(registry.py), where rows are stored (market_data/datasets.py).
"""

from __future__ import annotations

import polars as pl

from market_data.schemas.frame import SESSION, SYMBOL, UTC, FrameSchema, column

PREDICTIONS = FrameSchema(
    "predictions",
    (
        SYMBOL,
        column("ts", UTC, "start of the bar that the features are of, UTC"),
        SESSION,
        column("available_at", UTC, "end of that bar: the features speak of nothing later"),
        column("timeframe", pl.String(), "of that bar"),
        column("model", pl.String(), "name of the model"),
        column("model_version", pl.String(), "version of the model, as it says itself"),
        column("output", pl.String(), "which of the model's outputs"),
        column(
            "value",
            pl.Float64(),
            "what the model says; null where a feature that it needs is missing",
            nullable=True,
        ),
        column("features", pl.String(), "feature groups with their definitions: 'price_1d_v1@...'"),
        column("inputs_digest", pl.String(), "digest of the features that the row was made of"),
    ),
)
"""One row per bar of a timeframe, model, version and output."""

REGIME_STATS = FrameSchema(
    "regime statistics",
    (
        SYMBOL,
        SESSION,
        column("timeframe", pl.String(), "of the bars"),
        column("regime", pl.String(), "of the bars, see the regime features"),
        column("volatility", pl.String(), "low, medium or high; 'unknown' where it has no value"),
        column("bars", pl.Int64(), "bars in this regime"),
        column("labelled", pl.Int64(), "those of which the return of the next bar is known"),
        column("wins", pl.Int64(), "those whose next bar closed higher"),
        column("sum_return", pl.Float64(), "sum of the returns of the next bars"),
        column("sum_square", pl.Float64(), "sum of their squares"),
        column("sum_atr_ratio", pl.Float64(), "sum of atr_ratio over the bars"),
        column("definition", pl.String(), "digest of the definitions of regimes and labels"),
    ),
)
"""One row per symbol, session, timeframe and regime. All numbers add up: over any sessions mean and
deviation follow from the sums."""
