"""The numbers of ingest, one row per dimension: daily bars, intraday bars, macro events.

What belongs here: counting. What does not: judging (dimension_health.py), the frames that are
counted (evidence.py).
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from market_data.operations.account import Account
from market_data.operations.attempts import DIMENSIONS, MACRO
from market_data.operations.evidence import Evidence
from market_data.operations.limits import OperationsLimits

NAME = "ingest_metrics"
NAMED = 50
"""How many symbols a row names; beyond, it counts."""

METRICS = pl.Schema(
    {
        "dimension": pl.String(),
        "attempts": pl.Int64(),
        "failed": pl.Int64(),
        "partial": pl.Int64(),
        "rows": pl.Int64(),
        "new_rows": pl.Int64(),
        "rejected_rows": pl.Int64(),
        "expected_rows": pl.Int64(),
        "counted_rows": pl.Int64(),
        "duration_mean": pl.Float64(),
        "duration_max": pl.Float64(),
        "last_attempt": pl.Datetime("us", "UTC"),
        "symbols": pl.Int64(),
        "symbols_with_rows": pl.Int64(),
        "symbols_late": pl.Int64(),
        "symbol_coverage": pl.Float64(),
        "freshness_seconds": pl.Float64(),
        "oldest_seconds": pl.Float64(),
        "bar_coverage": pl.Float64(),
        "score": pl.Float64(),
        "red": pl.Int64(),
        "null_rate": pl.Float64(),
        "gaps": pl.Int64(),
        "outliers": pl.Int64(),
        "missing": pl.List(pl.String()),
        "late": pl.List(pl.String()),
    }
)
"""Columns of `ingest_metrics`. Of the attempts in the window: how many, of these failed and partly
failed, rows of all kinds, bars that they could bring (`expected_rows`) and the rows of those of
which that is known (`counted_rows`; a load of history is none), seconds that they took, the end of
the last.
Of the symbols that are kept current: how many, of these with any bar, and with a session missing
that is due; the share with bars; seconds since the end of the newest bar of any of them, and of
the one that reaches least far. Of the scores in the window: bars there of bars expected, mean
score, RED symbol-sessions, mean share of empty volumes, runs of missing bars, outliers. Of macro
events, symbols are events whose day has come, and the late ones those whose value is overdue."""


def ingest_metrics(evidence: Evidence, window: timedelta) -> pl.DataFrame:
    """Rows of METRICS, one per dimension, in the order of DIMENSIONS.

    Args:
        evidence: what was seen.
        window: attempts, events and scores of so long before it count.
    """
    every = pl.DataFrame({"dimension": DIMENSIONS}, schema={"dimension": pl.String})
    parts = (
        _of_attempts(evidence.attempts_since(window)),
        pl.concat([_of_reach(evidence), _of_events(evidence.events_since(window))]),
        _of_scores(evidence.scores_since(window)),
    )
    joined = every
    for part in parts:
        joined = joined.join(part, on="dimension", how="left", maintain_order="left")
    counts = [name for name, dtype in METRICS.items() if dtype == pl.Int64()]
    empty = pl.lit([], pl.List(pl.String()))
    return joined.with_columns(
        pl.col(counts).fill_null(0), pl.col("missing", "late").fill_null(empty)
    ).select(pl.col(name).cast(dtype) for name, dtype in METRICS.items())


def metrics_account(evidence: Evidence, limits: OperationsLimits) -> Account:
    """The numbers as a report; it judges nothing."""
    window = limits.health.window
    metrics = ingest_metrics(evidence, window)
    shown = [n for n in METRICS.names() if n not in ("missing", "late", "last_attempt")]
    return Account(
        name=NAME,
        title="Ingest metrics",
        at=evidence.at,
        reasons=(),
        body={"window_seconds": window.total_seconds(), "dimensions": by_dimension(metrics)},
        tables=[("", shown, metrics.select(shown).rows())],
        facts={
            "attempts": int(metrics["attempts"].sum()),
            "rows": int(metrics["rows"].sum()),
        },
    )


def by_dimension(metrics: pl.DataFrame) -> dict[str, dict[str, object]]:
    """Rows of METRICS as JSON: dimension to its numbers, symbols cut to NAMED."""
    return {
        row.pop("dimension"): {
            **row,
            "last_attempt": row["last_attempt"].isoformat() if row["last_attempt"] else None,
            "missing": row["missing"][:NAMED],
            "late": row["late"][:NAMED],
        }
        for row in metrics.to_dicts()
    }


def _of_attempts(attempts: pl.DataFrame) -> pl.DataFrame:
    return attempts.group_by("dimension").agg(
        attempts=pl.len(),
        failed=(pl.col("status") == "failed").sum(),
        partial=(pl.col("status") == "partial").sum(),
        rows=pl.col("rows").sum(),
        new_rows=pl.col("new_rows").sum(),
        rejected_rows=pl.col("rejected_rows").sum(),
        expected_rows=pl.col("expected").sum(),
        # As in trends.py: what history brings hides no feed that brings nothing.
        counted_rows=pl.col("rows").filter(pl.col("expected") > 0).sum(),
        duration_mean=pl.col("duration_seconds").mean(),
        duration_max=pl.col("duration_seconds").max(),
        last_attempt=pl.col("ended_at").max(),
    )


def _of_reach(evidence: Evidence) -> pl.DataFrame:
    """A symbol counts once per dimension, by the timeframe that does worst."""
    age = (pl.lit(evidence.at) - pl.col("newest_end")).dt.total_microseconds() / 1e6
    late = (pl.col("newest") < pl.col("due_warn")).fill_null(value=False)
    symbols = evidence.reach.group_by("dimension", "symbol").agg(
        absent=pl.col("newest").is_null().any(),
        late=late.any(),
        age=age.clip(lower_bound=0).max(),
        fresh=age.clip(lower_bound=0).min(),
    )
    return symbols.group_by("dimension").agg(
        symbols=pl.len().cast(pl.Int64),
        symbols_with_rows=(~pl.col("absent")).sum().cast(pl.Int64),
        symbols_late=pl.col("late").sum().cast(pl.Int64),
        symbol_coverage=(~pl.col("absent")).mean(),
        freshness_seconds=pl.col("fresh").min(),
        oldest_seconds=pl.col("age").max(),
        missing=pl.col("symbol").filter("absent").sort(),
        late=pl.col("symbol").filter("late").sort(),
    )


def _of_events(events: pl.DataFrame) -> pl.DataFrame:
    due = events.filter(pl.col("status").is_in(["released", "overdue"]))
    overdue = pl.col("status") == "overdue"
    none = pl.lit(None, pl.Float64())
    return (
        due.with_columns(dimension=pl.lit(MACRO))
        .group_by("dimension")
        .agg(
            symbols=pl.len().cast(pl.Int64),
            symbols_with_rows=(~overdue).sum().cast(pl.Int64),
            symbols_late=overdue.sum().cast(pl.Int64),
            symbol_coverage=(~overdue).mean(),
            freshness_seconds=none.first(),
            oldest_seconds=none.first(),
            missing=pl.lit([], pl.List(pl.String())).first(),
            late=pl.col("symbol").filter(overdue).unique().sort(),
        )
    )


def _of_scores(scores: pl.DataFrame) -> pl.DataFrame:
    return scores.group_by("dimension").agg(
        bar_coverage=pl.min_horizontal("observed", "expected").sum() / pl.col("expected").sum(),
        score=pl.col("score").mean(),
        red=(pl.col("status") == "RED").sum(),
        null_rate=pl.col("null_rate").mean(),
        gaps=pl.col("gaps").sum(),
        outliers=pl.col("outliers").sum(),
    )
