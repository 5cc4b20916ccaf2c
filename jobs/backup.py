"""The job `back_up` and its weekly schedule.

What belongs here: the step and its clock. What does not: what a backup is (adapters/backup).

The schedule is on where EMP_BACKUP_DIR says where backups go. Annotations are objects here, since
Dagster reads them.
"""

import dagster as dg

from adapters.clock import SystemClock
from adapters.modes import Installation
from jobs.automation.limits import run_limits
from market_data.automation.policy import AutomationPolicy
from market_data.errors import MarketDataError

BACK_UP = "back_up"
_WEEKLY = "10 5 * * 0"


def backup_job(found: Installation) -> dg.JobDefinition:
    """The job over an installation."""

    @dg.op(
        out=dg.Out(dg.Nothing),
        description="Copies both stores, the raw logs and the operations database, and reads all "
        "of it back.",
    )
    def copy_and_read_back(context: dg.OpExecutionContext) -> dg.Output[None]:
        from adapters.backup.creating import Wanted, backup_folder
        from adapters.backup.keeping import back_up
        from adapters.backup.manifest import name_of

        settings, clock = found.settings, SystemClock()
        at = clock.now()
        try:
            wanted = Wanted(backup_folder(settings), name_of(at), at)
            kept = back_up(found, wanted, clock, context.log.info, keep=settings.backup_keep)
        except MarketDataError as error:
            raise dg.Failure(str(error)) from error
        told = {k: v for k, v in kept.manifest.summary().items() if not isinstance(v, dict)}
        return dg.Output(None, metadata={**told, "removed": ", ".join(kept.removed) or "none"})

    @dg.job(
        name=BACK_UP,
        description="A backup in EMP_BACKUP_DIR, read back; docs/backup.md says what it holds.",
    )
    def job() -> None:
        copy_and_read_back()

    return job


def backup_schedule(found: Installation, policy: AutomationPolicy) -> dg.ScheduleDefinition:
    """Sundays, after the files were merged.

    Args:
        found: whose folder of backups decides whether it is on.
        policy: how long its runs may take.
    """
    configured = found.settings.backup_dir is not None
    status = dg.DefaultScheduleStatus
    return dg.ScheduleDefinition(
        name=BACK_UP,
        job_name=BACK_UP,
        cron_schedule=_WEEKLY,
        execution_timezone="UTC",
        # One that was killed leaves an unfinished folder aside: the next one begins anew.
        tags=run_limits(policy, again=1),
        default_status=status.RUNNING if configured else status.STOPPED,
        description="Makes a backup on Sundays and reads it back; on where EMP_BACKUP_DIR is set.",
    )
