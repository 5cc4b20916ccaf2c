"""Sources that contradict each other about a split or a dividend.

What belongs here: finding contradictions. What does not: which statement stands
(adapters/operations/actions.py).
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

NEAR = timedelta(days=4)
"""Sources put one event on neighbouring days; statements further apart are of different events."""

_ROUNDING = {"split": 1e-6, "dividend": 1e-3}
"""Relative. Some sources round a dividend to cents, or convert it by a rate of their own."""

CONFLICTS = pl.Schema(
    {
        "symbol": pl.String(),
        "kind": pl.String(),
        "ex_date": pl.Date(),
        "source": pl.String(),
        "value": pl.Float64(),
        "other_ex_date": pl.Date(),
        "other_source": pl.String(),
        "other_value": pl.Float64(),
        "stands": pl.String(),
    }
)


def conflicts(statements: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """Pairs of statements about one event that differ in value.

    Args:
        statements: rows of CORPORATE_ACTIONS: what every source says now.
        standing: rows of CORPORATE_ACTIONS that stand.

    Returns:
        Columns of CONFLICTS, one row per pair, sorted; `stands` is the source whose statement
        counts, both where both do (of different days, so that the event counts twice).
    """
    numbered = statements.with_row_index("number")
    pairs = numbered.join(numbered, on=["symbol", "kind"], suffix="_other").filter(
        pl.col("source") < pl.col("source_other"),
        (pl.col("ex_date") - pl.col("ex_date_other")).abs() <= NEAR,
    )
    rounding = pl.col("kind").replace_strict(_ROUNDING, default=0.0, return_dtype=pl.Float64)
    apart = (pl.col("value") - pl.col("value_other")).abs() > rounding * pl.col("value").abs()
    key = ["symbol", "kind", "ex_date", "source"]
    counted = standing.select(key)
    return (
        pairs.filter(apart)
        .join(counted.with_columns(own=pl.col("source")), on=key, how="left")
        .join(
            counted.with_columns(others=pl.col("source")),
            left_on=["symbol", "kind", "ex_date_other", "source_other"],
            right_on=key,
            how="left",
        )
        .with_columns(
            stands=pl.concat_str("own", "others", separator=" and ", ignore_nulls=True),
        )
        .rename(
            {
                "ex_date_other": "other_ex_date",
                "source_other": "other_source",
                "value_other": "other_value",
            }
        )
        .select(CONFLICTS.names())
        .sort("symbol", "ex_date", "kind", "source", "other_source")
    )
