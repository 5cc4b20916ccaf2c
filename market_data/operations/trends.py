"""Trends of ingest: the newest run of each feed against the runs before it.

What belongs here: yield and lag of a run, and what has become worse. What does not: whether bars
are there (market_data/quality), the attempts (attempts.py).

The comparison is that of the documents (rows below half of the mean of the last ten runs, freshness
beyond 1.5 times the best, two failures in a row), of numbers that can be compared: an attempt asks
only for what is lacking, so that a good one brings a year or nothing. Rows are therefore counted
against the bars that the calendar expects of the sessions that were asked for and over (`yield`, at
most 1), and freshness is how far the newest bar lies behind the end of the newest such session
(`lag_seconds`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from market_data.operations.account import Account
from market_data.operations.evidence import Evidence
from market_data.operations.grades import Grade, Reason
from market_data.operations.limits import OperationsLimits, TrendLimits

NAME = "ingest_trends"
FEED = ("dimension", "vendor", "timeframe")

RUNS = pl.Schema(
    {
        "dimension": pl.String(),
        "vendor": pl.String(),
        "timeframe": pl.String(),
        "run": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "symbols": pl.Int64(),
        "rows": pl.Int64(),
        "expected": pl.Int64(),
        "yield": pl.Float64(),
        "lag_seconds": pl.Float64(),
        "duration_seconds": pl.Float64(),
        "failed": pl.Boolean(),
    }
)
"""Columns of `recent_runs`; `yield` is null where nothing was due, `lag_seconds` as well where no
bar came."""

TRENDS = pl.Schema(
    {
        "dimension": pl.String(),
        "vendor": pl.String(),
        "timeframe": pl.String(),
        "runs": pl.Int64(),
        "newest": pl.Datetime("us", "UTC"),
        "yield": pl.Float64(),
        "mean_yield": pl.Float64(),
        "lag_seconds": pl.Float64(),
        "best_lag_seconds": pl.Float64(),
        "failures": pl.Int64(),
    }
)
"""Columns of `ingest_trends`: the newest run that has a yield (a lag), the mean yield (the smallest
lag) of those before it, and how many of the newest runs failed one after another."""


def recent_runs(attempts: pl.DataFrame, runs: int) -> pl.DataFrame:
    """Rows of RUNS: of each feed the newest runs that keep data current, oldest first.

    Args:
        attempts: rows of ATTEMPTS.
        runs: how many of a feed.
    """
    lag = (pl.col("due") - pl.col("newest_bar")).dt.total_microseconds() / 1e6
    made = (
        attempts.filter("current")
        .group_by(*FEED, "run")
        .agg(
            at=pl.col("started_at").max(),
            symbols=pl.col("symbols").explode().n_unique(),
            rows=pl.col("rows").sum(),
            expected=pl.col("expected").sum(),
            # Attempts over nothing that was due bring rows that nothing was expected of.
            counted=pl.col("rows").filter(pl.col("expected") > 0).sum(),
            lag_seconds=lag.max().clip(lower_bound=0),
            duration_seconds=pl.col("duration_seconds").sum(),
            failed=(pl.col("status") == "failed").all(),
        )
        .sort(*FEED, "at", "run")
    )
    share = (pl.col("counted") / pl.col("expected")).clip(upper_bound=1.0)
    return (
        made.with_columns(pl.when(pl.col("expected") > 0).then(share).alias("yield"))
        .group_by(FEED, maintain_order=True)
        .tail(runs)
        .select(pl.col(name).cast(dtype) for name, dtype in RUNS.items())
    )


def ingest_trends(runs: pl.DataFrame) -> pl.DataFrame:
    """Rows of TRENDS, one per feed.

    Args:
        runs: rows of RUNS, oldest first within a feed.
    """
    yields, lags = pl.col("yield").drop_nulls(), pl.col("lag_seconds").drop_nulls()
    # Ones from the end backwards until the first run that did not fail.
    streak = pl.col("failed").reverse().cast(pl.Int64).cum_prod().sum()
    return (
        runs.group_by(FEED, maintain_order=True)
        .agg(
            pl.len().alias("runs"),
            pl.col("at").max().alias("newest"),
            yields.last().alias("yield"),
            yields.slice(0, yields.len() - 1).mean().alias("mean_yield"),
            lags.last().alias("lag_seconds"),
            lags.slice(0, lags.len() - 1).min().alias("best_lag_seconds"),
            streak.alias("failures"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in TRENDS.items())
        .sort(FEED)
    )


def trend_reasons(trends: pl.DataFrame, limits: TrendLimits) -> Iterator[Reason]:
    """What has become worse.

    Args:
        trends: rows of TRENDS.
        limits: when it has.
    """
    floor = limits.freshness_floor.total_seconds()
    for row in trends.iter_rows(named=True):
        feed = f"{row['vendor']} {row['timeframe']}"
        if row["failures"] >= limits.failures:
            text = f"the last {row['failures']} runs failed: 'emp outages' says since when"
            yield Reason(Grade.FAIL, text, "runs_failing", feed, row["failures"], limits.failures)
        brought, usual = row["yield"], row["mean_yield"]
        if brought is not None and usual is not None and brought < limits.row_drop * usual:
            text = (
                f"the newest run brought {brought:.0%} of the bars that were due; those before it "
                f"{usual:.0%}"
            )
            yield Reason(Grade.WARN, text, "row_drop", feed, brought, limits.row_drop * usual)
        lag, best = row["lag_seconds"], row["best_lag_seconds"]
        if lag is not None and best is not None:
            allowed = max(floor, limits.freshness_growth * best)
            if lag > allowed:
                text = (
                    f"the newest bar came {lag / 3600:.1f} h before the end of what was due; at "
                    f"best it was {best / 3600:.1f} h"
                )
                yield Reason(Grade.WARN, text, "freshness_regression", feed, lag, allowed)


def trends_account(evidence: Evidence, limits: OperationsLimits) -> Account:
    """The trends as a report."""
    runs = recent_runs(evidence.attempts, limits.trends.runs)
    trends = ingest_trends(runs)
    told = trends.with_columns(pl.col("newest").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    listed = runs.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    reasons = tuple(trend_reasons(trends, limits.trends))
    return Account(
        name=NAME,
        title="Ingest trends",
        at=evidence.at,
        reasons=reasons,
        body={"feeds": told.to_dicts(), "runs": listed.to_dicts()},
        tables=[
            ("", trends.columns, trends.rows()),
            ("Runs", RUNS.names(), runs.sort("at", descending=True).head(50).rows()),
        ],
        facts={"feeds": trends.height, "worse": len(reasons)},
    )
