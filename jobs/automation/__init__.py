"""Everything that runs by itself: jobs and schedules over config/automation.yaml.

What belongs here: which schedules an installation has. What does not: what a tick does (the modules
beside this one), the policy (market_data/automation).
"""

from __future__ import annotations

import dagster as dg

from adapters.modes import Installation
from adapters.settings import Mode
from jobs.automation.bars_job import scheduled_bars_job
from jobs.automation.daily import daily_schedule
from jobs.automation.market_close import close_schedules
from jobs.automation.purge import purge_job, purge_schedule
from jobs.automation.refresh import refresh_schedules
from jobs.automation.retention import apply_retention_job, retention_schedule
from jobs.automation.upkeep import monthly_upkeep_job, upkeep_schedules, weekly_upkeep_job
from market_data.automation.policy import AutomationPolicy
from market_data.universe import Universe


def automation_jobs(
    universe: Universe, policy: AutomationPolicy
) -> list[dg.JobDefinition | dg.UnresolvedAssetJobDefinition]:
    """The jobs that the schedules run."""
    return [
        scheduled_bars_job(universe),
        weekly_upkeep_job,
        monthly_upkeep_job(policy.upkeep),
        apply_retention_job,
        purge_job(policy.retention),
    ]


def automation_schedules(
    found: Installation, universe: Universe, policy: AutomationPolicy
) -> list[dg.ScheduleDefinition]:
    """The schedules; those that ask vendors are on by default where the policy says so."""
    running = policy.starts(institutional=found.mode is Mode.INSTITUTIONAL)
    return [
        daily_schedule(policy, running=running),
        *close_schedules(universe, policy, running=running),
        *refresh_schedules(universe, policy, running=running),
        *upkeep_schedules(policy),
        retention_schedule(policy),
        purge_schedule(policy),
    ]
