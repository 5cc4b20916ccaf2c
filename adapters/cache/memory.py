"""A cache in this process: the least recently used entry makes room.

What belongs here: entries, their age and their order. What does not: what they hold.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from adapters.cache.policy import BOOTSTRAP, CachePolicy
from market_data.ports.cache import CacheMetrics

WAIT_SECONDS = 10.0
_COUNTED = ("hits", "misses", "evictions", "expirations", "invalidations", "failures")


class MemoryCache:
    """Keeps bytes in memory; safe across threads.

    Args:
        policy: its limits.
        clock: seconds that never go back.
    """

    def __init__(
        self, policy: CachePolicy = BOOTSTRAP, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._guard = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._loading: dict[str, threading.Event] = {}

    @property
    def idle(self) -> bool:
        """Never but where the policy keeps nothing."""
        return not self._policy.max_keys

    def get(self, key: str) -> bytes | None:
        """The bytes of a key, or None."""
        with self._guard:
            self._expire()
            found = self._entries.get(key)
            self._counts["hits" if found else "misses"] += 1
            if found is None:
                return None
            self._entries.move_to_end(key)
            return found[1]

    def put(self, key: str, content: bytes) -> None:
        """Keep bytes; what is larger than the whole cache is not kept."""
        if not self._policy.max_keys or len(content) > self._policy.max_bytes:
            return
        with self._guard:
            self._expire()
            self._remove(key)
            self._entries[key] = (self._clock() + self._policy.ttl_seconds, content)
            self._bytes += len(content)
            while (
                len(self._entries) > self._policy.max_keys or self._bytes > self._policy.max_bytes
            ):
                self._remove(next(iter(self._entries)))
                self._counts["evictions"] += 1

    @contextmanager
    def loading(self, key: str) -> Iterator[bool]:
        """True for one thread at a time, see the port."""
        with self._guard:
            other = self._loading.get(key)
            if other is None:
                self._loading[key] = threading.Event()
        if other is not None:
            yield not other.wait(WAIT_SECONDS)
            return
        try:
            yield True
        finally:
            with self._guard:
                self._loading.pop(key).set()

    def invalidate(self, prefix: str) -> int:
        """Forget every key that begins so, or with one of the policy's prefixes."""
        prefixes = (prefix, *self._policy.invalidate_prefixes)
        with self._guard:
            gone = [key for key in self._entries if key.startswith(prefixes)]
            for key in gone:
                self._remove(key)
            self._counts["invalidations"] += len(gone)
        return len(gone)

    def spoilt(self, key: str) -> None:
        """Forget a key whose bytes could not be read."""
        with self._guard:
            self._remove(key)
            self._counts["failures"] += 1

    def metrics(self, *, reset: bool = False) -> CacheMetrics:
        """What it did in this process."""
        with self._guard:
            self._expire()
            told = CacheMetrics(**self._counts, keys=len(self._entries), bytes=self._bytes)
            if reset:
                self._counts = dict.fromkeys(_COUNTED, 0)
        return told

    def describe(self) -> dict[str, str]:
        """What people are told of it."""
        limits = {name: str(value) for name, value in asdict(self._policy).items()}
        return {"backing": "memory of this process", **limits}

    def _expire(self) -> None:
        now = self._clock()
        # Every entry lives equally long, but use reorders them: all have to be looked at.
        for key in [key for key, (until, _) in self._entries.items() if until <= now]:
            self._remove(key)
            self._counts["expirations"] += 1

    def _remove(self, key: str) -> None:
        found = self._entries.pop(key, None)
        if found is not None:
            self._bytes -= len(found[1])
