"""When a scheduled run may ask its first question.

What belongs here: waiting for the moment that a run's tag names. What does not: choosing it
(jobs/automation/requests.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from time import sleep

import dagster as dg

START_TAG = "emp/start_after"
"""A moment, ISO 8601 with its zone."""
LONGEST_SECONDS = 600.0
"""Nobody waits longer, whatever the tag and the clock say."""


def await_turn(context: dg.AssetExecutionContext) -> None:
    """Wait for the moment that the run's tag names; a run without one does not wait."""
    named = context.run.tags.get(START_TAG)
    if not named:
        return
    seconds = (datetime.fromisoformat(named) - datetime.now(UTC)).total_seconds()
    if seconds > 0:
        context.log.info("waiting %d s, so that not everybody asks at the full hour", seconds)
        sleep(min(seconds, LONGEST_SECONDS))
