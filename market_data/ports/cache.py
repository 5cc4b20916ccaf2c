"""The read cache port: bytes under keys that nobody has to believe for ever."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class CacheMetrics:
    """What a cache did since its numbers were last reset, over all processes that share it.

    Attributes:
        hits: questions that it answered.
        misses: questions that it did not.
        evictions: entries that had to make room.
        expirations: entries whose time was over.
        invalidations: entries that a write made useless.
        failures: entries that could not be read back.
        keys: entries now.
        bytes: their size now.
    """

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    expirations: int = 0
    invalidations: int = 0
    failures: int = 0
    keys: int = 0
    bytes: int = 0

    @property
    def hit_ratio(self) -> float | None:
        """Share of the questions that it answered; None where nobody asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None

    def since(self, earlier: CacheMetrics) -> CacheMetrics:
        """What it did since an earlier look; everything, where the numbers began anew meanwhile."""
        if self.hits < earlier.hits or self.misses < earlier.misses:
            return self
        return CacheMetrics(
            hits=self.hits - earlier.hits,
            misses=self.misses - earlier.misses,
            evictions=max(0, self.evictions - earlier.evictions),
            expirations=max(0, self.expirations - earlier.expirations),
            invalidations=max(0, self.invalidations - earlier.invalidations),
            failures=max(0, self.failures - earlier.failures),
            keys=self.keys,
            bytes=self.bytes,
        )


class Cache(Protocol):
    """Keeps bytes for a while. It may forget anything at any time and never raises for a fault."""

    @property
    def idle(self) -> bool:
        """Whether it would answer nothing and keep nothing now: nobody need prepare a question."""
        ...

    def get(self, key: str) -> bytes | None:
        """The bytes of a key, or None."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Keep bytes; what is too large for the cache is not kept."""
        ...

    def loading(self, key: str) -> AbstractContextManager[bool]:
        """True for the one caller that shall load a key; the others wait a little and get False.

        One that waited too long gets True as well: rather twice the work than none.
        """
        ...

    def invalidate(self, prefix: str) -> int:
        """Forget every key that begins so; returns how many."""
        ...

    def spoilt(self, key: str) -> None:
        """Forget a key whose bytes could not be read, and count it."""
        ...

    def metrics(self, *, reset: bool = False) -> CacheMetrics:
        """What it did; `reset` starts the numbers anew."""
        ...

    def describe(self) -> dict[str, str]:
        """Backing, namespace, client name and TLS, for people; no secret."""
        ...
