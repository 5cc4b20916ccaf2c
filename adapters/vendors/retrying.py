"""When a question to a vendor is put again, and after which pause.

What belongs here: the rule that every vendor's client follows.
What does not: sending (the clients), limits shared by processes (market_data/ports/request_gate).
"""

from __future__ import annotations

import random
from collections.abc import Callable

import tenacity

from market_data.errors import RateLimitedError, VendorError

_MOST_DIGITS = 9
LONGEST_PAUSE = 60.0
"""Seconds; whoever asks for a longer pause is not asked again in this fetch."""


def retrying(attempts: int, sleep: Callable[[float], None]) -> tenacity.Retrying:
    """Puts a question again while the trouble may pass, and raises the last trouble.

    Args:
        attempts: how often a question is put altogether.
        sleep: waits that many seconds.
    """
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(attempts),
        retry=tenacity.retry_if_exception(_may_pass),
        wait=_pause,
        sleep=sleep,
        reraise=True,
    )


def seconds_of(header: str | None) -> float | None:
    """A Retry-After header's seconds; a date in it, or an age, is left to the usual pause."""
    digits = header.strip() if header is not None else ""
    return float(digits) if digits.isdecimal() and len(digits) <= _MOST_DIGITS else None


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, RateLimitedError) and (error.retry_after or 0.0) > LONGEST_PAUSE:
        return False
    return isinstance(error, VendorError) and error.retryable


def _pause(state: tenacity.RetryCallState) -> float:
    """As long as the vendor asks for, otherwise a random time that grows with each attempt."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitedError) and error.retry_after is not None:
        return error.retry_after + random.uniform(0.0, 1.0)  # noqa: S311
    return tenacity.wait_random_exponential(multiplier=1.0, max=30.0)(state)
