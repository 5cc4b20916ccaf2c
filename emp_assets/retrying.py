"""Further attempts of a step, at the pauses that its run asks for.

What belongs here: which troubles are worth another attempt. What does not: how long the pauses are
(config/automation.yaml, by a tag of the run), repeating one request (adapters/vendors/retrying.py).

Dagster's own policies know pauses of 5, 15 and 35 or of 5, 10 and 15 minutes, not of 5, 10 and 20,
and would repeat a step that a check has stopped. A run that carries no tag fails at once: whoever
sits before it can decide better.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from market_data.automation.policy import RetryRules
from market_data.errors import StoreUnavailableError, StreamError, VendorError

RETRY_TAG = "emp/retry_waits"
"""Seconds before each further attempt, separated by commas."""


class UnansweredError(dg.Failure):
    """A vendor answered none of the questions that were put to it."""


class LeftToReplayError(StoreUnavailableError):
    """The warehouse counts as away, and the step's slice is noted: it is made when that is back.

    Further attempts would gain nothing, and while it waits for them the run keeps the place of its
    vendor, so that nobody fetches.
    """


@contextmanager
def retried(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Ask for another attempt where the trouble may pass and the run has attempts left.

    Args:
        context: of the step.

    Raises:
        RetryRequested: in place of the trouble.
    """
    try:
        yield
    except (VendorError, StoreUnavailableError, StreamError, UnansweredError) as error:
        if isinstance(error, VendorError) and not error.retryable:
            raise
        if isinstance(error, LeftToReplayError):
            raise
        waits = _waits(context.run.tags.get(RETRY_TAG, ""))
        attempt = context.retry_number
        if attempt >= len(waits):
            raise
        context.log.warning(
            "attempt %d of %d failed; the next one begins in %g minutes: %s",
            attempt + 1,
            len(waits) + 1,
            waits[attempt] / 60,
            error.description if isinstance(error, dg.Failure) else error,
        )
        raise dg.RetryRequested(max_retries=len(waits), seconds_to_wait=waits[attempt]) from error


def retry_waits(rules: RetryRules) -> str:
    """The value of the tag for some rules."""
    return ",".join(f"{wait.total_seconds():g}" for wait in rules.waits)


def _waits(text: str) -> list[float]:
    return [float(part) for part in text.split(",") if part]
