"""Why a run or a step failed, as an event of Dagster has it.

What belongs here: finding the error of an event that may have none, and its cause in one line.
What does not: who is told (jobs/step_failures.py, sensors/run_facts.py).

Where nobody was left to record a reason, as after a killed process, the end of a run comes without
data, and the message of its event is all there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterEvent
    from dagster_shared.error import SerializableErrorInfo


def error_of(event: DagsterEvent) -> SerializableErrorInfo | None:
    """What a failed step or run raised; None where its event has no data, or no error in it."""
    return getattr(event.event_specific_data, "error", None)


def told(error: SerializableErrorInfo | None) -> str:
    """The cause behind an error in one line; Dagster wraps it several times."""
    links = list(chain(error))
    return " ".join(links[-1].message.split()) if links else ""


def chain(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    """An error and what caused it, in turn."""
    while error is not None:
        yield error
        error = error.cause
