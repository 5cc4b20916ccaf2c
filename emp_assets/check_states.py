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
) -> set[tuple[str, str]]:
    """Record each result under its session, as the state of the session's materialisation.

    A session that has never been materialised has no state to be recorded under and is left out.

    Returns:
        Check and session of each result that is recorded.
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
    else:
        for evaluation in evaluations:
            # The method stores any event; its annotation names only the documented three.
            context.op_execution_context.log_event(evaluation)  # type: ignore[arg-type]
    return {(r.check, r.session) for r in results if r.session in targets}


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
    warnings: int | None = None,
) -> list[SessionResult]:
    """Of the failures of checks of which a run records nothing else, those to be recorded.

    A record costs kilobytes, and a run over decades may fail everywhere. Errors are kept before
    warnings, and of either the newest of each check, so that a check that fails everywhere leaves
    room for the others. Of the rest those are kept of sessions of which anything is recorded: none
    stays green, and none whose failure was told looks mended. A session that was never checked
    stays so; the summary of the run counts it.

    Args:
        instance: where the records are.
        asset: of the checks.
        failed: failures, of each check the newest session first.
        most: so many are kept whatever is recorded of their sessions.
        warnings: so many of them may be warnings; None: all.

    Returns:
        Those that are kept, in their order.
    """
    bound = most if warnings is None else min(most, warnings)
    turns: dict[tuple[str, bool], int] = {}
    ranked = []
    for place, result in enumerate(failed):
        warning = result.severity is not dg.AssetCheckSeverity.ERROR
        turn = turns[result.check, warning] = turns.get((result.check, warning), -1) + 1
        ranked.append((warning, turn, place))
    ranked.sort()
    errors = [place for warning, _, place in ranked if not warning][:most]
    warned = [place for warning, _, place in ranked if warning]
    kept = {*errors, *warned[: min(bound, most - len(errors))]}
    if len(kept) == len(failed):
        return list(failed)
    left = {r.check for place, r in enumerate(failed) if place not in kept}
    # Not the states: the materialisation of this run has cleared those of its sessions.
    found = instance.event_log_storage.get_asset_check_partition_info(
        [dg.AssetCheckKey(asset, check) for check in sorted(left)]
    )
    known = {(info.check_key.name, info.partition_key) for info in found}
    return [r for n, r in enumerate(failed) if n in kept or (r.check, r.session) in known]


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
