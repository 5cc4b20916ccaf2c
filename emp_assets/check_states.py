"""Makes the recorded state of a check true for every session of a ranged run.

What belongs here: the way around one behaviour of Dagster 1.13, and nothing else. A check that
runs over a range of partitions is stored without a partition, and the sessions of the range end as
SKIPPED although they were checked. An evaluation logged per session, tied to that session's
newest materialisation, gives each its own state; tests/compat/test_check_states.py says what has
to hold, and fails when an upgrade changes it.
What does not: judging data (emp_assets/bar_checks.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster import DagsterEvent, DagsterEventType
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import DagsterEventBatchMetadata

from resources.takes_evaluations import TakesEvaluations


@dataclass(frozen=True)
class SessionResult:
    """What one check found in one session."""

    check: str
    session: str
    passed: bool
    severity: dg.AssetCheckSeverity
    description: str
    metadata: Mapping[str, Any]


def log_session_results(
    context: dg.AssetCheckExecutionContext,
    asset: dg.AssetKey,
    results: Iterable[SessionResult],
) -> None:
    """Record each result under its session, as the state of the session's materialisation.

    A session that has never been materialised has no state to be recorded under and is left out.
    """
    results = list(results)
    targets = _targets(context.instance, asset, sorted({r.session for r in results}))
    evaluations = [
        dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=result.check,
            passed=result.passed,
            metadata=dict(result.metadata),
            target_materialization_data=targets[result.session],
            severity=result.severity,
            description=result.description,
            blocking=False,
            partition=result.session,
        )
        for result in results
        if result.session in targets
    ]
    if isinstance(context.instance.event_log_storage, TakesEvaluations):
        _log_at_once(context, evaluations)
        return
    for evaluation in evaluations:
        # The method stores any event; its annotation names only the documented three.
        context.op_execution_context.log_event(evaluation)  # type: ignore[arg-type]


def _log_at_once(
    context: dg.AssetCheckExecutionContext, evaluations: Sequence[dg.AssetCheckEvaluation]
) -> None:
    """What `log_event` does, with one write for all of them where events are stored in batches."""
    step = context.op_execution_context.get_step_execution_context()
    batch = uuid.uuid4().hex
    for number, evaluation in enumerate(evaluations, 1):
        DagsterEvent.from_step(
            DagsterEventType.ASSET_CHECK_EVALUATION,
            step,
            event_specific_data=evaluation,
            message=f"{evaluation.check_name} of {evaluation.asset_key.to_user_string()}, "
            f"{evaluation.partition}: {evaluation.description}",
            batch_metadata=DagsterEventBatchMetadata(batch, number == len(evaluations)),
        )


def worth_recording(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    failed: Sequence[SessionResult],
    most: int,
) -> list[SessionResult]:
    """Of one check's failures, in a run that records nothing else of it, those to be recorded.

    A record costs kilobytes, and a run over decades may fail everywhere. The newest ones are kept,
    and of the others those of sessions of which anything is recorded: none stays green, and none
    whose failure was told looks mended. A session that was never checked stays so; the summary of
    the run counts it.

    Args:
        instance: where the records are.
        asset: of the check.
        failed: failures of one check, the newest session first.
        most: so many are kept whatever is recorded of their sessions.
    """
    if len(failed) <= most:
        return list(failed)
    key = dg.AssetCheckKey(asset, failed[0].check)
    # Not the states: the materialisation of this run has cleared those of its sessions.
    found = instance.event_log_storage.get_asset_check_partition_info([key])
    known = {info.partition_key for info in found}
    return [*failed[:most], *(r for r in failed[most:] if r.session in known)]


def _targets(
    instance: dg.DagsterInstance, asset: dg.AssetKey, sessions: Sequence[str]
) -> dict[str, AssetCheckEvaluationTargetMaterializationData]:
    """The newest materialisation of each session."""
    if not sessions:
        return {}
    targets: dict[str, AssetCheckEvaluationTargetMaterializationData] = {}
    cursor = None
    while True:
        page = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset, asset_partitions=list(sessions)),
            limit=1000,
            cursor=cursor,
        )
        for record in page.records:
            # Records come newest first.
            if record.partition_key is not None and record.partition_key not in targets:
                targets[record.partition_key] = AssetCheckEvaluationTargetMaterializationData(
                    storage_id=record.storage_id,
                    run_id=record.run_id,
                    timestamp=record.timestamp,
                )
        if not page.has_more or len(targets) == len(sessions):
            return targets
        cursor = page.cursor
