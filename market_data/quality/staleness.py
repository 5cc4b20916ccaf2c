"""Staleness: how far the newest bar lies behind the session's close, or behind now while it runs.

What belongs here: the lag of a symbol-session's newest whole bar, and judging it. What does not:
bars missing before the newest one (coverage.py).
"""

from __future__ import annotations

import polars as pl

from market_data.quality.coverage import measure_coverage
from market_data.quality.findings import (
    ERROR,
    KEY,
    SAMPLE_ROWS,
    CheckOutcome,
    findings,
    grade,
)
from market_data.quality.view import BarsView

CHECK = "staleness"


def check_staleness(
    view: BarsView, limits: pl.DataFrame, coverage: pl.DataFrame | None = None
) -> CheckOutcome:
    """Judge the lag of every symbol-session that has begun.

    Code: stale (warn or error). The lag is the time from the end of the newest whole bar (the
    session's open where there is none) to the session's close, or to now less the vendor's delay
    while it runs, without the lunch break. A session that is over without any whole bar is an error
    whatever its length. A daily bar is not due before its session is over. Where the calendar
    expects no bar of a session, none can be late.

    Args:
        view: the slice.
        limits: see `BarsView.limits`.
        coverage: what `measure_coverage` said of the slice, where that is known already.

    Returns:
        An outcome whose value, threshold and `lag` are seconds.
    """
    begun = pl.col("due") > pl.col("open")
    if not view.timeframe.is_intraday:
        begun = begun & pl.col("closed")
    lag = pl.col("due") - pl.max_horizontal("newest_end", "open") - pl.col("pause")
    measured = (
        (measure_coverage(view) if coverage is None else coverage)
        .filter(begun)
        .select(*KEY, "closed", "due", "newest_end", lag=_seconds(lag).clip(lower_bound=0))
    )
    severity, threshold = grade("lag", "stale_warn", "stale_error")
    absent = pl.col("closed") & pl.col("newest_end").is_null()
    judged = (
        measured.join(
            limits.with_columns(_seconds(pl.col("stale_warn", "stale_error"))), on="symbol"
        )
        .with_columns(severity, threshold)
        .with_columns(
            severity=pl.when(absent).then(pl.lit(ERROR)).otherwise("severity"),
            threshold=pl.when(absent).then("stale_error").otherwise("threshold"),
        )
        .drop_nulls("severity")
        .with_columns(
            code=pl.lit("stale"),
            value="lag",
            rows=pl.lit(0),
            detail=pl.when(absent)
            .then(pl.lit("the session is over and not one whole bar is there"))
            .otherwise(
                pl.format("the newest bar ends {} min early", (pl.col("lag") / 60).round(1))
            ),
        )
    )
    sample = judged.sort("lag", "session", "symbol", descending=[True, False, False])
    return CheckOutcome(
        findings(judged, check=CHECK, dataset=view.dataset),
        sample.head(SAMPLE_ROWS).select(*KEY, "newest_end", "due", "lag", "threshold"),
        measured,
    )


def _seconds(span: pl.Expr) -> pl.Expr:
    return span.dt.total_microseconds() / 1e6
