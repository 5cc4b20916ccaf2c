"""Service level objectives of thirty days: what is met, missed or lost, and the budget left.

Freshness, completeness, score, success and latency by dimension against config/operations.yaml.
Told on telemetry.operational.slos in institutional mode; the same as `emp report slo`.
"""

from emp_assets.naming import INGEST_HEALTH_KEY, SCORES_KEY, SLO_REPORT_KEY
from emp_assets.operations.reporting import ReportAsset, report_assets

slo_report = report_assets(
    ReportAsset(
        SLO_REPORT_KEY,
        __doc__,
        deps=[SCORES_KEY, INGEST_HEALTH_KEY],
        check="Every objective that can be measured is met.",
    ),
)
