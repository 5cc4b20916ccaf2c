"""The look at Redis: what a full memory would do to the cache is said before it is full."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from adapters.cache.settings import RedisSettings
from adapters.probes import State
from adapters.probes.redis import redis_probe
from tests.support.servers import RedisServer, private_server


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with private_server(RedisServer) as started:
        yield started


@pytest.mark.parametrize(
    ("policy", "limit", "state"),
    [
        ("volatile-lru", 64 << 20, State.OK),
        ("volatile-ttl", 64 << 20, State.OK),
        ("noeviction", 0, State.OK),
        ("noeviction", 64 << 20, State.DEGRADED),
        ("allkeys-lru", 64 << 20, State.DEGRADED),
        ("allkeys-lfu", 64 << 20, State.DEGRADED),
        ("allkeys-random", 0, State.DEGRADED),
    ],
)
def test_a_policy_that_hurts_the_cache_is_told(
    server: RedisServer, policy: str, limit: int, state: State
) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", limit)
        client.config_set("maxmemory-policy", policy)
    found = redis_probe(RedisSettings(url=server.url)).look()
    assert found.state is state
    if state is State.DEGRADED:
        assert policy in found.detail
        assert "maxmemory-policy volatile-lru" in found.cure
        assert "docs/runbooks/redis-outage.md" in found.cure
