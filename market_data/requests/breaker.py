"""The circuit breaker of one vendor: who fails again and again is left alone for a while.

What belongs here: the states and what leads from one to the next, as pure functions.
What does not: where a state is kept and how processes share it (adapters/requests).

Closed, requests pass. After FAILURES failures within SPAN, with no answer in between, it is open:
nothing is asked for a pause. Then it is half open: one request is let through as a probe; an answer
closes the breaker, another failure opens it for twice as long. A probe whose process died holds up
the next one for PROBE at most.

What fails is a question, not an attempt at it: one that is put three times in vain is one failure,
when it is given up. A probe is a single request, so its failure counts at once and ends its
question.

A vendor that is too busy to answer some of the questions is not one that is away: an answer of any
kind, a refusal too, clears the failures before it. A refusal that names a pause holds requests back
for that long, in every process.

Instants and durations are microseconds of the clock that the processes share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from market_data.errors import (
    MalformedAnswerError,
    RateLimitedError,
    VendorError,
    VendorUnavailableError,
)

SECOND = 1_000_000
FAILURES = 5
SPAN = 1_800 * SECOND
"""Longer than five questions take that are all put three times to a vendor that hangs."""
PAUSE = 60 * SECOND
MOST_PAUSE = 900 * SECOND
PROBE = 150 * SECOND
"""Longer than any client waits for an answer."""
MOST_HOLD = 86_400 * SECOND
"""Whatever a vendor asks for, it is tried once a day."""
_WORDS = 300
"""Characters of a trouble that are kept."""


class State(StrEnum):
    """What the breaker does with a request."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@dataclass(frozen=True)
class Breaker:
    """What is known of one vendor.

    Attributes:
        failures: when questions were given up, within SPAN and since the last answer.
        opened: how often in a row it was opened; 0 where it is closed.
        retry_at: when the pause ends.
        probe_until: until when a probe that is under way is waited for; 0 for none.
        held_until: until when the vendor asked to be left in peace; 0 for not at all.
        trouble: the last failure, in words.
    """

    failures: tuple[int, ...] = ()
    opened: int = 0
    retry_at: int = 0
    probe_until: int = 0
    held_until: int = 0
    trouble: str = ""

    def state(self, now: int) -> State:
        """What it does with requests at an instant."""
        if not self.opened:
            return State.CLOSED
        return State.OPEN if now < self.retry_at else State.HALF_OPEN

    def closed_until(self, now: int) -> int:
        """When the next request may be let through; `now` where it may at once."""
        return max(now, self.retry_at, self.probe_until) if self.opened else now


def probed(breaker: Breaker, now: int) -> Breaker | None:
    """The breaker after a request was let through; None where it must not be."""
    if breaker.state(now) is State.CLOSED:
        return breaker
    if breaker.closed_until(now) > now:
        return None
    return replace(breaker, probe_until=now + PROBE)


def reported(
    breaker: Breaker, trouble: VendorError | None, now: int, *, put_again: bool = False
) -> Breaker:
    """The breaker after a request came to its end.

    Args:
        breaker: as it was.
        trouble: what it ended with; None for an answer.
        now: when.
        put_again: whether its question is put once more, which makes its failure none yet.
    """
    if is_failure(trouble):
        if put_again and breaker.state(now) is not State.HALF_OPEN:
            return breaker
        return _failed(breaker, str(trouble)[:_WORDS], now)
    held = breaker.held_until if breaker.held_until > now else 0
    if isinstance(trouble, RateLimitedError) and trouble.retry_after:
        held = max(held, now + min(MOST_HOLD, int(trouble.retry_after * SECOND)))
    return Breaker(held_until=held)


def is_failure(trouble: VendorError | None) -> bool:
    """Whether a trouble speaks against the vendor itself, and not against what was asked."""
    return isinstance(trouble, VendorUnavailableError | MalformedAnswerError)


def _failed(breaker: Breaker, trouble: str, now: int) -> Breaker:
    recent = (*(at for at in breaker.failures if at > now - SPAN), now)[-FAILURES:]
    failed = replace(breaker, failures=recent, trouble=trouble)
    state = breaker.state(now)
    if state is State.OPEN:
        # A request that was under way when it opened; the probes tell when it may close.
        return failed
    if state is State.CLOSED and len(recent) < FAILURES:
        return failed
    pause = min(MOST_PAUSE, PAUSE * 2 ** min(breaker.opened, 10))
    return replace(failed, opened=breaker.opened + 1, retry_at=now + pause, probe_until=0)
