"""Exports: the job over all of them, and the schedule that follows every day's run.

What belongs here: what such a run selects, when it starts by itself. What does not: what an export
does (emp_assets/exports).

The schedule is on where EMP_EXPORT_DIR says that exports are wanted; it starts when the daily run
is to be over, exports the same sessions, and leaves the daily run alone if it fails. While the
warehouse is away it exports nothing; what was missed, and made since, is exported with the rest.

Annotations are objects here, since Dagster reads them.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from adapters.settings import Settings
from emp_assets.exports.all_exports import wanted_jobs
from emp_assets.naming import EXPORT_DRILL_KEY, export_key, op_name
from emp_assets.retrying import RETRY_TAG, retry_waits
from jobs.automation.limits import run_limits
from jobs.ranged_run import Selection, Sessions, checks_of, range_tags
from market_data.automation.policy import AutomationPolicy, WallClock
from market_data.exports.jobs import ExportJob
from market_data.failover.state import MissedSlice, Standing
from resources.platform import PlatformResource

JOB, SCHEDULE = "export_datasets", "daily_exports"
_SLICES = 2_000
"""So many of the newest missed slices are looked through."""


def exports_selection(
    jobs: Sequence[ExportJob], sessions: Sessions, *, anew: bool = False
) -> Selection:
    """Some exports of a range of sessions, with their checks.

    Args:
        jobs: which exports.
        sessions: the range; the units that they lie in are written whole.
        anew: nothing that was exported before counts.
    """
    keys = frozenset(export_key(job.asset) for job in jobs)
    return Selection(keys, {op_name(key): {"config": {"anew": anew}} for key in keys}, sessions)


def exports_job() -> "dg.UnresolvedAssetJobDefinition":
    """The job over every export."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.groups("exports"),
        description="Exports as Parquet with manifests, read back and compared with their source.",
    )


drill_exports_job = dg.define_asset_job(
    "drill_exports",
    selection=dg.AssetSelection.assets(EXPORT_DRILL_KEY),
    description="Export the same rows again and again beside the exports, and judge it.",
)


def _made_since(slices: Iterable[MissedSlice], since: datetime) -> list[date]:
    """First sessions of missed slices that were made after a moment."""
    return [m.first for m in slices if m.replayed_at is not None and m.replayed_at >= since]


def exports_schedule(settings: Settings, policy: AutomationPolicy) -> dg.ScheduleDefinition:
    """The schedule.

    Args:
        settings: whether exports are wanted.
        policy: of the daily run, pauses and limits.
    """
    status = dg.DefaultScheduleStatus
    rules = policy.daily

    @dg.schedule(
        name=SCHEDULE,
        job_name=JOB,
        cron_schedule=WallClock(rules.at, "UTC").cron(rules.sla),
        execution_timezone="UTC",
        default_status=status.RUNNING if settings.export_dir is not None else status.STOPPED,
        description="Exports what the daily run brought; on where EMP_EXPORT_DIR is set.",
    )
    def daily_exports(
        context: dg.ScheduleEvaluationContext, platform: PlatformResource
    ) -> dg.RunRequest | dg.SkipReason:
        failover = platform.operations.open().failover
        if failover.standing() is Standing.AWAY:
            return dg.SkipReason(
                "TimescaleDB is away; what it misses is exported by the tick after it was made"
            )
        at = context.scheduled_execution_time.astimezone(UTC)
        today = at.date()
        begin = today - timedelta(days=rules.lookback)
        # As often as a session of the daily run: a run of exports that fails has others behind it.
        since = at - timedelta(days=rules.lookback + 1)
        sessions = (min([begin, *_made_since(failover.newest(_SLICES), since)]), today)
        selection = exports_selection(wanted_jobs(rules.timeframes), sessions)
        found = context.repository_def
        known = found.asset_graph.asset_check_keys if found else ()
        return dg.RunRequest(
            run_key=today.isoformat(),
            asset_selection=sorted(selection.keys),
            asset_check_keys=sorted(checks_of(known, selection)),
            tags={
                **range_tags(sessions),
                RETRY_TAG: retry_waits(policy.retries),
                **run_limits(policy, again=1),
            },
        )

    return daily_exports
