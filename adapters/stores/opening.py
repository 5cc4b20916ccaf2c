"""Opens the stores of an installation: the lake, the curated datasets, the cache before them.

What belongs here: which store stands behind which place. What does not: the operations database
(adapters/operations_opening.py), the platform over all of them (adapters/backend.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.kept_open import KeptOpen
from adapters.variables import read
from market_data.ports import (
    BarStore,
    PayloadArchive,
    RawLog,
)

if TYPE_CHECKING:
    from adapters.cache.redis_cache import RedisCache
    from adapters.cache.settings import RedisSettings
    from adapters.timescale.settings import TimescaleSettings

_CACHES: KeptOpen[RedisCache] = KeptOpen(lambda cache: cache.close())


def open_lake(root: str) -> tuple[RawLog, PayloadArchive]:
    """The raw log and the payload archive below a folder, or a URI of an object store.

    Raises:
        ConfigurationError: of an object store, a setting is missing or wrong.
    """
    from adapters.stores.delta_raw_log import DeltaRawLog
    from adapters.stores.object_settings import options_of
    from adapters.stores.payload_files import PayloadFiles
    from adapters.stores.payload_objects import PayloadObjects

    options = options_of(root)
    if options is None:
        return DeltaRawLog(root), PayloadFiles(f"{root}/payloads")
    return DeltaRawLog(root, options), PayloadObjects(f"{root}/payloads", options)


def open_warehouse(root: str) -> BarStore:
    """The store of curated and scored datasets below a folder, or a URI of an object store.

    Raises:
        ConfigurationError: of an object store, a setting is missing or wrong.
    """
    from adapters.stores.delta_bar_store import DeltaBarStore
    from adapters.stores.object_settings import options_of

    return DeltaBarStore(root, options_of(root))


def open_cached_warehouse(root: str) -> BarStore:
    """The same, read through a cache in the memory of this process."""
    from adapters.cache.cached_store import CachedBarStore
    from adapters.cache.memory import MemoryCache

    return CachedBarStore(open_warehouse(root), MemoryCache())


def open_timescale(
    timescale: TimescaleSettings,
    redis: RedisSettings,
    *,
    cached_reads: bool = True,
    kept: bool = False,
) -> BarStore:
    """The store of curated and scored datasets on TimescaleDB, read through Redis.

    TimescaleDB is connected to, and migrated, by the first use of the store; where it does not
    answer then, that use raises StoreUnavailableError.

    Args:
        timescale: where the rows are.
        redis: where answers are remembered.
        cached_reads: False for a writer that must see its own rows and free what they replace.
        kept: over the connections that this process keeps open.

    Raises:
        ConfigurationError: Redis refuses the login.
    """
    from adapters.cache.cached_store import CachedBarStore
    from adapters.stores.lazy import LazyBarStore

    def connected() -> BarStore:
        from adapters.timescale.factory import kept_connections, open_connections, open_store

        return open_store(kept_connections(timescale) if kept else open_connections(timescale))

    cache = open_redis_cache(redis, kept=kept)
    return CachedBarStore(LazyBarStore(connected), cache, reads=cached_reads)


def open_redis_cache(redis: RedisSettings, *, kept: bool = False) -> RedisCache:
    """The cache that all processes share.

    Args:
        redis: where it is.
        kept: over the connections that this process keeps open; nobody closes it then.

    Raises:
        ConfigurationError: Redis refuses the login.
    """
    from adapters.cache.policy import RedisCacheSettings
    from adapters.cache.redis_cache import RedisCache

    policy = read(RedisCacheSettings).policy()
    place = (redis, policy)
    cache = (_CACHES.find(place) if kept else None) or RedisCache(redis, policy)
    cache.check()
    return _CACHES.keep(place, cache) if kept else cache
