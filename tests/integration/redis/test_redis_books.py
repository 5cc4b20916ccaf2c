"""The books of the cache in Redis: what is told is there, whatever part of them is gone."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Iterator

import pytest
import redis

from adapters.cache.policy import CachePolicy
from adapters.cache.redis_cache import RedisCache
from adapters.cache.settings import RedisSettings

ROOT = "emp:test"
POLICY = CachePolicy(60, 16, 10_000, ROOT)
BOOKS = ("order", "sizes", "counts")
SOME_OR_ALL = [some for n in (1, 2, 3) for some in itertools.combinations(BOOKS, n)]


@pytest.fixture
def server(empty_redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(empty_redis_url) as client:
        yield client


@pytest.fixture
def kept(empty_redis_url: str) -> RedisCache:
    return RedisCache(RedisSettings(url=empty_redis_url), POLICY)


def remove(server: redis.Redis, *books: str) -> None:
    server.delete(*(f"{ROOT}:{name}" for name in books))


def lies_there(server: redis.Redis) -> tuple[int, int]:
    """Entries that are really there, and their bytes."""
    entries = list(server.scan_iter(f"{ROOT}:e:*"))
    return len(entries), sum(server.strlen(entry) for entry in entries)


def told_of(cache: RedisCache) -> tuple[int, int]:
    assert cache.describe()["state"] == "there"
    told = cache.metrics()
    assert min(told.hits, told.misses, told.evictions, told.expirations, told.invalidations) >= 0
    return told.keys, told.bytes


@pytest.mark.parametrize("gone", SOME_OR_ALL, ids="+".join)
@pytest.mark.parametrize("first", ["put known", "put new", "hit", "miss", "invalidate", "spoilt"])
def test_whatever_comes_first_after_a_loss_mends_the_books(
    kept: RedisCache, server: redis.Redis, gone: tuple[str, ...], first: str
) -> None:
    for number in range(5):
        kept.put(f"k{number}", b"x" * 1000)
    remove(server, *gone)
    match first:
        case "put known":
            kept.put("k0", b"y" * 500)
        case "put new":
            kept.put("n", b"y" * 500)
        case "hit":
            assert kept.get("k0") == b"x" * 1000
        case "miss":
            assert kept.get("n") is None
        case "invalidate":
            kept.invalidate("k")
        case "spoilt":
            kept.spoilt("k0")
    # Entries that no book knows any more count from when they are read.
    for number in range(5):
        kept.get(f"k{number}")
    kept.get("n")
    assert told_of(kept) == lies_there(server)
    entries, _ = lies_there(server)
    assert kept.invalidate("") == entries
    assert lies_there(server) == told_of(kept) == (0, 0)


@pytest.mark.parametrize("gone", SOME_OR_ALL, ids="+".join)
def test_the_limits_hold_after_a_loss(
    kept: RedisCache, server: redis.Redis, gone: tuple[str, ...]
) -> None:
    for number in range(10):
        kept.put(f"z{number}", b"x" * 1000)
    remove(server, *gone)
    kept.put("n", b"z" * 1000)
    assert kept.get("n") is not None
    for number in range(60):
        kept.put(f"n{number}", b"z" * 1000)
        time.sleep(0.0005)
    known = [number for number in range(60) if kept.get(f"n{number}") is not None]
    assert known == list(range(50, 60))
    orphans = 10 if {"order", "sizes"} <= set(gone) else 0
    assert told_of(kept) == (10, 10_000)
    assert lies_there(server) == (10 + orphans, 10_000 + 1000 * orphans)
    assert all(server.pttl(entry) > 0 for entry in server.scan_iter(f"{ROOT}:e:*"))


def test_what_ran_out_is_no_longer_told_and_counts_once(
    empty_redis_url: str, server: redis.Redis
) -> None:
    brief = RedisCache(RedisSettings(url=empty_redis_url), CachePolicy(0.05, 16, 10_000, ROOT))
    lasting = RedisCache(RedisSettings(url=empty_redis_url), POLICY)
    for number in range(5):
        brief.put(f"k{number}", b"x" * 1000)
    lasting.put("stays", b"x" * 10)
    time.sleep(0.1)
    told = lasting.metrics()
    assert (told.keys, told.bytes, told.expirations) == (1, 10, 5)
    assert lasting.metrics(reset=True).expirations == 5
    assert brief.get("k0") is None
    told = lasting.metrics()
    assert (told.keys, told.bytes, told.expirations, told.misses) == (1, 10, 0, 1)
    assert [server.zcard(f"{ROOT}:order"), server.hlen(f"{ROOT}:sizes")] == [1, 1]


def test_what_the_server_removed_is_no_longer_told(kept: RedisCache, server: redis.Redis) -> None:
    for number in range(5):
        kept.put(f"k{number}", b"x" * 1000)
    server.delete(f"{ROOT}:e:k1", f"{ROOT}:e:k3")
    told = kept.metrics()
    assert (told.keys, told.bytes, told.expirations) == (3, 3000, 2)


def test_a_miss_does_not_forget_what_another_has_put_since(
    kept: RedisCache, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(entry: str) -> None:
        kept.put("a", b"xyz")

    monkeypatch.setattr(kept._client, "get", late)
    assert kept.get("a") is None
    monkeypatch.undo()
    assert told_of(kept) == lies_there(server) == (1, 3)


def test_asking_for_the_numbers_leaves_the_servers_order_of_use_alone(
    kept: RedisCache, server: redis.Redis
) -> None:
    kept.put("a", b"xyz")
    time.sleep(1.1)
    kept.metrics()
    assert server.object("idletime", f"{ROOT}:e:a") >= 1


def test_an_entry_of_no_bytes_is_one(kept: RedisCache) -> None:
    for _ in range(2):
        kept.put("a", b"")
        assert kept.get("a") == b""
    assert told_of(kept) == (1, 0)
    assert kept.invalidate("a") == 1


@pytest.mark.parametrize("policy", ["volatile-lru", "allkeys-lru", "allkeys-random"])
def test_a_full_server_is_no_outage(private_redis: object, policy: str) -> None:
    """Other tenants press: the server removes entries, and books where its policy lets it."""
    chance = random.Random(1)
    with redis.Redis.from_url(private_redis.url) as server:
        server.config_set("maxmemory-policy", policy)
        server.config_set("maxmemory", 10 << 20)
        cache = RedisCache(RedisSettings(url=private_redis.url), CachePolicy(60, 64, 1 << 30, ROOT))
        for number in range(400):
            key = f"k{chance.randrange(40)}"
            if cache.get(key) is None:
                cache.put(key, os.urandom(100_000))
            server.set(f"other:{number}", os.urandom(100_000), ex=600)
            assert cache.describe()["state"] == "there"
        assert server.info("stats")["evicted_keys"] > 0
        server.config_set("maxmemory", 64 << 20)
        for number in range(40):
            cache.get(f"k{number}")
        assert told_of(cache) == lies_there(server)
