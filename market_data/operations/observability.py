"""One payload about ingest: numbers, health, latency, recovery, failover, by dimension.

What belongs here: putting them together. What does not: making them (metrics.py,
dimension_health.py, latency.py).

The payload names recovery and failover, as its readers expect; both are null, since no part of the
installation reports on them.
"""

from __future__ import annotations

from market_data.operations.account import Account
from market_data.operations.dimension_health import dimension_reasons, statuses
from market_data.operations.evidence import Evidence
from market_data.operations.latency import latency, latency_reasons
from market_data.operations.limits import OperationsLimits
from market_data.operations.metrics import by_dimension, ingest_metrics

NAME = "ingest_observability"


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
            "recovery": None,
            "failover": None,
        },
        tables=[
            ("", shown, metrics.select(shown).rows()),
            ("Latency, milliseconds", slow.columns, slow.rows()),
        ],
        facts={name: str(told["status"]) for name, told in health.items()},
    )
