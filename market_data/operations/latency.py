"""Latency: how long fetches take, and events on their way to the brokers.

What belongs here: percentiles (linear between two values, in milliseconds, negative times counted
as none, as the documents do) and their verdict. What does not: measuring.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from market_data.operations.evidence import Evidence
from market_data.operations.grades import Grade, Reason
from market_data.operations.limits import LatencyLimits
from market_data.operations.readiness import Section

NAME = "latency"
FETCH, DELIVERY = "fetch", "delivery"
CODES = {FETCH: "slow_fetch", DELIVERY: "slow_delivery"}

LATENCY = pl.Schema(
    {
        "stage": pl.String(),
        "dimension": pl.String(),
        "samples": pl.Int64(),
        "p50": pl.Float64(),
        "p95": pl.Float64(),
        "p99": pl.Float64(),
        "max": pl.Float64(),
    }
)
"""Columns of `latency`: stage is fetch or delivery; milliseconds."""


def percentiles(times: pl.DataFrame) -> pl.DataFrame:
    """Rows of LATENCY, sorted by stage and dimension.

    Args:
        times: columns stage, dimension, ms.
    """
    taken = pl.col("ms").clip(lower_bound=0)
    return (
        times.group_by("stage", "dimension")
        .agg(
            samples=pl.len(),
            **{f"p{q}": taken.quantile(q / 100, interpolation="linear") for q in (50, 95, 99)},
            max=taken.max(),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in LATENCY.items())
        .sort("stage", "dimension")
    )


def latency(evidence: Evidence, window: timedelta) -> pl.DataFrame:
    """Rows of LATENCY of what ended in the time before the moment."""
    since = pl.lit(evidence.at - window)
    way = (pl.col("sent_at") - pl.col("emitted_at")).dt.total_microseconds() / 1e3
    fetched = evidence.attempts.filter(pl.col("ended_at") >= since).select(
        "dimension", stage=pl.lit(FETCH), ms=pl.col("duration_seconds") * 1e3
    )
    sent = evidence.deliveries.filter(pl.col("sent_at") >= since).select(
        "dimension", stage=pl.lit(DELIVERY), ms=way
    )
    return percentiles(pl.concat([fetched, sent]))


def latency_reasons(measured: pl.DataFrame, limits: LatencyLimits) -> Iterator[Reason]:
    """What takes too long, by the 95th of 100; few samples say nothing.

    Args:
        measured: rows of LATENCY.
        limits: how long it may take.
    """
    allowed = {
        FETCH: (limits.fetch_warn, limits.fetch_fail, "fetches", "see 'emp vendors'"),
        DELIVERY: (
            limits.delivery_warn,
            limits.delivery_fail,
            "events",
            "see that 'emp kafka relay' runs",
        ),
    }
    for row in measured.filter(pl.col("samples") >= limits.samples).iter_rows(named=True):
        warn, fail, what, cure = allowed[row["stage"]]
        seconds = row["p95"] / 1e3
        if seconds <= warn.total_seconds():
            continue
        failing = seconds > fail.total_seconds()
        limit = fail if failing else warn
        yield Reason(
            Grade.FAIL if failing else Grade.WARN,
            f"95 of 100 {what} took up to {seconds:.0f} s, {limit.total_seconds():.0f} s are "
            f"allowed: {cure}",
            CODES[row["stage"]],
            row["dimension"],
            seconds,
            limit.total_seconds(),
        )


def latency_section(evidence: Evidence, limits: LatencyLimits) -> Section:
    """Latency as a section of readiness."""
    measured = latency(evidence, limits.window)
    facts = {
        f"{row['stage']}_{row['dimension']}_p95_seconds": round(row["p95"] / 1e3, 3)
        for row in measured.iter_rows(named=True)
    }
    return Section.of(NAME, latency_reasons(measured, limits), facts)
