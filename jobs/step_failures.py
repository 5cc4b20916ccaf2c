"""Why a step failed, in a sentence for a person.

What belongs here: reading it from Dagster's events. What does not: who is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import dagster as dg

from market_data.errors import StoreUnavailableError

INTERRUPTED = dg.DagsterExecutionInterruptedError.__name__
_BY_CHECK = "DagsterAssetCheckFailedError"
_OURS = re.compile(r"^(market_data|adapters|resources|emp_assets|jobs|emp)(\.\w+)+: ")
_STOPPED = "a signal stopped it"


@dataclass(frozen=True)
class StepFailure:
    """Why a step failed.

    Attributes:
        step: its name, as the key of its asset.
        reason: the first line of what it said itself.
        by_check: a blocking check stopped it, nothing else went wrong.
        interrupted: SIGINT or SIGTERM ended it.
        store_failed: the warehouse did not answer it.
    """

    step: str
    reason: str
    by_check: bool
    interrupted: bool
    store_failed: bool = False


def step_of(event: dg.DagsterEvent) -> str:
    """The step of an event, as the key of its asset."""
    return (event.step_key or "").replace("__", "/")


def failure_of(event: dg.DagsterEvent) -> StepFailure:
    """What an event of a failed step says."""
    data = event.step_failure_data
    error = data.error
    by_check = error is not None and error.cls_name == _BY_CHECK
    away = _names(StoreUnavailableError)
    store_failed = error is not None and error.cls_name in away
    while error is not None and error.cause is not None:
        error = error.cause
        store_failed |= error.cls_name in away
    interrupted = error is not None and error.cls_name == INTERRUPTED
    if data.user_failure_data is not None and data.user_failure_data.description:
        reason = str(data.user_failure_data.description)
    else:
        lines = error.message.strip().splitlines() if error is not None else []
        named = str(error.cls_name) if error is not None else "no reason was recorded"
        reason = _STOPPED if interrupted else _OURS.sub("", lines[0]) if lines else named
    return StepFailure(step_of(event), reason, by_check, interrupted, store_failed)


def _names(kind: type[Exception]) -> set[str]:
    """What errors of a kind are called, adapters' own as well: events keep names alone."""
    return {kind.__name__}.union(*(_names(special) for special in kind.__subclasses__()))
