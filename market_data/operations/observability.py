"""One payload about ingest: numbers, health, anomalies, latency, recovery, failover.

What belongs here: putting them together. What does not: making them (metrics.py,
dimension_health.py, latency.py).

The payload names recovery and failover, as its readers expect: the newest look at stale symbols,
the newest decision about the warehouse and the newest rehearsal of one; null where there was none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from market_data.failover.drill import REPORT as DRILL
from market_data.failover.state import REPORT as DECISION
from market_data.operations.account import Account
from market_data.operations.dimension_health import dimension_reasons, statuses
from market_data.operations.evidence import Evidence
from market_data.operations.feed_anomalies import feed_anomalies
from market_data.operations.latency import latency, latency_reasons
from market_data.operations.limits import OperationsLimits
from market_data.operations.metrics import by_dimension, ingest_metrics
from market_data.operations.stale_symbols import REPORT as STALE

NAME = "ingest_observability"


def _told(evidence: Evidence, name: str) -> Mapping[str, Any] | None:
    found = evidence.report(name)
    return found.body if found is not None else None


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
            "anomalies": [anomaly.told() for anomaly in feed_anomalies(found)],
            "recovery": _told(evidence, STALE),
            "failover": _told(evidence, DECISION),
            "failover_drill": _told(evidence, DRILL),
        },
        tables=[
            ("", shown, metrics.select(shown).rows()),
            ("Latency, milliseconds", slow.columns, slow.rows()),
        ],
        facts={name: str(told["status"]) for name, told in health.items()},
    )
