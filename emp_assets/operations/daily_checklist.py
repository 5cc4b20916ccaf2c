"""The daily checklist: jobs done, nothing failed, nothing RED, coverage and anomalies looked at.

What a person goes through in the morning, each item ticked or open, with the symbols to look at.
Told on telemetry.operational.checklist in institutional mode; the same as `emp report checklist`.
"""

from emp_assets.naming import (
    DAILY_CHECKLIST_KEY,
    FAILED_SESSIONS_KEY,
    INGEST_HEALTH_KEY,
    INGEST_TRENDS_KEY,
    READINESS_KEY,
    SCORES_KEY,
    SLO_REPORT_KEY,
)
from emp_assets.operations.reporting import ReportAsset, report_assets

daily_checklist = report_assets(
    ReportAsset(
        DAILY_CHECKLIST_KEY,
        __doc__,
        deps=[
            SCORES_KEY,
            INGEST_HEALTH_KEY,
            INGEST_TRENDS_KEY,
            SLO_REPORT_KEY,
            FAILED_SESSIONS_KEY,
            READINESS_KEY,
        ],
        check="No item of the day is open.",
    ),
)
