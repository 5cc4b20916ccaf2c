"""Flat runs: one price, bar after bar, as a feed repeats that has died.

What belongs here: how long a close has not moved. What does not: bars that are missing
(coverage.py), a newest bar that is late (staleness.py).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.quality.findings import KEY, WARN, CheckOutcome, findings
from market_data.timeframes import Timeframe


def find_flat_runs(bars: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """The longest run of one close that reaches into each symbol-session.

    Args:
        bars: symbol, session, ts, close, sorted by (symbol, ts). Runs of intraday bars begin anew
            with each session; those of daily bars go on, so give sessions before.
        timeframe: of the bars.

    Returns:
        symbol, session, run (bars up to the run's last one in the session), ts (of that bar),
        close; in the order of `bars`.
    """
    same = pl.col("close") == pl.col("close").shift()
    for column in KEY if timeframe.is_intraday else ["symbol"]:
        same = same & (pl.col(column) == pl.col(column).shift())
    position = pl.int_range(pl.len(), dtype=pl.Int64)
    begun = pl.when(same.fill_null(value=False)).then(None).otherwise(position).forward_fill()
    longest = pl.col("run").arg_max()
    return (
        bars.select(*KEY, "ts", "close", run=position - begun + 1)
        .group_by(KEY, maintain_order=True)
        .agg(pl.col("run").max(), pl.col("ts", "close").get(longest))
        .select(*KEY, "run", "ts", "close")
    )


def check_flat_runs(
    runs: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    check: str,
    dataset: str,
    sessions: tuple[date, date],
) -> CheckOutcome:
    """Report runs of `flat_run_bars` bars or more.

    Args:
        runs: of `find_flat_runs`.
        limits: see `BarsView.limits`.
        check: name of the check that reports them.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings flat_run (warn), one per symbol-session: `value` and `rows` are the run's length.
    """
    flat = (
        runs.filter(pl.col("session").is_between(*sessions))
        .join(limits.select("symbol", "flat_run_bars"), on="symbol", maintain_order="left")
        .filter(pl.col("run") >= pl.col("flat_run_bars"))
    )
    judged = flat.with_columns(
        code=pl.lit("flat_run"),
        severity=pl.lit(WARN),
        value=pl.col("run").cast(pl.Float64),
        threshold=pl.col("flat_run_bars").cast(pl.Float64),
        rows="run",
        detail=pl.format(
            "{} bars in a row close at {}, up to {}",
            "run",
            "close",
            pl.col("ts").dt.strftime("%Y-%m-%d %H:%M"),
        ),
    )
    return CheckOutcome(
        findings(judged, check=check, dataset=dataset),
        flat.drop("flat_run_bars"),
        runs.filter(pl.col("session").is_between(*sessions)).select(*KEY, "run"),
    )
