"""Ranged runs that a job makes in its own step, one after another.

What belongs here: making one, and telling how it ended. What does not: which runs a job makes
(market_slice.py, take_in_files.py).
"""

from __future__ import annotations

import uuid

import dagster as dg

from jobs.ranged_run import Selection, execute
from jobs.step_failures import StepFailure, failure_of, step_of
from market_data.pipeline.slice_report import PartReport, PartStatus


def run_inside(
    context: dg.OpExecutionContext,
    definitions: dg.Definitions,
    chosen: Selection,
    name: str,
    parent_tag: str,
) -> PartReport:
    """One ranged run in the step of another, told as a part without content but its run.

    Args:
        context: of the step.
        definitions: the graph and its resources.
        chosen: what is made.
        name: of the part.
        parent_tag: under which the run names that of the step.
    """
    run_id = str(uuid.uuid4())
    failures: list[StepFailure] = []

    def hear(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.is_step_start:
            context.log.info("%s", step_of(event))
        if event is not None and event.is_step_failure:
            failures.append(failure_of(event))

    succeeded = execute(
        definitions,
        context.instance,
        chosen,
        run_id=run_id,
        tags={parent_tag: context.run_id},
        hear=hear,
    )
    if any(failure.interrupted for failure in failures):
        # The signal was for this process: what is left of the slice must not begin.
        raise dg.DagsterExecutionInterruptedError
    held = bool(failures) and all(failure.by_check for failure in failures)
    status = PartStatus.OK if succeeded else PartStatus.HELD if held else PartStatus.FAILED
    reasons = tuple(f"{name}: {f.step}: {f.reason}" for f in failures)
    away = any(failure.store_failed for failure in failures)
    return PartReport(name, status, reasons, {"run_id": run_id, "store_away": away})
