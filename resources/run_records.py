"""Runs that Dagster's records hold, and which of them may go.

What belongs here: which runs the state of a session stands on, and removing the others with their
events and what they printed; what of Dagster's tables is not public lies here alone.
What does not: when and after how long (config/automation.yaml, jobs/automation/purge.py), ticks of
schedules and sensors, which Dagster removes itself (`retention` of dagster.yaml).

Dagster keeps runs for ever. It reads the state of a session from the newest events about it: what
was made from the newest materialisation, what failed from the newest attempt, and of a check from
its newest evaluation. The runs of these stay, however old. Of a session that was made again, the
earlier runs go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from dagster import DagsterEventType, DagsterInstance, RunsFilter
from dagster._core.execution.backfill import (
    BULK_ACTION_TERMINAL_STATUSES,
    BulkActionsFilter,
    BulkActionStatus,
)
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log import SqlEventLogStorageTable
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

BACKFILL_TAGS = ("dagster/backfill", "emp/backfill")
_KINDS = (
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_OBSERVATION,
)
_EVALUATED = ("SUCCEEDED", "FAILED")


@dataclass(frozen=True)
class Purge:
    """What goes, and what stays.

    Attributes:
        runs: that may go, oldest first.
        kept: how many are as old, and stay since the state of a session stands on them.
    """

    runs: Sequence[str]
    kept: int


def purgeable(instance: DagsterInstance, before: datetime, live: Collection[str] = ()) -> Purge:
    """Runs that ended before a moment and on which nothing stands.

    Args:
        instance: holds the runs.
        before: aware; of runs that ended or changed later none goes.
        live: backfills of the platform that are not over; their runs stay.
    """
    over = RunsFilter(statuses=sorted(FINISHED_STATUSES, key=str), updated_before=before)
    # Newest first.
    old = list(instance.get_run_ids(filters=over))
    stay = needed_runs(instance) | _of_live_backfills(instance, live) if old else set()
    gone = [run for run in reversed(old) if run not in stay]
    return Purge(gone, len(old) - len(gone))


def needed_runs(instance: DagsterInstance) -> set[str]:
    """Runs that hold the newest event or evaluation of some session, or of an asset without any."""
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    asked = [
        sa.select(events.run_id).where(
            events.id.in_(
                sa.select(sa.func.max(events.id))
                .where(events.dagster_event_type == kind.value, events.asset_key.is_not(None))
                .group_by(events.asset_key, events.partition)
            )
        )
        for kind in _KINDS
    ]
    one = checks.asset_key, checks.check_name, checks.partition
    # A planned evaluation has its number before it is evaluated, so that neither order is enough.
    newest = sa.select(sa.func.max(checks.id)).group_by(*one)
    evaluated = sa.select(sa.func.max(checks.evaluation_event_storage_id)).group_by(*one)
    judged = checks.execution_status.in_(_EVALUATED)
    asked += [
        sa.select(checks.run_id).where(checks.id.in_(newest)),
        sa.select(checks.run_id).where(checks.id.in_(newest.where(judged))),
        sa.select(checks.run_id).where(
            checks.evaluation_event_storage_id.in_(evaluated.where(judged))
        ),
    ]
    found: set[str] = set()
    with _index(instance) as connection:
        for statement in asked:
            found |= {run for (run,) in connection.execute(statement.distinct()) if run}
    return found


def remove_runs(
    instance: DagsterInstance, runs: Sequence[str], tell: Callable[[str], None] = lambda _: None
) -> int:
    """Remove runs with their events, evaluations and what they printed; how many were removed.

    The run itself goes last: one whose removal was interrupted is found again.

    Args:
        instance: holds them.
        runs: that `purgeable` named.
        tell: takes a sentence from time to time.
    """
    for number, run in enumerate(runs, 1):
        instance.event_log_storage.delete_events(run)
        with _index(instance) as connection:
            connection.execute(
                AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run)
            )
        instance.compute_log_manager.delete_logs(prefix=[run])
        instance.run_storage.delete_run(run)
        if number % 500 == 0:
            tell(f"{number} of {len(runs)} runs removed")
    return len(runs)


def _of_live_backfills(instance: DagsterInstance, live: Collection[str]) -> set[str]:
    working = [s for s in BulkActionStatus if s not in BULK_ACTION_TERMINAL_STATUSES]
    dagsters = instance.get_backfills(filters=BulkActionsFilter(statuses=working))
    found: set[str] = set()
    for tag, ids in zip(BACKFILL_TAGS, ([b.backfill_id for b in dagsters], live), strict=True):
        if ids:
            found |= set(instance.get_run_ids(filters=RunsFilter(tags={tag: sorted(ids)})))
    return found


def _index(instance: DagsterInstance) -> Any:
    """A connection to the database that holds the events of all assets."""
    return instance.event_log_storage.index_connection()  # type: ignore[attr-defined]
