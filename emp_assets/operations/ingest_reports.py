"""The reports on ingest in one step: numbers, health, one payload and trends of the same look.

What belongs here: which they are. What does not: what each says; each has a file beside this one.
"""

from emp_assets.operations.ingest_health import ingest_health
from emp_assets.operations.ingest_metrics import ingest_metrics
from emp_assets.operations.ingest_observability import ingest_observability
from emp_assets.operations.ingest_trends import ingest_trends
from emp_assets.operations.reporting import report_assets

ingest_reports = report_assets(
    ingest_metrics,
    ingest_health,
    ingest_observability,
    ingest_trends,
)
