"""Sources that contradict each other about a split or a dividend.

What belongs here: finding contradictions. What does not: which statement stands
(adapters/operations/actions.py).
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from market_data.corporate_actions.withdrawals import is_withdrawal

NEAR = timedelta(days=4)
"""Sources put one event on neighbouring days; statements further apart are of different events."""

ROUNDING = {"split": 1e-6, "dividend": 1e-3}
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


def rounding() -> pl.Expr:
    """By how much statements of one event may differ, relative to `value`, by `kind`."""
    return pl.col("kind").replace_strict(ROUNDING, default=0.0, return_dtype=pl.Float64)


def conflicts(statements: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """Pairs of statements about one event that differ in value, or of which both count.

    Of one source that is one value on neighbouring days: it corrected the day, and the earlier
    statement was not taken back. That an action was none contradicts statements of its day alone.

    Args:
        statements: rows of CORPORATE_ACTIONS: what every source says now.
        standing: rows of CORPORATE_ACTIONS that stand.

    Returns:
        Columns of CONFLICTS, one row per pair, sorted; `stands` is the source whose statement
        counts, both where both do (of different days, so that the event counts twice).
    """
    numbered = statements.with_row_index("number")
    days_apart = (pl.col("ex_date_other") - pl.col("ex_date")).abs()
    differ = (pl.col("value") - pl.col("value_other")).abs() > rounding() * pl.col("value").abs()
    same_source = pl.col("source") == pl.col("source_other")
    none = is_withdrawal() | is_withdrawal("value_other")
    pairs = numbered.join(numbered, on=["symbol", "kind"], suffix="_other").filter(
        days_apart <= NEAR,
        (pl.col("source") < pl.col("source_other"))
        | (same_source & (pl.col("ex_date") < pl.col("ex_date_other"))),
        ~none | (days_apart == timedelta(0)),
    )
    apart = differ != same_source
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
