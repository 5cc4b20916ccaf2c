"""The jobs `weekly_upkeep` and `monthly_upkeep`, and their schedules.

What belongs here: their steps and clocks, and what they record. What does not: what is done to a
dataset (market_data/pipeline/upkeep.py).

Nobody is asked over a network, so both are on in every mode. Annotations are objects here, since
Dagster reads them.
"""

import dagster as dg

from jobs.automation.limits import run_limits
from market_data.automation.policy import AutomationPolicy, UpkeepRules
from market_data.pipeline.upkeep import Upkeep, compact_all, vacuum_all
from resources.platform import PlatformResource

WEEKLY, MONTHLY = "weekly_upkeep", "monthly_upkeep"


@dg.op(
    out=dg.Out(dg.Nothing),
    description="One sorted file for each folder of every dataset, and a checkpoint of its log; no "
    "row changes.",
)
def merge_files(context: dg.OpExecutionContext, platform: PlatformResource) -> dg.Output[None]:
    """Merge the files of every dataset."""
    return _told(compact_all(platform.open(), context.log.info))


@dg.job(name=WEEKLY, description="Fewer files: those of each unit of a dataset are merged.")
def weekly_upkeep_job() -> None:
    """Fewer files."""
    merge_files()


def monthly_upkeep_job(rules: UpkeepRules) -> dg.JobDefinition:
    """Less disk, by the policy's retention."""

    @dg.op(
        out=dg.Out(dg.Nothing),
        description="Removes files that no version within the retention needs.",
    )
    def remove_old_files(
        context: dg.OpExecutionContext, platform: PlatformResource
    ) -> dg.Output[None]:
        return _told(vacuum_all(platform.open(), rules.keep, context.log.info))

    @dg.job(
        name=MONTHLY,
        description=f"Less disk: files go that no version of {rules.keep.days} days needs.",
    )
    def job() -> None:
        remove_old_files()

    return job


def upkeep_schedules(policy: AutomationPolicy) -> list[dg.ScheduleDefinition]:
    """The schedules of both jobs; wall clocks of UTC, whose days are all of one length."""
    clocks = (
        (WEEKLY, "40 3 * * 0", "Merges the files of each unit of a dataset, on Sundays."),
        (MONTHLY, "20 4 1 * *", "Removes files of old versions, on the first of a month."),
    )
    return [
        dg.ScheduleDefinition(
            name=name,
            job_name=name,
            cron_schedule=cron,
            execution_timezone="UTC",
            tags=run_limits(policy, again=1),
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=told,
        )
        for name, cron, told in clocks
    ]


def _told(upkeep: Upkeep) -> dg.Output[None]:
    """Files and bytes before and after, of every dataset and of all.

    Raises:
        Failure: a table is in trouble; the others were looked after, and their numbers are told.
    """
    tables = {name: tended.numbers() for name, tended in upkeep.done.items()}
    metadata: dict[str, dg.MetadataValue | int] = {
        **upkeep.totals,
        "tables": dg.MetadataValue.json(tables),
        "left": dg.MetadataValue.json(dict(upkeep.left)),
    }
    if upkeep.failed:
        raise dg.Failure(
            "; ".join(upkeep.failed.values()),
            metadata={**metadata, "failed": dg.MetadataValue.json(dict(upkeep.failed))},
            allow_retries=True,
        )
    return dg.Output(None, metadata=metadata)
