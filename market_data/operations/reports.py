"""The reports on operations by name: what makes each, and what it is called.

What belongs here: the registry. What does not: the reports (one file each).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from market_data.operations import (
    checklist,
    data_retention,
    dimension_health,
    metrics,
    observability,
    slo,
    trends,
)
from market_data.operations.account import Account
from market_data.operations.evidence import Evidence
from market_data.operations.failed_sessions import REPORT as FAILED
from market_data.operations.limits import OperationsLimits
from market_data.operations.stale_symbols import REPORT as STALE

Maker = Callable[[Evidence, OperationsLimits], Account]

MAKERS: Mapping[str, Maker] = {
    metrics.NAME: metrics.metrics_account,
    dimension_health.NAME: dimension_health.health_account,
    observability.NAME: observability.observability_account,
    trends.NAME: trends.trends_account,
    slo.NAME: slo.slo_account,
    checklist.NAME: checklist.checklist_account,
    data_retention.NAME: data_retention.retention_account,
}
"""Name of a report to what makes it."""

FORMER = ("readiness", "market_slice", "ingest_failover", "failover_drill", STALE, FAILED)
"""Reports of other parts that these tell of."""
