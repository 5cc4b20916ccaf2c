"""How the runs of a schedule's ticks ended, from Dagster's records.

What belongs here: reading them. What does not: what follows from it
(market_data/automation/cutoff.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus

from jobs.automation.requests import SCHEDULE_TAG, TICK_TAG
from jobs.step_failures import failure_of
from market_data.automation.cutoff import TickEnd

_RUNS_PER_TICK = 12
UNDER_WAY = (
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)


def ended_ticks(instance: dg.DagsterInstance, name: str, ticks: int) -> Iterator[TickEnd]:
    """The newest ticks of a schedule whose runs are all over, newest first.

    Ticks whose runs were all cancelled say nothing and are left out.

    Args:
        instance: where runs are recorded.
        name: of the schedule.
        ticks: about so many are looked at.
    """
    runs = instance.get_runs(dg.RunsFilter(tags={SCHEDULE_TAG: name}), limit=ticks * _RUNS_PER_TICK)
    by_tick: dict[datetime, list[dg.DagsterRun]] = {}
    for run in runs:
        by_tick.setdefault(datetime.fromisoformat(run.tags[TICK_TAG]), []).append(run)
    for at in sorted(by_tick, reverse=True):
        found = by_tick[at]
        if any(run.status in UNDER_WAY for run in found):
            continue
        if any(run.status is DagsterRunStatus.SUCCESS for run in found):
            yield TickEnd(at, failed=False)
        elif failed := [run for run in found if run.status is DagsterRunStatus.FAILURE]:
            yield TickEnd(at, failed=not any(held(instance, run.run_id) for run in failed))


def held(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run failed by nothing but checks that block."""
    page = instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_FAILURE)
    return _by_checks([record.event_log_entry.dagster_event for record in page.records])


def under_way(instance: dg.DagsterInstance, name: str) -> bool:
    """Whether a run of a schedule waits or works."""
    return bool(
        instance.get_runs_count(dg.RunsFilter(tags={SCHEDULE_TAG: name}, statuses=list(UNDER_WAY)))
    )


def _by_checks(events: Sequence[dg.DagsterEvent | None]) -> bool:
    failures = [failure_of(event) for event in events if event is not None]
    return bool(failures) and all(failure.by_check for failure in failures)
