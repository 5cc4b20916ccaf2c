"""One payload about ingest: numbers, health and latency by dimension, recovery and failover.

What a dashboard needs in one piece, the anomalies of each feed by name (feed_break, stale_feed,
missing_freshness) among it; recovery and failover are null where nothing was looked at
yet. Told on telemetry.ingest.observability in institutional mode.
"""

from emp_assets.naming import INGEST_HEALTH_KEY, INGEST_METRICS_KEY, INGEST_OBSERVABILITY_KEY
from emp_assets.operations.reporting import ReportAsset

ingest_observability = ReportAsset(
    INGEST_OBSERVABILITY_KEY, __doc__, deps=[INGEST_METRICS_KEY, INGEST_HEALTH_KEY]
)
