"""The cache in memory: use, age, room, and one loader at a time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cache.memory import MemoryCache
from adapters.cache.policy import CachePolicy, RedisCacheSettings
from market_data.operations.cache_health import evaluate_cache_health
from market_data.operations.grades import Grade
from market_data.ports.cache import CacheMetrics


class Time:
    """A clock that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def cache(keys: int = 3, size: int = 100, ttl: float = 10.0) -> tuple[MemoryCache, Time]:
    clock = Time()
    return MemoryCache(CachePolicy(ttl, keys, size, "t", ("also:",)), clock), clock


def test_an_entry_expires() -> None:
    kept, clock = cache()
    kept.put("a", b"1")
    clock.now = 9.9
    assert kept.get("a") == b"1"
    clock.now = 10.0
    assert kept.get("a") is None
    told = kept.metrics()
    assert (told.hits, told.misses, told.expirations, told.bytes) == (1, 1, 1, 0)


def test_the_least_recently_used_makes_room() -> None:
    kept, _ = cache()
    for key in "abc":
        kept.put(key, b"x")
    kept.get("a")
    kept.put("d", b"x")
    assert [kept.get(key) for key in "abcd"] == [b"x", None, b"x", b"x"]
    assert kept.metrics().evictions == 1


def test_bytes_are_limited_too() -> None:
    kept, _ = cache()
    kept.put("a", b"x" * 60)
    kept.put("b", b"x" * 60)
    kept.put("c", b"x" * 101)
    assert [kept.get(key) is None for key in "abc"] == [True, False, True]
    assert kept.metrics().bytes == 60


@given(st.lists(st.tuples(st.sampled_from("gp"), st.sampled_from("abcde"), st.integers(0, 40))))
def test_any_history_equals_an_ordered_dictionary(steps: list[tuple[str, str, int]]) -> None:
    kept, _ = cache()
    model: OrderedDict[str, bytes] = OrderedDict()
    for step, key, size in steps:
        if step == "g":
            if key in model:
                model.move_to_end(key)
            assert kept.get(key) == model.get(key)
            continue
        kept.put(key, b"x" * size)
        model[key] = b"x" * size
        model.move_to_end(key)
        while len(model) > 3 or sum(map(len, model.values())) > 100:
            model.popitem(last=False)
    assert kept.metrics().keys == len(model)
    assert kept.metrics().bytes == sum(map(len, model.values()))


def test_prefixes_of_the_policy_go_with_every_invalidation() -> None:
    kept, _ = cache()
    for key in ("curated:1", "also:2", "other:3"):
        kept.put(key, b"x")
    assert kept.invalidate("curated:") == 2
    assert kept.get("other:3") == b"x"


def test_one_thread_loads_and_the_others_wait() -> None:
    kept, _ = cache()
    loads = []

    def read() -> None:
        if kept.get("k") is not None:
            return
        with kept.loading("k") as mine:
            if not mine and kept.get("k") is not None:
                return
            loads.append(1)
            time.sleep(0.05)
            kept.put("k", b"x")

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_a_loader_that_fails_holds_nobody_up() -> None:
    kept, _ = cache()
    with pytest.raises(RuntimeError), kept.loading("k"):
        raise RuntimeError
    with kept.loading("k") as mine:
        assert mine


def test_strategies_and_what_overrides_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STRATEGY", "TTL_SECONDS", "MAX_KEYS", "NAMESPACE"):
        monkeypatch.delenv(f"REDIS_CACHE_{name}", raising=False)
    usual = RedisCacheSettings().policy()
    assert (usual.ttl_seconds, usual.max_keys, usual.namespace) == (900, 1_024, "emp:cache")
    monkeypatch.setenv("REDIS_CACHE_STRATEGY", "Aggressive")
    monkeypatch.setenv("REDIS_CACHE_MAX_KEYS", "7")
    found = RedisCacheSettings().policy()
    assert (found.ttl_seconds, found.max_keys) == (120, 7)
    monkeypatch.setenv("REDIS_CACHE_STRATEGY", "disabled")
    monkeypatch.delenv("REDIS_CACHE_MAX_KEYS")
    off = MemoryCache(RedisCacheSettings().policy())
    off.put("a", b"x")
    assert off.get("a") is None


@pytest.mark.parametrize(
    ("metrics", "grade"),
    [
        (CacheMetrics(), Grade.OK),
        (CacheMetrics(misses=4), Grade.OK),
        (CacheMetrics(misses=5), Grade.WARN),
        (CacheMetrics(hits=1, misses=19), Grade.WARN),
        (CacheMetrics(hits=1, misses=20), Grade.FAIL),
        (CacheMetrics(hits=5, misses=20), Grade.WARN),
        (CacheMetrics(hits=10, misses=20), Grade.OK),
        (CacheMetrics(hits=10, misses=20, evictions=1), Grade.WARN),
        (CacheMetrics(hits=10, failures=1), Grade.WARN),
    ],
)
def test_health_of_a_cache(metrics: CacheMetrics, grade: Grade) -> None:
    assert evaluate_cache_health(metrics).grade is grade
