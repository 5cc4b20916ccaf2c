"""Health of the read cache: from its numbers to a grade with reasons.

What belongs here: the limits and the verdict. What does not: counting (adapters/cache).
"""

from __future__ import annotations

from collections.abc import Iterator

from market_data.operations.grades import Grade, Reason
from market_data.operations.readiness import Section
from market_data.ports.cache import CacheMetrics

WARN_RATIO, WARN_MISSES = 0.25, 5
FAIL_RATIO, FAIL_MISSES = 0.10, 20


def evaluate_cache_health(metrics: CacheMetrics) -> Section:
    """The grade of what a cache did.

    Few hits fail before they warn, so that the worse of the two is reachable; a cache that nobody
    asked enough says nothing.

    Args:
        metrics: its numbers since their last reset.
    """
    ratio = metrics.hit_ratio
    facts = {
        "hits": metrics.hits,
        "misses": metrics.misses,
        "hit_ratio": None if ratio is None else round(ratio, 4),
        "keys": metrics.keys,
        "bytes": metrics.bytes,
        "evictions": metrics.evictions,
        "expirations": metrics.expirations,
        "invalidations": metrics.invalidations,
    }
    return Section.of("cache", _reasons(metrics, ratio), facts)


def _reasons(metrics: CacheMetrics, ratio: float | None) -> Iterator[Reason]:
    if ratio is not None and ratio < FAIL_RATIO and metrics.misses >= FAIL_MISSES:
        text = f"the cache answers {ratio:.0%} of the reads: is REDIS_CACHE_TTL_SECONDS too short?"
        yield Reason(Grade.FAIL, text)
    elif ratio is not None and ratio < WARN_RATIO and metrics.misses >= WARN_MISSES:
        yield Reason(Grade.WARN, f"the cache answers only {ratio:.0%} of the reads")
    if metrics.evictions:
        yield Reason(
            Grade.WARN,
            f"{metrics.evictions} entries had to make room: raise REDIS_CACHE_MAX_KEYS or "
            "REDIS_CACHE_MAX_BYTES",
        )
    if metrics.failures:
        yield Reason(Grade.WARN, f"{metrics.failures} entries could not be read back")
