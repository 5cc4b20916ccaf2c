"""The cache in Redis: a symbol's year from it against the same read of TimescaleDB.

Both go through the platform's cached store; the one finds the answer, the other has been made to
forget it, and keeps it again. Needs servers: TIMESCALEDB_URL and REDIS_URL; works in a database and
a namespace of its own. Run with `python -m benchmarks cache`.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.cache.cached_store import CachedBarStore
from adapters.cache.policy import CachePolicy
from adapters.cache.redis_cache import RedisCache
from adapters.cache.settings import RedisSettings
from adapters.timescale.bar_store import TimescaleStore
from benchmarks.delta_store import BARS, MINUTES
from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from benchmarks.timescale import VARIABLE, YEAR_SYMBOLS, fill_years, own_store

REDIS_VARIABLE = "REDIS_URL"
ROUNDS = 15


@contextmanager
def own_cache() -> Iterator[RedisCache]:
    """A cache of a namespace of its own, emptied at the end."""
    policy = CachePolicy(600, 64, 1 << 30, f"emp:bench:{uuid.uuid4().hex[:12]}")
    cache = RedisCache(RedisSettings(), policy)
    cache.check()
    try:
        yield cache
    finally:
        cache.invalidate("")
        cache.close()


def hit_ratio(store: TimescaleStore, cache: RedisCache) -> Ratio:
    """Reads of a year that the cache holds against the store's own, in turns."""
    cached, times = CachedBarStore(store, cache), Times()
    for turn in range(ROUNDS):
        symbol = YEAR_SYMBOLS[turn % len(YEAR_SYMBOLS)]

        def read(source: TimescaleStore | CachedBarStore, symbol: str = symbol) -> None:
            assert source.scan(MINUTES, symbols=[symbol]).height == BARS

        read(cached)
        steps = {"uncached": lambda read=read: read(store), "hit": lambda read=read: read(cached)}
        times.turn(steps, backwards=turn % 2 == 1)
        cache.invalidate(f"{MINUTES.name}:")
        times.turn({"miss": lambda read=read: read(cached)})
    told = cache.metrics()
    # A cache that was away would have made everything a read of the store.
    assert (told.hits, told.failures) == (ROUNDS, 0), told
    return Ratio(
        "Redis hit of a symbol's year, times as fast as the uncached read",
        times.ratio("uncached", "hit"),
        8.0,
        detail=f"{BARS} rows: {times.told('uncached', 'hit', 'miss')}",
    )


def run() -> list[Ratio]:
    """Nothing where a server is missing; half a minute."""
    lacking = [name for name in (VARIABLE, REDIS_VARIABLE) if not os.environ.get(name)]
    if lacking:
        print(f"cache: not measured, not set: {', '.join(lacking)}", file=sys.stderr)
        return []
    with own_store() as (connections, server), own_cache() as cache:
        return [hit_ratio(fill_years(connections, server), cache)]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
