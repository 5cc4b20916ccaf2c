"""What every tick of a schedule of bars does: take its turn, find its parts, ask for runs.

What belongs here: the order of the steps, the schedule as Dagster wants it.
What does not: which parts a schedule has (daily.py, market_close.py, refresh.py).

Annotations are objects here, since Dagster reads them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg

from jobs.automation.bars_job import NAME as JOB
from jobs.automation.ends import ended_ticks
from jobs.automation.requests import slice_requests
from jobs.failover import note_left_out
from market_data.automation.cutoff import CutoffState, Turn, turn
from market_data.automation.policy import AutomationPolicy
from market_data.failover.state import Standing
from market_data.pipeline.market_slice import SlicePart
from market_data.pipeline.platform import Platform
from resources.platform import PlatformResource

Plan = Callable[[dg.ScheduleEvaluationContext, Callable[[], Platform]], Sequence[SlicePart] | str]
"""From a tick to its parts, or to the reason why it has none. The platform is opened by whoever
needs it: a tick that finds its market closed opens no store."""


@dataclass(frozen=True)
class Timed:
    """A schedule's name, clock and purpose.

    Attributes:
        name: of the schedule.
        cron: when it ticks.
        zone: whose wall clock that is.
        description: what it is for.
        running: whether it is on until somebody says otherwise.
        again: how often a run that could not start, or whose process died, is launched again.
    """

    name: str
    cron: str
    zone: str
    description: str
    running: bool
    again: int = 1


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
        at, states = due(context), platform.operations.open().automation
        before = states.get(timed.name)
        ends = ended_ticks(context.instance, timed.name, policy.cutoff.failures + 1)
        after, decided = turn(before, ends, at, policy.cutoff)
        parts = cut_off(after) if decided is Turn.SKIP else plan(context, platform.open)
        if isinstance(parts, str):
            # A probe is spent by a tick that asks for something.
            after = replace(after, probed_at=after.probed_at and before.probed_at)
        if after != before:
            states.keep(after, at)
        if isinstance(parts, str):
            return dg.SkipReason(parts)
        found = context.repository_def
        known = found.asset_graph.asset_check_keys if found else ()
        standing = _told_what_is_left_out(platform, parts)
        return slice_requests(known, policy, timed.name, at, parts, standing, again=timed.again)

    return schedule


def _told_what_is_left_out(platform: PlatformResource, parts: Sequence[SlicePart]) -> Standing:
    """Note what runs leave out while the warehouse is away; the standing."""
    failover = platform.operations.open().failover
    standing = failover.standing()
    if standing is Standing.AWAY:
        now = platform.open().clock.now()
        for part in parts:
            made, sessions = (part.timeframe, *part.also), (part.first, part.last)
            note_left_out(failover, made, part.symbols, sessions, at=now, features=part.features)
    return standing


def due(context: dg.ScheduleEvaluationContext) -> datetime:
    """When the tick was due, UTC."""
    return context.scheduled_execution_time.astimezone(UTC)


def cut_off(state: CutoffState) -> str:
    """Why a schedule that is cut off asks for nothing."""
    return (
        f"cut off since {state.cut_at:%Y-%m-%d %H:%M} UTC, after {state.failures} failed ticks in "
        f"a row; 'emp automation resume {state.name}' lets it run again"
    )
