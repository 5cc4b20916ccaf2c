"""The rehearsal of failover once a month: its job and its schedule.

What belongs here: when it is rehearsed. What does not: the rehearsal
(emp_assets/operations/failover_drill.py). It works beside the warehouse, so it disturbs nobody;
where there is no server that may be away, it is off until somebody turns it on.
"""

from __future__ import annotations

import dagster as dg

from emp_assets.naming import FAILOVER_DRILL_KEY
from jobs.automation.limits import run_limits
from market_data.automation.policy import AutomationPolicy

failover_drill_job = dg.define_asset_job(
    "drill_failover",
    selection=dg.AssetSelection.assets(FAILOVER_DRILL_KEY),
    description="Rehearse an outage of the warehouse beside it, and measure the recovery.",
)


def failover_drill_schedule(policy: AutomationPolicy, *, servers: bool) -> dg.ScheduleDefinition:
    """The schedule.

    Args:
        policy: how long its runs may take.
        servers: whether there is a server that may be away.
    """
    return dg.ScheduleDefinition(
        name="monthly_failover_drill",
        job=failover_drill_job,
        cron_schedule="50 5 2 * *",
        execution_timezone="UTC",
        tags=run_limits(policy, again=1),
        default_status=dg.DefaultScheduleStatus.RUNNING
        if servers
        else dg.DefaultScheduleStatus.STOPPED,
        description="Rehearses an outage of the warehouse, beside it.",
    )
