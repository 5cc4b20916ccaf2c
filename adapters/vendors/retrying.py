"""How a question is put to a vendor: through its gate, and again after a pause where that may help.

What belongs here: the rule that every vendor's client follows.
What does not: sending (the clients), limits shared by processes (market_data/ports/request_gate).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import tenacity

from market_data.errors import RateLimitedError, VendorError
from market_data.ports import Claim, RequestGate

T = TypeVar("T")
_MOST_DIGITS = 9
LONGEST_PAUSE = 60.0
"""Seconds; whoever asks for a longer pause is not asked again in this fetch."""


class _Sent(threading.local):
    """Attempts of a thread that its gates let through."""

    count = 0


_SENT = _Sent()


def sent_by_this_thread() -> int:
    """How many attempts of this thread a gate has let through, to be compared with later on."""
    return _SENT.count


class Questions:
    """Puts a vendor's questions, each attempt through the gate, and reports how each went."""

    def __init__(self, gate: RequestGate, attempts: int, sleep: Callable[[float], None]) -> None:
        """Prepare; nobody is asked yet.

        Args:
            gate: grants each attempt.
            attempts: how often one question is put before its trouble is raised.
            sleep: waits that many seconds.
        """
        self._gate = gate
        self._attempts = attempts
        self._retrying = retrying(attempts, sleep)

    def put(self, claims: Sequence[Claim], ask: Callable[[], T]) -> T:
        """What an attempt brings, the first one that brings anything.

        Args:
            claims: what each attempt takes of the vendor's allowances.
            ask: one attempt.

        Raises:
            VendorError: a typed subclass, after the last attempt.
        """
        troubles: list[VendorError] = []

        def attempt() -> T:
            self._enter(claims, troubles)
            _SENT.count += 1
            try:
                found = ask()
            except VendorError as trouble:
                troubles.append(trouble)
                put_again = _may_pass(trouble) and len(troubles) < self._attempts
                self._gate.report(trouble, put_again=put_again)
                raise
            self._gate.report(None)
            return found

        found: T = self._retrying(attempt)
        return found

    def _enter(self, claims: Sequence[Claim], troubles: Sequence[VendorError]) -> None:
        try:
            self._gate.enter(claims)
        except VendorError:
            if troubles:
                # There is no other attempt: the one before was the last.
                self._gate.report(troubles[-1])
            raise


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
