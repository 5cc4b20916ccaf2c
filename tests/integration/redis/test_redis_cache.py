"""The cache in a real Redis: limits and numbers across processes, and what an outage costs."""

from __future__ import annotations

import logging
import os
import time

import pytest

from adapters.cache import presence, redis_cache
from adapters.cache.policy import CachePolicy
from adapters.cache.redis_cache import RedisCache
from adapters.cache.settings import RedisSettings
from market_data.errors import ConfigurationError
from tests.support.warm_python import StartedPython

SMALL = CachePolicy(60, 3, 1000, "emp:test", ("also:",))

LOADER = """
import sys, time
from adapters.cache.policy import CachePolicy
from adapters.cache.redis_cache import RedisCache
from adapters.cache.settings import RedisSettings
cache = RedisCache(RedisSettings(), CachePolicy(60, 3, 1000, "emp:test"))
loads = 0
if cache.get("k") is None:
    with cache.loading("k") as mine:
        if mine or cache.get("k") is None:
            loads += 1
            time.sleep(0.3)
            cache.put("k", b"x")
print(loads)
"""


def cache(url: str, policy: CachePolicy = SMALL) -> RedisCache:
    return RedisCache(RedisSettings(url=url), policy)


def test_least_recently_used_and_bytes_make_room(empty_redis_url: str) -> None:
    kept = cache(empty_redis_url)
    for key in "abc":
        kept.put(key, b"x")
        time.sleep(0.002)
    assert kept.get("a") == b"x"
    kept.put("d", b"x")
    assert [kept.get(key) for key in "abcd"] == [b"x", None, b"x", b"x"]
    kept.put("e", b"x" * 999)
    told = kept.metrics()
    assert (told.keys, told.bytes, told.evictions) == (2, 1000, 3)
    kept.put("f", b"x" * 1001)
    assert kept.get("f") is None


def test_numbers_are_those_of_all_processes(empty_redis_url: str) -> None:
    one, other = cache(empty_redis_url), cache(empty_redis_url)
    one.get("a")
    one.put("a", b"x")
    other.get("a")
    assert other.metrics() == one.metrics()
    assert (one.metrics().hits, one.metrics(reset=True).misses) == (1, 1)
    told = other.metrics()
    assert (told.hits, told.misses, told.keys, told.bytes) == (0, 0, 1, 1)


def test_an_expiry_is_counted_once_whoever_finds_it(empty_redis_url: str) -> None:
    brief = CachePolicy(0.05, 3, 1000, "emp:test")
    writer, reader = cache(empty_redis_url, brief), cache(empty_redis_url, brief)
    writer.put("a", b"xyz")
    time.sleep(0.1)
    assert reader.get("a") is None
    assert writer.get("a") is None
    told = reader.metrics()
    assert (told.expirations, told.misses, told.keys, told.bytes) == (1, 2, 0, 0)


def test_prefixes_and_what_cannot_be_read(empty_redis_url: str) -> None:
    kept = cache(empty_redis_url)
    for key in ("curated:1", "also:2", "other:3"):
        kept.put(key, b"x")
    assert kept.invalidate("curated:") == 2
    assert kept.get("other:3") == b"x"
    kept.spoilt("other:3")
    told = kept.metrics()
    assert (told.invalidations, told.failures, told.keys, told.bytes) == (2, 1, 0, 0)


def test_of_many_processes_one_loads(empty_redis_url: str) -> None:
    environment = {**os.environ, "REDIS_URL": empty_redis_url}
    running = [StartedPython(["-c", LOADER], env=environment) for _ in range(5)]
    loads = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(loads) == 1


def test_a_loader_that_died_is_not_waited_for_for_ever(
    empty_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cache, "WAIT_SECONDS", 0.2)
    dead, living = cache(empty_redis_url), cache(empty_redis_url)
    with dead.loading("k") as mine, living.loading("k") as other:
        assert mine
        assert other


def test_an_outage_costs_one_warning_and_ends_by_itself(
    private_redis: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(presence, "REST_SECONDS", 0.2)
    caplog.set_level(logging.INFO)
    kept = cache(private_redis.url)
    kept.put("a", b"x")
    private_redis.kill()
    for _ in range(20):
        assert kept.get("a") is None
        kept.put("a", b"y")
        with kept.loading("a") as mine:
            assert mine
        time.sleep(0.02)
    assert kept.describe()["state"] == "away"
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "reads go to the store" in warnings[0].message
    private_redis.start()
    deadline = time.monotonic() + 10
    while kept.get("b") is None and time.monotonic() < deadline:
        kept.put("b", b"z")
        time.sleep(0.05)
    assert kept.get("b") == b"z"
    assert kept.describe()["state"] == "there"


def test_reads_are_not_slowed_while_redis_is_away(private_redis: object) -> None:
    kept = cache(private_redis.url)
    private_redis.kill()
    kept.get("a")
    started = time.monotonic()
    for _ in range(1000):
        kept.get("a")
    assert time.monotonic() - started < 1


def test_a_wrong_password_is_a_clear_error_without_it(private_redis: object) -> None:
    url = private_redis.url.replace(private_redis.password(), "hunter2")
    with pytest.raises(ConfigurationError) as raised:
        cache(url).check()
    told = f"{raised.value} {raised.value.__cause__} {cache(url)!r} {RedisSettings(url=url)!r}"
    assert "REDIS_URL" in told
    assert "hunter2" not in told + str(cache(url).describe())
