"""Reports on operations: what is made every hour, and what once a day.

What belongs here: the two jobs and their schedules. What does not: the reports (emp_assets).

The hourly job keeps listeners informed; where nobody listens its schedule is off until somebody
turns it on. The daily one, which ends with the checklist, is on: a look a day costs little, and its
checks alert.
"""

from __future__ import annotations

import dagster as dg

from emp_assets.naming import (
    DAILY_CHECKLIST_KEY,
    DATA_RETENTION_KEY,
    FAILED_SESSIONS_KEY,
    INGEST_HEALTH_KEY,
    INGEST_METRICS_KEY,
    INGEST_OBSERVABILITY_KEY,
    INGEST_TRENDS_KEY,
    READINESS_KEY,
    SLO_REPORT_KEY,
)
from jobs.automation.limits import run_limits
from market_data.automation.policy import AutomationPolicy

HOURLY, DAILY = "report_ingest", "report_operations"
INGEST = (INGEST_METRICS_KEY, INGEST_HEALTH_KEY, INGEST_OBSERVABILITY_KEY, INGEST_TRENDS_KEY)
EVERYTHING = (
    *INGEST,
    SLO_REPORT_KEY,
    DATA_RETENTION_KEY,
    READINESS_KEY,
    FAILED_SESSIONS_KEY,
    DAILY_CHECKLIST_KEY,
)

report_ingest_job = dg.define_asset_job(
    HOURLY,
    selection=dg.AssetSelection.assets(*INGEST),
    description="Numbers, health, trends and the one payload about ingest.",
)
report_operations_job = dg.define_asset_job(
    DAILY,
    selection=dg.AssetSelection.assets(*EVERYTHING),
    description="Every report on operations, from the numbers of ingest to the daily checklist.",
)


def operations_schedules(
    policy: AutomationPolicy, *, streaming: bool
) -> list[dg.ScheduleDefinition]:
    """The schedules of both jobs.

    Args:
        policy: how long their runs may take.
        streaming: whether somebody listens to events.
    """
    return [
        dg.ScheduleDefinition(
            name="hourly_ingest_reports",
            job=report_ingest_job,
            cron_schedule="40 * * * *",
            execution_timezone="UTC",
            tags=run_limits(policy, again=0),
            default_status=dg.DefaultScheduleStatus.RUNNING
            if streaming
            else dg.DefaultScheduleStatus.STOPPED,
            description="Tells listeners every hour how ingest fares.",
        ),
        dg.ScheduleDefinition(
            name="daily_operations_reports",
            job=report_operations_job,
            cron_schedule="10 6 * * *",
            execution_timezone="UTC",
            tags=run_limits(policy, again=1),
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Makes every report on operations in the morning; its checks alert.",
        ),
    ]
