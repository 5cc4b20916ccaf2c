"""Whether a Redis can be used, as this process saw it last.

What belongs here: how long a Redis that failed is left alone, and what people are told of it, once
per outage and process, however many caches of the process speak to it.
What does not: what is asked of Redis (redis_cache.py).
"""

from __future__ import annotations

import logging
import threading
import time
from functools import cache

LOG = logging.getLogger(__name__)

READS = "reads go to the store meanwhile"
REST_SECONDS = 5.0
"""How long Redis is left alone after a fault."""
MOST_REST_SECONDS = 60.0
_PATIENCE = 10
"""A fault that took long to show is followed by a rest that many times as long: a Redis that hangs
must not take most of the readers' time."""


class Presence:
    """What a process knows of one Redis; safe across threads.

    Args:
        shown: the server as people know it, without a login.
        meanwhile: what is done while it is away.
    """

    def __init__(self, shown: str, meanwhile: str = READS) -> None:
        self._shown = shown
        self._meanwhile = meanwhile
        self._guard = threading.Lock()
        self._rests_until = 0.0
        self._is_away = False

    @property
    def is_away(self) -> bool:
        """Whether it failed when it was asked last."""
        return self._is_away

    @property
    def rests(self) -> bool:
        """Whether it is not to be asked now."""
        return time.monotonic() < self._rests_until

    def failed(self, trouble: str, *, took: float) -> None:
        """It failed: leave it alone for a while, and say so where that is news.

        Args:
            trouble: what it did, for instance "does not answer".
            took: seconds until that was clear.
        """
        rest = min(MOST_REST_SECONDS, max(REST_SECONDS, _PATIENCE * took))
        with self._guard:
            self._rests_until = time.monotonic() + rest
            first, self._is_away = not self._is_away, True
        if first:
            LOG.warning("Redis at %s %s: %s", self._shown, trouble, self._meanwhile)

    def answered(self) -> None:
        """It did what it was asked."""
        if not self._is_away:
            return
        with self._guard:
            news, self._is_away = self._is_away, False
            self._rests_until = 0.0
        if news:
            LOG.info("Redis at %s answers again", self._shown)


@cache
def presence_of(shown: str, meanwhile: str = READS) -> Presence:
    """The one of this process for a server and what stands on it.

    Args:
        shown: host, port and database.
        meanwhile: what is done while it is away.
    """
    return Presence(shown, meanwhile)
