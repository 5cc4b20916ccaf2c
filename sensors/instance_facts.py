"""Reads the state of Dagster's instance into the plain facts of market_data/alerts.

What belongs here: ticks, backfills, heartbeats, as Dagster records them; what of its form is not
public lies here and in run_facts.py alone.
What does not: runs (run_facts.py), judging (market_data/alerts).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from dagster import DagsterRunStatus

from market_data.alerts.facts import BackfillFact, DaemonFact, TickFact
from resources.event_errors import told

if TYPE_CHECKING:
    from dagster._core.execution.backfill import PartitionBackfill

BACKFILL = "dagster/backfill"
NAMED_ASSETS = 3
_BACKFILLS = 100
_IN_PLACE_OF = "dagster/parent_backfill_id", "dagster/root_backfill_id"


def tick_facts(instance: dg.DagsterInstance, since: float, ticks: int) -> list[TickFact]:
    """Sensors and schedules with their newest ticks; none that is older than `since`."""
    from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus

    over = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]
    facts = []
    for state in instance.all_instigator_state():
        found = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, after=since, limit=ticks, statuses=over
        )
        facts.append(
            TickFact(
                name=state.instigator_name,
                what=state.instigator_type.value.lower(),
                ticks=tuple(
                    (moment(t.timestamp), (told(t.error) or "failed") if t.is_failure else "")
                    for t in found
                ),
                running=state.status is not InstigatorStatus.STOPPED,
            )
        )
    return facts


def backfill_facts(
    instance: dg.DagsterInstance, since: float, watched: Iterable[str]
) -> list[BackfillFact]:
    """Backfills that were asked for after `since`, and those that are watched already."""
    recent = instance.get_backfills(limit=_BACKFILLS)
    found = {b.backfill_id: b for b in recent if b.backfill_timestamp >= since}
    for backfill_id in set(watched) - set(found):
        known = instance.get_backfill(backfill_id)
        if known is not None:
            found[backfill_id] = known
    replaced = _replaced(recent)
    return [_backfill(instance, b, replaced) for b in found.values()]


def _replaced(recent: Iterable[PartitionBackfill]) -> set[str]:
    """Backfills in whose place another one was asked for ("Re-execute"), which succeeded."""
    from dagster._core.execution.backfill import BulkActionStatus

    good = (b.tags for b in recent if b.status is BulkActionStatus.COMPLETED_SUCCESS)
    return {tags[name] for tags in good for name in _IN_PLACE_OF if name in tags}


def _backfill(
    instance: dg.DagsterInstance, found: PartitionBackfill, replaced: Collection[str]
) -> BackfillFact:
    from dagster._core.execution.backfill import BulkActionStatus

    failed = found.status in (BulkActionStatus.FAILED, BulkActionStatus.FAILING)
    failed = failed and found.backfill_id not in replaced
    over = found.status not in (BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING)
    keys = sorted(key.to_user_string() for key in found.asset_selection or ())
    moved = found.backfill_timestamp
    if not over:
        tags = {BACKFILL: found.backfill_id}
        newest = instance.get_run_records(
            dg.RunsFilter(tags=tags), limit=1, order_by="update_timestamp"
        )
        working = instance.get_runs_count(
            dg.RunsFilter(tags=tags, statuses=[DagsterRunStatus.STARTED])
        )
        moved = max([moved, *(r.update_timestamp.timestamp() for r in newest)])
        if working:
            # A run of it works; one whose process died is found by Dagster's own monitoring.
            moved = datetime.now(UTC).timestamp()
    return BackfillFact(
        backfill_id=found.backfill_id,
        title=found.title or ", ".join(keys[:NAMED_ASSETS]) or "backfill",
        over=over,
        failed=failed,
        moved=moment(moved),
        error=told(found.error),
    )


def daemon_facts(instance: dg.DagsterInstance) -> list[DaemonFact]:
    """The daemons that this instance needs, with their newest heartbeats."""
    beats = instance.get_daemon_heartbeats()
    facts = []
    for name in sorted(instance.get_required_daemon_types()):
        beat = beats.get(name)
        errors = tuple(told(error) for error in (beat.errors or ())) if beat else ()
        facts.append(DaemonFact(name, moment(beat.timestamp) if beat else None, errors))
    return facts


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a moment, UTC."""
    return datetime.fromtimestamp(seconds, UTC)
