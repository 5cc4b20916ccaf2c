"""RedisRequestStore keeps the promises of a place that counts requests, and those of a server."""

from __future__ import annotations

import re
import time as clock
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from request_budget_suite import MINUTE, Machine, NewStore, RequestBudgetSuite, took, wait_of
from request_way_suite import RequestWaySuite

from adapters.cache.presence import presence_of
from adapters.cache.settings import RedisSettings
from adapters.requests.layered_store import LayeredRequestStore
from adapters.requests.redis_store import RedisRequestStore
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.requests.store import BudgetAwayError, RequestStore
from market_data.errors import ConfigurationError
from market_data.ports import Claim
from market_data.requests.breaker import SECOND
from tests.support.servers import RedisServer


@pytest.fixture
def time() -> Machine:
    return Machine()


@pytest.fixture
def namespace() -> str:
    return f"test:{uuid.uuid4().hex}"


@pytest.fixture
def new_store(redis_url: str, namespace: str, time: Machine) -> Iterator[NewStore]:
    opened: list[RedisRequestStore] = []

    def new() -> RequestStore:
        opened.append(
            RedisRequestStore(
                RedisSettings(url=redis_url), namespace=namespace, wall=time.read_wall
            )
        )
        return opened[-1]

    yield new
    for store in opened:
        store.close()


def keys_of(client: redis.Redis, namespace: str) -> list[bytes]:
    return sorted(client.scan_iter(f"{namespace}:*"))


class TestRedisRequestStore(RequestBudgetSuite, RequestWaySuite):
    def entries(self, store: RequestStore) -> int:
        assert isinstance(store, RedisRequestStore)
        windows = [k for k in keys_of(store._client, store._namespace) if b":g:" in k]
        return sum(store._client.zcard(window) for window in windows)

    def clear(self, store: RequestStore) -> None:
        assert isinstance(store, RedisRequestStore)
        # The mark stays: time goes on.
        for key in keys_of(store._client, store._namespace):
            if b":g:" in key or key.endswith(b":windows"):
                store._client.delete(key)

    def test_old_entries_are_forgotten(self, new_store: NewStore, time: Machine) -> None:
        """Windows that nobody asks for again end by themselves, with the server's clock."""
        store = new_store()
        assert isinstance(store, RedisRequestStore)
        for number in range(30):
            assert took(store, Claim(MINUTE, f"contract {number}"), Claim(MINUTE))
            time.passes(13)
        client, account = store._client, f"{store._namespace}:{{vendor}}"
        assert client.zcard(f"{account}:g:minute\x1f") == 5
        assert client.zcard(f"{account}:windows") <= 6
        assert client.ttl(f"{account}:g:minute\x1f") == -1
        assert 0 < client.ttl(f"{account}:g:minute\x1fcontract 29") <= 180
        time.passes(60)
        assert took(store, Claim(MINUTE))
        assert client.zcard(f"{account}:g:minute\x1f") == 1


def test_the_servers_clock_is_the_default(redis_url: str, namespace: str) -> None:
    store = RedisRequestStore(RedisSettings(url=redis_url), namespace=namespace)
    assert all(took(store, Claim(MINUTE)) for _ in range(5))
    assert 55 < wait_of(store, Claim(MINUTE)) <= 60
    assert abs(store.standing("vendor").now - clock.time_ns() // 1_000) < 5 * SECOND
    store.close()


def test_a_servers_clock_set_forward_lets_a_machine_ask_no_more(
    new_store: NewStore, time: Machine, tmp_path: Path
) -> None:
    """Redis cannot tell; what the machine counts beside it holds."""
    own = SqliteRequestStore(tmp_path / "requests.sqlite", Machine().read)
    layered = LayeredRequestStore(new_store(), own, presence_of(f"test {uuid.uuid4()}", ""))
    assert all(took(layered, Claim(MINUTE)) for _ in range(5))
    time.is_set(365 * 86_400)
    assert 0 < wait_of(layered, Claim(MINUTE)) <= 60
    own.close()


def test_instants_keep_their_microseconds(new_store: NewStore, time: Machine) -> None:
    time.wall += 123_457
    store = new_store()
    assert took(store, Claim(MINUTE, cost=5))
    time.wall += 1
    assert wait_of(store, Claim(MINUTE)) == pytest.approx(59.999999, abs=1e-9)


def test_accounts_do_not_meet_in_their_keys(new_store: NewStore) -> None:
    store = new_store()
    assert took(store, Claim(MINUTE, "a:b"), account="c")
    assert took(store, Claim(MINUTE, "b"), account="c:a")
    assert [u.subject for u in store.look("c").uses] == ["a:b"]


def test_a_server_that_is_away(private_redis: RedisServer) -> None:
    settings = RedisSettings(url=private_redis.url, socket_timeout=1)
    store = RedisRequestStore(settings)
    assert took(store, Claim(MINUTE))
    private_redis.stop()
    for ask in (
        lambda: store.take("vendor", [Claim(MINUTE)]),
        lambda: store.look("vendor"),
        lambda: store.change("vendor", lambda breaker, _: breaker),
    ):
        with pytest.raises(BudgetAwayError, match="does not answer"):
            ask()
    private_redis.start()
    assert took(store, Claim(MINUTE))
    store.close()


def test_a_wrong_password_is_a_wrong_setting(redis_url: str) -> None:
    wrong = RedisSettings(url=re.sub(r"//.*@", "//:wrong@", redis_url))
    with pytest.raises(ConfigurationError, match="refuses the login"):
        RedisRequestStore(wrong).take("vendor", [Claim(MINUTE)])
