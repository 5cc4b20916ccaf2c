"""Sessions of assets that their newest run did not make, from Dagster's records.

What belongs here: which they are, when and why; what of Dagster's form is not public lies here.
What does not: what follows (market_data/operations/failed_sessions.py), the records
(event_log.py, postgres_records.py).

The UI shows the same as failed. A session whose newest run was cancelled, or is gone, is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    RunRecord,
    RunsFilter,
)

from market_data.operations.failed_sessions import Attempt
from resources.event_errors import error_of, told

_CHUNK = 100
_ENDS = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}


def failed_sessions(instance: DagsterInstance, assets: Iterable[AssetKey]) -> list[Attempt]:
    """Every session of some assets that has failed and was not made since.

    Args:
        instance: holds the records.
        assets: whose partitions are sessions; another partition is left out.
    """
    log = instance.event_log_storage
    tried_of = log.get_latest_asset_partition_materialization_attempts_without_materializations
    tried = {key: tried_of(key) for key in assets}
    failed = _failed(instance, {run for parts in tried.values() for run, _ in parts.values()})
    why = {run_id: _why(instance, run_id) for run_id in failed}
    return [
        Attempt(key.to_user_string(), session, run_id, _ended(failed[run_id]), why[run_id])
        for key, parts in tried.items()
        for partition, (run_id, _) in parts.items()
        if run_id in failed and (session := _day(partition)) is not None
    ]


def _failed(instance: DagsterInstance, runs: set[str]) -> dict[str, RunRecord]:
    """Those of some runs that failed."""
    found: dict[str, RunRecord] = {}
    ids = sorted(runs)
    for start in range(0, len(ids), _CHUNK):
        chosen = RunsFilter(
            run_ids=ids[start : start + _CHUNK], statuses=[DagsterRunStatus.FAILURE]
        )
        found |= {r.dagster_run.run_id: r for r in instance.get_run_records(chosen)}
    return found


def _ended(record: RunRecord) -> datetime:
    if record.end_time is None:
        return record.update_timestamp.astimezone(UTC)
    return datetime.fromtimestamp(record.end_time, UTC)


def _why(instance: DagsterInstance, run_id: str) -> str:
    """What ended a run: its first step that failed, or what the run itself says."""
    said = ""
    for record in instance.get_records_for_run(run_id, of_type=_ENDS, limit=50).records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        if event.is_step_failure:
            cause = told(error_of(event))
            return f"{event.step_key}: {cause or event.message or 'failed'}"
        said = told(error_of(event)) or event.message or ""
    return said or "the run failed"


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
