"""Health of ingest by dimension: ok, warn or fail from rows, missing symbols and freshness.

What belongs here: the verdict. What does not: the numbers (metrics.py), how single attempts went
(ingest_health.py).

A symbol is judged by the sessions that its calendar says are due, never by hours since its newest
bar, so that a week-end is no fault; and only where somebody keeps it current: history that was
loaded for research is never stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from market_data.operations.account import Account
from market_data.operations.attempts import DIMENSIONS, MACRO, IngestDimension
from market_data.operations.evidence import Evidence
from market_data.operations.grades import Grade, Reason, worst
from market_data.operations.limits import HealthLimits, OperationsLimits
from market_data.operations.metrics import ingest_metrics
from market_data.wording import few

NAME = "ingest_health"
_TOLD = 5


def dimension_reasons(
    evidence: Evidence, metrics: pl.DataFrame, limits: HealthLimits
) -> list[Reason]:
    """Everything that keeps a dimension from being ok.

    Args:
        evidence: what was seen.
        metrics: rows of METRICS made of it.
        limits: when a dimension has too few rows.
    """
    reasons: list[Reason] = []
    for row in metrics.iter_rows(named=True):
        dimension: IngestDimension = row["dimension"]
        reasons += _rows(row, limits.min_rows.get(dimension, 0))
        if dimension == MACRO:
            reasons += _overdue(row)
        else:
            reasons += _missing(row)
            reasons += _late(evidence.reach.filter(pl.col("dimension") == dimension), dimension)
    return reasons


def health_account(evidence: Evidence, limits: OperationsLimits) -> Account:
    """The verdict over every dimension as a report."""
    metrics = ingest_metrics(evidence, limits.health.window)
    reasons = dimension_reasons(evidence, metrics, limits.health)
    dimensions = statuses(metrics, reasons)
    return Account(
        name=NAME,
        title="Ingest health",
        at=evidence.at,
        reasons=tuple(reasons),
        body={"dimensions": dimensions},
        tables=[
            (
                "",
                ("dimension", "status", "rows", "symbols", "missing", "late", "newest bar, h ago"),
                [
                    (
                        row["dimension"],
                        dimensions[row["dimension"]]["status"],
                        row["rows"],
                        row["symbols"],
                        len(row["missing"]),
                        row["symbols_late"],
                        None
                        if row["freshness_seconds"] is None
                        else row["freshness_seconds"] / 3600,
                    )
                    for row in metrics.iter_rows(named=True)
                ],
            )
        ],
        facts={name: str(told["status"]) for name, told in dimensions.items()},
    )


def statuses(metrics: pl.DataFrame, reasons: Sequence[Reason]) -> dict[str, dict[str, object]]:
    """Per dimension its status (off where nothing of it is kept) and its reasons, for JSON."""
    told: dict[str, dict[str, object]] = {}
    used = {
        row["dimension"]: bool(row["attempts"] or row["symbols"])
        for row in metrics.iter_rows(named=True)
    }
    for dimension in DIMENSIONS:
        mine = [r for r in reasons if r.subject == dimension]
        told[dimension] = {
            "status": str(worst(mine)) if used[dimension] else "off",
            "reasons": [r.text for r in mine],
        }
    return told


def _rows(row: dict[str, object], least: int) -> Iterator[Reason]:
    """No rows although bars were due; what is known already is not asked for."""
    rows, expected = int(str(row["counted_rows"])), int(str(row["expected_rows"]))
    if expected and rows < least:
        yield Reason(
            Grade.FAIL,
            f"{row['attempts']} attempts brought {rows} rows of {expected} that were due: "
            "see 'emp outages'",
            "no_rows",
            str(row["dimension"]),
            rows,
            least,
        )


def _missing(row: dict[str, object]) -> Iterator[Reason]:
    names = row["missing"]
    if isinstance(names, list) and names:
        yield Reason(
            Grade.FAIL,
            f"no bar is stored of {few(names, _TOLD)}, which somebody keeps current: "
            "run 'emp ingest'",
            "missing_symbols",
            str(row["dimension"]),
            len(names),
            0,
        )


def _late(reach: pl.DataFrame, dimension: str) -> Iterator[Reason]:
    late = reach.filter(pl.col("newest") < pl.col("due_warn")).sort("newest", "symbol")
    if late.is_empty():
        return
    worse = late.filter(pl.col("newest") < pl.col("due_error"))
    first = late.row(0, named=True)
    names = late["symbol"].unique(maintain_order=True).to_list()
    yield Reason(
        Grade.WARN if worse.is_empty() else Grade.FAIL,
        f"bars that are due are missing of {few(names, _TOLD)}: {first['symbol']} "
        f"{first['timeframe']} ends with {first['newest']}, and {first['due_warn']} is due",
        "late_symbols",
        dimension,
        len(names),
        0,
    )


def _overdue(row: dict[str, object]) -> Iterator[Reason]:
    names = row["late"]
    if isinstance(names, list) and names:
        yield Reason(
            Grade.WARN,
            f"values are overdue of {few(names, _TOLD)}: run 'emp macro ingest'",
            "events_overdue",
            MACRO,
            len(names),
            0,
        )
