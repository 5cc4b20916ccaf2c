"""One payload about ingest: numbers, health and latency by dimension, recovery and failover.

What a dashboard needs in one piece; recovery and failover are null, since no part
reports on them. Told on telemetry.ingest.observability in institutional mode.
"""

from emp_assets.naming import INGEST_HEALTH_KEY, INGEST_METRICS_KEY, INGEST_OBSERVABILITY_KEY
from emp_assets.operations.reporting import ReportAsset

ingest_observability = ReportAsset(
    INGEST_OBSERVABILITY_KEY, __doc__, deps=[INGEST_METRICS_KEY, INGEST_HEALTH_KEY]
)
