"""What runs by itself, as the command line shows it.

What belongs here: schedules with their state, their coming ticks, letting one run again.
What does not: showing (emp/commands/automation.py), what a tick does (jobs/automation).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from adapters.modes import decide
from adapters.operations_opening import open_operations
from adapters.settings import Settings
from emp.run import quiet_dagster
from market_data.automation.cutoff import CutoffState, resumed
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick

    from market_data.ports.automation import AutomationStates


@dataclass(frozen=True)
class Tick:
    """A coming tick: the schedule, the moment in UTC, and its zone."""

    schedule: str
    at: datetime
    zone: str

    @property
    def local(self) -> datetime:
        """The moment on the schedule's own clock."""
        return self.at.astimezone(ZoneInfo(self.zone))


@dataclass(frozen=True)
class ScheduleStatus:
    """How a schedule fares.

    Attributes:
        name: of the schedule.
        on: whether the daemon ticks it.
        by_default: nobody has switched it in the UI.
        last: its newest tick; None where it has not ticked.
        outcome: what became of that one: of its run, queued, started, success, failure, canceled;
            without a run, skipped with its reason, or failure.
        next: its next tick, while it is on.
        state: what it remembers of its runs.
    """

    name: str
    on: bool
    by_default: bool
    last: datetime | None
    outcome: str
    next: datetime | None
    state: CutoffState


def statuses(settings: Settings, now: datetime) -> list[ScheduleStatus]:
    """Every schedule of an installation, in the order of the graph.

    Args:
        settings: of the installation.
        now: the moment, UTC.

    Raises:
        ConfigurationError: a setting or a configuration file is wrong.
    """
    from emp.instance import open_instance

    known = {state.name: state for state in _states(settings).all()}
    with open_instance(settings) as instance:
        stored = _stored(instance)
        return [
            _status(
                instance,
                schedule,
                stored.get(schedule.name),
                known.get(schedule.name, CutoffState(schedule.name)),
                now,
            )
            for schedule in _schedules(settings)
        ]


def coming(settings: Settings, now: datetime, within: timedelta) -> list[Tick]:
    """The ticks of schedules that are on, in their order.

    Args:
        settings: of the installation.
        now: the moment, UTC.
        within: so far ahead.

    Raises:
        ConfigurationError: a setting or a configuration file is wrong.
    """
    from emp.instance import open_instance

    with open_instance(settings) as instance:
        stored = _stored(instance)
    on = [s for s in _schedules(settings) if _is_on(s, stored.get(s.name))]
    ahead = (takewhile(lambda t: t.at <= now + within, _ticks(s, now)) for s in on)
    return list(heapq.merge(*ahead, key=lambda tick: tick.at))


def resume(settings: Settings, name: str, now: datetime) -> bool:
    """Let a schedule run again; whether it was cut off.

    Args:
        settings: of the installation.
        name: of the schedule.
        now: failures before count no more.

    Raises:
        ConfigurationError: there is no such schedule, and none is remembered.
    """
    states = _states(settings)
    # One that was taken out of the configuration while it was cut off still alerts.
    if name not in {state.name for state in states.all()}:
        known = [schedule.name for schedule in _schedules(settings)]
        if name not in known:
            told = f"there is no schedule {name!r}; there are: {', '.join(known)}"
            raise ConfigurationError(told)
    before = states.get(name)
    states.keep(resumed(before, now), now)
    return before.cut_at is not None


def _states(settings: Settings) -> AutomationStates:
    return open_operations(decide(settings).operations_url).automation


def _schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    quiet_dagster()
    import dagster as dg

    from definitions import build_definitions

    found = build_definitions(settings).schedules or ()
    return [schedule for schedule in found if isinstance(schedule, dg.ScheduleDefinition)]


def _stored(instance: dg.DagsterInstance) -> dict[str, InstigatorState]:
    from dagster._core.definitions.run_request import InstigatorType

    found = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    return {state.instigator_name: state for state in found}


def _is_on(schedule: dg.ScheduleDefinition, state: InstigatorState | None) -> bool:
    import dagster as dg
    from dagster._core.scheduler.instigation import InstigatorStatus

    by_default = schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    if state is None or state.status is InstigatorStatus.DECLARED_IN_CODE:
        return by_default
    return state.status is InstigatorStatus.RUNNING


def _status(
    instance: dg.DagsterInstance,
    schedule: dg.ScheduleDefinition,
    state: InstigatorState | None,
    known: CutoffState,
    now: datetime,
) -> ScheduleStatus:
    from dagster._core.scheduler.instigation import InstigatorStatus

    on = _is_on(schedule, state)
    ticks = (
        instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1) if state else ()
    )
    last = ticks[0] if ticks else None
    return ScheduleStatus(
        name=schedule.name,
        on=on,
        by_default=state is None or state.status is InstigatorStatus.DECLARED_IN_CODE,
        last=datetime.fromtimestamp(last.timestamp, UTC) if last else None,
        outcome=_outcome(instance, last) if last else "",
        next=next(_ticks(schedule, now)).at if on else None,
        state=known,
    )


def _outcome(instance: dg.DagsterInstance, tick: InstigatorTick) -> str:
    """A tick that asked for a run has succeeded, whatever became of the run."""
    runs = [run for run_id in tick.run_ids if (run := instance.get_run_by_id(run_id))]
    if runs:
        return ", ".join(sorted({run.status.value.lower() for run in runs}))
    outcome = tick.status.value.lower()
    reason = tick.tick_data.skip_reason
    return f"{outcome}: {reason}" if reason else outcome


def _ticks(schedule: dg.ScheduleDefinition, now: datetime) -> Iterator[Tick]:
    """The ticks of a schedule after a moment, as the daemon computes them."""
    from dagster._utils.schedules import schedule_execution_time_iterator

    zone = schedule.execution_timezone or "UTC"
    for at in schedule_execution_time_iterator(now.timestamp(), schedule.cron_schedule, zone):
        yield Tick(schedule.name, at.astimezone(UTC), zone)
