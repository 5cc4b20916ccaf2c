"""Redis goes away and comes back, or forgets: no request is sent uncounted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from adapters.cache.presence import presence_of
from adapters.cache.settings import RedisSettings
from adapters.clock import SystemClock
from adapters.requests.gate import SharedGate
from adapters.requests.layered_store import LayeredRequestStore
from adapters.requests.opening import MEANWHILE, Gates
from adapters.requests.redis_store import NAMESPACE
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.requests.store import Granted, RequestStore
from adapters.settings import Settings
from market_data.errors import BudgetSpentError, LeftAloneError, VendorUnavailableError
from market_data.ports import Allowance, Claim
from tests.support.servers import RedisServer

HOUR = Allowance("hour", 6, timedelta(hours=1))
CLAIMS = [Claim(HOUR)]


@pytest.fixture(autouse=True)
def _a_new_outage() -> Iterator[None]:
    presence_of.cache_clear()
    yield
    presence_of.cache_clear()


def machine(folder: Path, server: RedisServer) -> LayeredRequestStore:
    """What a machine counts with."""
    gates = Gates(
        Settings(data_dir=folder),
        SystemClock(),
        RedisSettings(url=server.url, socket_timeout=1),
    )
    store = gates.store
    assert isinstance(store, LayeredRequestStore)
    return store


def takes(store: RequestStore) -> bool:
    return isinstance(store.take("vendor", CLAIMS), Granted)


def comes_back(server: RedisServer) -> None:
    server.start()
    # A process takes it back after a rest.
    presence_of.cache_clear()


def test_machines_share_redis_and_each_knows_its_own(
    private_redis: RedisServer, tmp_path: Path
) -> None:
    one, other = machine(tmp_path / "1", private_redis), machine(tmp_path / "2", private_redis)
    assert [takes(s) for s in (one, one, other, other, one, one)] == [True] * 6
    assert not takes(one)
    assert not takes(other)
    assert one.look("vendor").uses[0].used == 6
    # A refusal of Redis leaves nothing in the machine's own count.
    assert [used_here(tmp_path / name) for name in "12"] == [4, 2]


def used_here(folder: Path) -> int:
    uses = SqliteRequestStore(Settings(data_dir=folder).requests_path).look("vendor").uses
    return sum(use.used for use in uses)


def test_while_redis_is_away_the_machine_goes_on_from_what_it_asked(
    private_redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store = machine(tmp_path, private_redis)
    assert [takes(store) for _ in range(4)] == [True] * 4
    private_redis.stop()
    assert [takes(store) for _ in range(4)] == [True, True, False, False]
    assert store.look("vendor").uses[0].used == 6
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].endswith(f"does not answer: {MEANWHILE}")


def test_what_was_granted_meanwhile_counts_when_redis_is_back_and_empty(
    private_redis: RedisServer, tmp_path: Path
) -> None:
    store = machine(tmp_path, private_redis)
    assert takes(store)
    private_redis.stop()
    assert [takes(store) for _ in range(3)] == [True] * 3
    comes_back(private_redis)
    with Redis.from_url(private_redis.url) as client:
        client.flushall()
    again = machine(tmp_path, private_redis)
    (use,) = again.look("vendor").uses
    assert (use.used, use.requests) == (4, 6)
    assert 3_590 < (use.next_free - again.look("vendor").now) / 1e6 <= 3_600
    assert [takes(again) for _ in range(3)] == [True, True, False]


def test_a_grant_is_given_back_in_both(private_redis: RedisServer, tmp_path: Path) -> None:
    store = machine(tmp_path, private_redis)
    granted = store.take("vendor", CLAIMS)
    assert isinstance(granted, Granted)
    store.give_back("vendor", CLAIMS, granted)
    assert store.look("vendor").uses == ()
    assert used_here(tmp_path) == 0
    # One of a time without Redis is given back where it was taken.
    private_redis.stop()
    granted = store.take("vendor", CLAIMS)
    assert isinstance(granted, Granted)
    comes_back(private_redis)
    store.give_back("vendor", CLAIMS, granted)
    assert used_here(tmp_path) == 0


def test_the_breaker_is_shared_and_works_without_redis(
    private_redis: RedisServer, tmp_path: Path
) -> None:
    one, other = machine(tmp_path / "1", private_redis), machine(tmp_path / "2", private_redis)
    gates = [SharedGate("vendor", lambda s=s: s, SystemClock()) for s in (one, other)]
    for _ in range(5):
        gates[0].report(VendorUnavailableError("away"))
    for gate in gates:
        with pytest.raises(LeftAloneError):
            gate.enter([])
    private_redis.stop()
    # This machine begins anew, and leaves the vendor alone again if it still fails.
    gates[1].enter([])
    for _ in range(5):
        gates[1].report(VendorUnavailableError("away"))
    with pytest.raises(LeftAloneError):
        gates[1].enter([])


def test_a_gate_refuses_without_redis_as_with_it(
    private_redis: RedisServer, tmp_path: Path
) -> None:
    store = machine(tmp_path, private_redis)
    gate = SharedGate("vendor", lambda: store, SystemClock())
    private_redis.stop()
    for _ in range(6):
        gate.enter(CLAIMS)
    with pytest.raises(BudgetSpentError):
        gate.enter(CLAIMS)


def test_keys_lie_apart_from_the_cache(private_redis: RedisServer, tmp_path: Path) -> None:
    store = machine(tmp_path, private_redis)
    assert takes(store)
    with Redis.from_url(private_redis.url) as client:
        keys = list(client.scan_iter("*"))
        assert keys
        assert all(key.startswith(NAMESPACE.encode() + b":{vendor}:") for key in keys)
        # None of them may be dropped to make room, as what has an end may.
        assert {client.ttl(key) for key in keys} == {-1}
