"""Reads how the daily schedule fares from Dagster's records into a fact of market_data/alerts.

What belongs here: its newest tick that should be done, and what is not. What does not: the rest of
the instance (instance_facts.py), judging (market_data/alerts).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg
from dagster import DagsterRunStatus

from jobs.automation.daily import NAME
from jobs.automation.ends import UNDER_WAY, held
from jobs.automation.requests import SCHEDULE_TAG, TICK_TAG
from market_data.alerts.facts import SlaFact
from market_data.automation.policy import DailyRules

if TYPE_CHECKING:
    from dagster._core.scheduler.instigation import InstigatorState


def sla_fact(
    instance: dg.DagsterInstance, rules: DailyRules, now: datetime, promised: float = 0.0
) -> SlaFact:
    """The newest tick of the daily schedule whose time is up, and what of it is not done.

    A schedule that is stopped promises nothing, nor does one for ticks before it was started, or
    before its time of day was the one of the rules.

    Args:
        instance: where ticks and runs are recorded.
        rules: the promise.
        now: the moment, UTC.
        promised: since when the rules name their time of day; seconds since 1970.
    """
    tick = rules.due_before(now)
    state = _state(instance)
    if state is None or tick.timestamp() < max(_started(state) or 0.0, promised):
        return SlaFact(NAME, None)
    runs = instance.get_runs(dg.RunsFilter(tags={SCHEDULE_TAG: NAME, TICK_TAG: tick.isoformat()}))
    if not runs:
        skipped = _skipped(instance, state, tick)
        return SlaFact(NAME, tick, () if skipped else ("no run was asked for",))
    return SlaFact(NAME, tick, tuple(_late(instance, runs)))


def _state(instance: dg.DagsterInstance) -> InstigatorState | None:
    """That of the schedule, where it is on."""
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import InstigatorStatus

    found = instance.all_instigator_state(
        instigator_type=InstigatorType.SCHEDULE,
        instigator_statuses={InstigatorStatus.RUNNING, InstigatorStatus.DECLARED_IN_CODE},
    )
    return next((state for state in found if state.instigator_name == NAME), None)


def _started(state: InstigatorState) -> float | None:
    from dagster._core.scheduler.instigation import ScheduleInstigatorData

    data = state.instigator_data
    return data.start_timestamp if isinstance(data, ScheduleInstigatorData) else None


def _skipped(instance: dg.DagsterInstance, state: InstigatorState, tick: datetime) -> bool:
    from dagster._core.scheduler.instigation import TickStatus

    at = tick.timestamp()
    found = instance.get_ticks(
        state.instigator_origin_id, state.selector_id, after=at - 1, before=at + 1, limit=1
    )
    return any(each.status is TickStatus.SKIPPED for each in found)


def _late(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> Iterator[str]:
    """What is not done; of a run and those that repeat it, the newest counts."""
    newest: dict[str, dg.DagsterRun] = {}
    for run in runs:
        newest.setdefault(run.root_run_id or run.run_id, run)
    for run in newest.values():
        if run.status is DagsterRunStatus.SUCCESS:
            continue
        if run.status is DagsterRunStatus.FAILURE and held(instance, run.run_id):
            continue
        what = "is still under way" if run.status in UNDER_WAY else f"ended as {run.status.value}"
        yield f"{_made(run)} {what}"


def _made(run: dg.DagsterRun) -> str:
    keys = sorted(key.to_user_string() for key in run.asset_selection or ())
    made = [key for key in keys if key.startswith("curated/bars_")] or keys
    return f"{', '.join(made) or run.job_name} (run {run.run_id})"
