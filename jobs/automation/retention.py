"""The job `apply_retention` and its schedule: rows go that config/retention.yaml does not keep.

What belongs here: its step and its clock. What does not: which rows those are
(market_data/pipeline/removing.py), what is left of it (adapters/retention_removal.py), Dagster's
own records (purge.py).

As shipped the policy keeps everything, and the job finds nothing. Annotations are objects here,
since Dagster reads them.
"""

import dagster as dg

from jobs.automation.limits import run_limits
from market_data.automation.policy import AutomationPolicy
from market_data.errors import MarketDataError
from resources.platform import PlatformResource

NAME = "apply_retention"


@dg.op(
    out=dg.Out(dg.Nothing),
    description="Removes rows that are older than is kept and that the raw logs make again.",
)
def remove_old_rows(context: dg.OpExecutionContext, platform: PlatformResource) -> dg.Output[None]:
    """Remove what the policy does not keep."""
    from adapters.retention_removal import apply_retention

    try:
        done = apply_retention(
            platform.settings(),
            platform.open(),
            platform.operations.open(),
            tell=context.log.info,
        )
    except MarketDataError as error:
        raise dg.Failure(str(error)) from error
    for told in done.told():
        # The sessions stay green: what made them is what it was.
        context.log_event(
            dg.AssetObservation(dg.AssetKey(told["dataset"].split("/")), metadata=told)
        )
    if done.held_back:
        names = ", ".join(
            f"{f.dataset} ({f.rows} of {f.held} rows, {f.share:.0%})" for f in done.held_back
        )
        raise dg.Failure(
            f"more than removal.at_most would go of {names}: nothing of these was removed; look at "
            "'emp retention plan', then 'emp retention apply --all --yes'",
            metadata={"removed": done.gone, "kept": done.kept},
        )
    return dg.Output(None, metadata={"removed": done.gone, "kept": done.kept})


@dg.job(
    name=NAME,
    description="Rows of the warehouse go that config/retention.yaml does not keep; the raw logs "
    "stay. As shipped everything is kept.",
)
def apply_retention_job() -> None:
    """Remove what is not kept."""
    remove_old_rows()


def retention_schedule(policy: AutomationPolicy) -> dg.ScheduleDefinition:
    """The first of a month, before files of old versions are removed."""
    return dg.ScheduleDefinition(
        name=NAME,
        job_name=NAME,
        cron_schedule="30 3 1 * *",
        tags=run_limits(policy, again=1),
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Removes what is older than is kept, on the first of a month.",
    )
