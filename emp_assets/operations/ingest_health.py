"""Whether ingest brings what it should, by dimension: ok, warn or fail, with every reason.

Judged by rows of bars that were due, symbols without any bar, and sessions that the calendar says
are due. History that nobody keeps current is never stale. Told on telemetry.ingest.health in
institutional mode.
"""

from emp_assets.naming import INGEST_HEALTH_KEY, INGEST_METRICS_KEY
from emp_assets.operations.reporting import ReportAsset

ingest_health = ReportAsset(
    INGEST_HEALTH_KEY,
    __doc__,
    deps=[INGEST_METRICS_KEY],
    check="Every dimension brings the rows, symbols and sessions that are due.",
)
