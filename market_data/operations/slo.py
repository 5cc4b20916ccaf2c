"""Service level objectives: what share of what was promised came true, and what is left to lose.

What belongs here: the measures and their verdict. What does not: the objectives
(config/operations.yaml), who is told (config/alerts.yaml).

A measure is a share, good of all:

    freshness     symbols that are kept current, whose bars reach the session that is due
    completeness  bars stored of bars that the calendar expects; macro events with a value
    score         the mean score of the symbol-sessions
    success       attempts to fetch that did not fail
    latency       attempts that ended within the time that latency allows

The budget is what the objective leaves to lose: 1 where nothing was lost, 0 where the target is
just met, below 0 beyond.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from market_data.operations.account import Account
from market_data.operations.attempts import MACRO
from market_data.operations.evidence import Evidence
from market_data.operations.grades import Grade, Reason
from market_data.operations.limits import Objective, OperationsLimits

NAME = "slo_report"

MEASURED = pl.Schema(
    {
        "dimension": pl.String(),
        "measure": pl.String(),
        "good": pl.Float64(),
        "all": pl.Float64(),
    }
)
"""Columns of `measured`: what counts as good, and all of it."""

OBJECTIVES = pl.Schema(
    {
        "dimension": pl.String(),
        "measure": pl.String(),
        "value": pl.Float64(),
        "target": pl.Float64(),
        "floor": pl.Float64(),
        "budget": pl.Float64(),
        "samples": pl.Float64(),
        "status": pl.String(),
    }
)
"""Columns of `objectives`; `status` is met, missed (below the target), lost (below the floor), or
unknown where there is nothing to measure."""

_CURES = {
    "freshness": "run 'emp ingest'; 'emp outages' says what a vendor left out",
    "completeness": "'emp quality' names the sessions that lack bars",
    "score": "'emp health' says why",
    "success": "'emp outages' says since when",
    "latency": "'emp vendors' says what a vendor allows",
}


def measured(evidence: Evidence, limits: OperationsLimits) -> pl.DataFrame:
    """Rows of MEASURED of everything that can be measured."""
    window = limits.slo.window
    attempts = evidence.attempts_since(window)
    scores = evidence.scores_since(window)
    events = evidence.events_since(window).filter(pl.col("status").is_in(["released", "overdue"]))
    fetch = limits.latency.fetch_warn.total_seconds()
    reached = (pl.col("newest") >= pl.col("due_warn")).fill_null(value=False)
    there = pl.min_horizontal("observed", "expected")
    parts = [
        _shares(evidence.reach, "freshness", reached.sum(), pl.len()),
        _shares(scores, "completeness", there.sum(), pl.col("expected").sum()),
        _shares(
            events.with_columns(dimension=pl.lit(MACRO)),
            "completeness",
            (pl.col("status") == "released").sum(),
            pl.len(),
        ),
        _shares(scores, "score", pl.col("score").sum(), pl.len()),
        _shares(attempts, "success", (pl.col("status") != "failed").sum(), pl.len()),
        _shares(attempts, "latency", (pl.col("duration_seconds") <= fetch).sum(), pl.len()),
    ]
    return pl.concat(parts)


def _shares(frame: pl.DataFrame, measure: str, good: pl.Expr, of: pl.Expr) -> pl.DataFrame:
    return (
        frame.group_by("dimension")
        .agg(good.cast(pl.Float64).alias("good"), of.cast(pl.Float64).alias("all"))
        .select("dimension", measure=pl.lit(measure), good="good", all="all")
    )


def objectives(found: pl.DataFrame, limits: OperationsLimits) -> pl.DataFrame:
    """Rows of OBJECTIVES, in the order of the configuration.

    Args:
        found: rows of MEASURED.
        limits: the objectives.
    """
    known = {(d, m): (good, of) for d, m, good, of in found.iter_rows()}
    rows = [
        (dimension, measure, *_judged(objective, *known.get((dimension, measure), (0.0, 0.0))))
        for dimension, measures in limits.slo.objectives.items()
        for measure, objective in measures.items()
    ]
    return pl.DataFrame(rows, schema=OBJECTIVES, orient="row")


def _judged(
    objective: Objective, good: float, of: float
) -> tuple[float | None, float, float, float | None, float, str]:
    """value, target, floor, budget, samples, status."""
    target, floor = objective.target, objective.floor
    if not of:
        return None, target, floor, None, of, "unknown"
    value = good / of
    lost, allowed = 1.0 - value, 1.0 - target
    budget = 1.0 - lost / allowed if allowed else (1.0 if not lost else None)
    status = "met" if value >= target else "missed" if value >= floor else "lost"
    return value, target, floor, budget, of, status


def slo_reasons(judged: pl.DataFrame) -> Iterator[Reason]:
    """Objectives that are not met."""
    for row in judged.filter(pl.col("status").is_in(["missed", "lost"])).iter_rows(named=True):
        lost = row["status"] == "lost"
        limit = row["floor"] if lost else row["target"]
        yield Reason(
            Grade.FAIL if lost else Grade.WARN,
            f"{row['measure']} is {row['value']:.2%}, below {limit:.2%}: {_CURES[row['measure']]}",
            "objective_missed",
            row["dimension"],
            row["value"],
            limit,
        )


def slo_account(evidence: Evidence, limits: OperationsLimits) -> Account:
    """The objectives as a report."""
    judged = objectives(measured(evidence, limits), limits)
    counts = dict(judged["status"].value_counts().sort("status").iter_rows())
    return Account(
        name=NAME,
        title="Service level objectives",
        at=evidence.at,
        reasons=tuple(slo_reasons(judged)),
        body={
            "window_seconds": limits.slo.window.total_seconds(),
            "objectives": judged.to_dicts(),
        },
        tables=[("", judged.columns, judged.rows())],
        facts={"objectives": judged.height, **{str(k): int(v) for k, v in counts.items()}},
    )
