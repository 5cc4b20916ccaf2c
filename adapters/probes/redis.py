"""Redis: round trip, memory and what it does when that is full."""

from __future__ import annotations

import uuid
from typing import Any

import redis

from adapters.cache.redis_cache import client_of
from adapters.cache.settings import RedisSettings
from adapters.cache.troubles import trouble_of
from adapters.probes.probe import Facts, Finding, Probe, State

PART = "redis"
_CURE = "check REDIS_URL and that its server runs; docs/runbooks/redis-outage.md"
_POLICY_CURE = "set maxmemory-policy volatile-lru; docs/runbooks/redis-outage.md"


def redis_probe(settings: RedisSettings) -> Probe:
    """A look at the server of the read cache."""
    return Probe(PART, lambda: _look(settings), _CURE)


def _look(settings: RedisSettings) -> Finding:
    client = client_of(settings)
    key, value = f"emp:probe:{uuid.uuid4().hex}", uuid.uuid4().hex.encode()
    try:
        client.set(key, value, ex=10)
        same = client.get(key) == value
        client.delete(key)
        info: dict[str, Any] = client.info()
    except redis.RedisError as error:
        told = f"{settings.shown} {trouble_of(error)}; reads go to the store"
        return Finding(PART, State.ERROR, told, _CURE)
    finally:
        client.close()
    policy = str(info.get("maxmemory_policy"))
    limit = int(info.get("maxmemory", 0))
    facts: Facts = {
        "version": str(info.get("redis_version")),
        "used_memory": int(info.get("used_memory", 0)),
        "maxmemory": limit,
        "maxmemory_policy": policy,
        "tls": settings.tls,
    }
    if not same:
        return Finding(PART, State.ERROR, "it gives back other bytes than written", _CURE, facts)
    if wrong := _wrong_with(policy, limit):
        return Finding(PART, State.DEGRADED, wrong, _POLICY_CURE, facts)
    return Finding(PART, State.OK, f"Redis {facts['version']}, {policy}", facts=facts)


def _wrong_with(policy: str, limit: int) -> str:
    """What a full memory would do to the cache; empty where it makes room as it should."""
    if limit and policy == "noeviction":
        return "it refuses writes when its memory is full (maxmemory-policy noeviction)"
    if policy.startswith("allkeys-"):
        return f"it removes the cache's books when its memory is full (maxmemory-policy {policy})"
    return ""
