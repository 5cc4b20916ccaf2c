"""Health of the read cache: from its numbers to a grade with reasons.

What belongs here: the limits and the verdict. What does not: counting (adapters/cache).
"""

from __future__ import annotations

from collections.abc import Iterator

from market_data.operations.grades import Grade, Reason
from market_data.operations.limits import CacheLimits
from market_data.operations.readiness import Section
from market_data.ports.cache import CacheMetrics

NAME = "cache"


def evaluate_cache_health(metrics: CacheMetrics, limits: CacheLimits | None = None) -> Section:
    """The grade of what a cache did.

    Few hits fail before they warn, so that the worse of the two is reachable; a cache that nobody
    asked enough says nothing.

    Args:
        metrics: its numbers since their last reset, or since an earlier look.
        limits: None for the defaults.
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
    return Section.of(NAME, _reasons(metrics, ratio, limits or CacheLimits()), facts)


def cache_away(detail: str) -> Section:
    """The section of a cache that does not answer."""
    text = f"nothing is cached, reads go to the store: {detail}"
    return Section.of(NAME, [Reason(Grade.FAIL, text, "cache_unreachable")])


def _reasons(metrics: CacheMetrics, ratio: float | None, limits: CacheLimits) -> Iterator[Reason]:
    if ratio is not None and ratio < limits.fail_ratio and metrics.misses >= limits.fail_misses:
        text = f"the cache answers {ratio:.0%} of the reads: is REDIS_CACHE_TTL_SECONDS too short?"
        yield Reason(Grade.FAIL, text, "few_hits", value=ratio, limit=limits.fail_ratio)
    elif ratio is not None and ratio < limits.warn_ratio and metrics.misses >= limits.warn_misses:
        text = f"the cache answers only {ratio:.0%} of the reads"
        yield Reason(Grade.WARN, text, "few_hits", value=ratio, limit=limits.warn_ratio)
    if metrics.evictions:
        yield Reason(
            Grade.WARN,
            f"{metrics.evictions} entries had to make room: raise REDIS_CACHE_MAX_KEYS or "
            "REDIS_CACHE_MAX_BYTES",
            "evictions",
            value=metrics.evictions,
        )
    if metrics.failures:
        text = f"{metrics.failures} entries could not be read back"
        yield Reason(Grade.WARN, text, "unreadable_entries", value=metrics.failures)
