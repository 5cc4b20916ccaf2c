"""One payload about ingest: numbers, health, latency, recovery, failover, by dimension.

What belongs here: putting them together. What does not: making them (metrics.py,
dimension_health.py, latency.py).
"""

from __future__ import annotations

from typing import Any

from market_data.operations.account import Account
from market_data.operations.dimension_health import dimension_reasons, statuses
from market_data.operations.evidence import Evidence
from market_data.operations.latency import latency, latency_reasons
from market_data.operations.limits import OperationsLimits
from market_data.operations.metrics import by_dimension, ingest_metrics
from market_data.ports import Report

NAME = "ingest_observability"
RECOVERY, FAILOVER = "ingest_recovery", "ingest_failover"
"""Names of the reports of these two parts; null in the payload while there is none."""


def observability_account(evidence: Evidence, limits: OperationsLimits) -> Account:
    """The payload as a report."""
    metrics = ingest_metrics(evidence, limits.health.window)
    found = dimension_reasons(evidence, metrics, limits.health)
    slow = latency(evidence, limits.latency.window)
    health, numbers = statuses(metrics, found), by_dimension(metrics)
    shown = ["dimension", "attempts", "failed", "rows", "symbols", "symbols_late", "score"]
    return Account(
        name=NAME,
        title="Ingest observability",
        at=evidence.at,
        reasons=(*found, *latency_reasons(slow, limits.latency)),
        body={
            "dimensions": {
                name: {**health[name], "metrics": numbers[name]} for name in metrics["dimension"]
            },
            "latency_milliseconds": slow.to_dicts(),
            "recovery": _told(evidence.report(RECOVERY)),
            "failover": _told(evidence.report(FAILOVER)),
        },
        tables=[
            ("", shown, metrics.select(shown).rows()),
            ("Latency, milliseconds", slow.columns, slow.rows()),
        ],
        facts={name: str(told["status"]) for name, told in health.items()},
    )


def _told(report: Report | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {"at": report.at.isoformat(), "status": report.status, "report": dict(report.body)}
