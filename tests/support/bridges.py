"""Looking through a bridge until something holds.

What belongs here: the limit of patience, so that events that never come fail a test in seconds.
What does not: what is expected of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from adapters.kafka.bridge import Bridge, Bridged

PATIENCE_SECONDS = 15.0


def look_until(
    opened: Bridge, holds: Callable[[Bridged], bool], seconds: float = PATIENCE_SECONDS
) -> Bridged:
    """All that came until it held.

    Raises:
        AssertionError: it never did.
    """
    total = Bridged()
    deadline = time.monotonic() + seconds
    while not holds(total):
        assert time.monotonic() < deadline, f"after {seconds:g} s only {total} had come"
        found = opened.look()
        total = Bridged(
            total.events + found.events,
            total.repeated + found.repeated,
            total.unreadable + found.unreadable,
        )
    return total
