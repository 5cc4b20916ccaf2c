"""What every tick of a schedule of bars does: find its parts, take its turn, ask for runs.

What belongs here: the order of the steps, the schedule as Dagster wants it.
What does not: which parts a schedule has (daily.py, market_close.py, refresh.py).

Annotations are objects here, since Dagster reads them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from jobs.automation.bars_job import NAME as JOB
from jobs.automation.ends import ended_ticks
from jobs.automation.requests import slice_requests
from market_data.automation.cutoff import Turn, turn
from market_data.automation.policy import AutomationPolicy
from market_data.pipeline.market_slice import SlicePart
from market_data.pipeline.platform import Platform
from resources.platform import PlatformResource

Plan = Callable[[dg.ScheduleEvaluationContext, Callable[[], Platform]], Sequence[SlicePart] | str]
"""From a tick to its parts, or to the reason why it has none. The platform is opened by whoever
needs it: a tick that finds its market closed touches no database."""


@dataclass(frozen=True)
class Timed:
    """A schedule's name, clock and purpose.

    Attributes:
        name: of the schedule.
        cron: when it ticks.
        zone: whose wall clock that is.
        description: what it is for.
        running: whether it is on until somebody says otherwise.
    """

    name: str
    cron: str
    zone: str
    description: str
    running: bool


def bars_schedule(timed: Timed, policy: AutomationPolicy, plan: Plan) -> dg.ScheduleDefinition:
    """A schedule that brings bars."""

    @dg.schedule(
        name=timed.name,
        job_name=JOB,
        cron_schedule=timed.cron,
        execution_timezone=timed.zone,
        default_status=dg.DefaultScheduleStatus.RUNNING
        if timed.running
        else dg.DefaultScheduleStatus.STOPPED,
        description=timed.description,
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, platform: PlatformResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        parts = plan(context, platform.open)
        if isinstance(parts, str):
            return dg.SkipReason(parts)
        if reason := _cut_off(context, platform, policy, timed.name):
            return dg.SkipReason(reason)
        found = context.repository_def
        known = found.asset_graph.asset_check_keys if found else ()
        return slice_requests(known, policy, timed.name, due(context), parts)

    return schedule


def due(context: dg.ScheduleEvaluationContext) -> datetime:
    """When the tick was due, UTC."""
    return context.scheduled_execution_time.astimezone(UTC)


def _cut_off(
    context: dg.ScheduleEvaluationContext,
    platform: PlatformResource,
    policy: AutomationPolicy,
    name: str,
) -> str:
    """Why the schedule is cut off; empty where it may run."""
    now, rules = due(context), policy.cutoff
    states = platform.operations.open().automation
    before = states.get(name)
    after, decided = turn(
        before, ended_ticks(context.instance, name, rules.failures + 1), now, rules
    )
    if after != before:
        states.keep(after, now)
    if decided is not Turn.SKIP:
        return ""
    return (
        f"cut off since {after.cut_at:%Y-%m-%d %H:%M} UTC, after {after.failures} failed ticks in "
        f"a row; 'emp automation resume {name}' lets it run again"
    )
