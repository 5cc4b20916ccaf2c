"""The job `purge_run_records` and its schedule: old runs go, but for those that sessions stand on.

What belongs here: its step and its clock. What does not: which runs may go
(resources/run_records.py), after how long (`retention` of config/automation.yaml).

Annotations are objects here, since Dagster reads them.
"""

from datetime import UTC, datetime

import dagster as dg

from jobs.automation.limits import run_limits
from market_data.automation.policy import AutomationPolicy
from market_data.automation.retention import RetentionPolicy
from resources.platform import PlatformResource

NAME = "purge_run_records"


def purge_job(policy: RetentionPolicy) -> dg.JobDefinition:
    """The job, by the policy's retention."""

    @dg.op(
        out=dg.Out(dg.Nothing),
        description="Removes old runs with their events, their evaluations and what they printed.",
    )
    def remove_old_runs(
        context: dg.OpExecutionContext, platform: PlatformResource
    ) -> dg.Output[None]:
        # It loads the database's library, which loading the graph does not need.
        from resources.run_records import purgeable, remove_runs

        before = datetime.now(UTC) - policy.runs
        live = [backfill.id for backfill in platform.operations.open().backfills.live()]
        found = purgeable(context.instance, before, live)
        removed = remove_runs(context.instance, found.runs[: policy.at_once], context.log.info)
        return dg.Output(
            None,
            metadata={
                "ended_before": dg.MetadataValue.timestamp(before),
                "removed": removed,
                "left_for_the_next_run": len(found.runs) - removed,
                "kept_for_their_sessions": found.kept,
            },
        )

    @dg.job(
        name=NAME,
        description=f"Runs that ended {policy.runs.days} days ago go, with their events and logs; "
        "those stay that hold the newest materialisation, attempt or evaluation of a session.",
    )
    def job() -> None:
        remove_old_runs()

    return job


def purge_schedule(policy: AutomationPolicy) -> dg.ScheduleDefinition:
    """Every night, in every mode: nobody is asked over a network, and no data goes."""
    return dg.ScheduleDefinition(
        name=NAME,
        job_name=NAME,
        cron_schedule="10 3 * * *",
        tags=run_limits(policy, again=1),
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Removes records of old runs, every night.",
    )
