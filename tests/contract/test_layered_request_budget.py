"""LayeredRequestStore keeps the promises about requests on their way, with Redis and without."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from request_budget_suite import MINUTE, Machine, NewStore, took, used, wait_of
from request_way_suite import RequestWaySuite, sent

from adapters.cache.presence import Presence
from adapters.cache.settings import RedisSettings
from adapters.requests.layered_store import LayeredRequestStore
from adapters.requests.redis_store import RedisRequestStore
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.requests.store import Granted, RequestStore
from market_data.ports import Claim


@dataclass
class Places:
    """Redis and a file; each `open` is a process, which has not heard of an outage."""

    url: str
    path: Path
    time: Machine
    namespace: str = field(default_factory=lambda: f"test:{uuid.uuid4().hex}")

    def __post_init__(self) -> None:
        settings = RedisSettings(url=self.url)
        self.shared = RedisRequestStore(
            settings, namespace=self.namespace, wall=self.time.read_wall
        )
        self.own = SqliteRequestStore(self.path, self.time.read)
        self.presence = Presence("a server")

    def open(self) -> LayeredRequestStore:
        self.presence = Presence("a server")
        return LayeredRequestStore(self.shared, self.own, self.presence)

    def redis_goes_away(self) -> None:
        self.presence.failed("does not answer", took=0.0)

    def redis_forgets(self) -> None:
        """Its grants; the mark of its clock stays, time goes on."""
        for key in self.shared._client.scan_iter(f"{self.namespace}:*"):
            if b":g:" in key or key.endswith(b":windows"):
                self.shared._client.delete(key)

    def forget(self) -> None:
        """Both."""
        self.redis_forgets()
        self.own.standing("vendor")
        if self.path.exists():
            with sqlite3.connect(self.path) as connection:
                connection.execute("delete from grants")


@pytest.fixture
def time() -> Machine:
    return Machine()


@pytest.fixture
def places(redis_url: str, tmp_path: Path, time: Machine) -> Iterator[Places]:
    found = Places(redis_url, tmp_path / "requests.sqlite", time)
    yield found
    found.shared.close()
    found.own.close()


@pytest.fixture
def new_store(places: Places) -> NewStore:
    return places.open


class TestLayeredRequestStore(RequestWaySuite):
    @pytest.fixture(autouse=True)
    def _places(self, places: Places) -> None:
        self.places = places

    def clear(self, store: RequestStore) -> None:
        self.places.forget()


def under_way(store: RequestStore) -> list[Granted]:
    """All that a minute allows; each is taken for ended after a hundred seconds."""
    return [sent(store, Claim(MINUTE)) for _ in range(5)]


def test_a_request_that_ends_while_redis_is_away_has_ended_on_this_machine(
    places: Places, time: Machine
) -> None:
    store = places.open()
    requests = under_way(store)
    places.redis_goes_away()
    time.passes(30)
    store.settle("vendor", [Claim(MINUTE)], requests[0])
    time.passes(59.999999)
    assert not took(store, Claim(MINUTE))
    time.passes(0.000001)
    assert took(store, Claim(MINUTE))
    assert not took(store, Claim(MINUTE))
    # Redis is back, heard of no end, and lets none pass before all may have ended.
    again = places.open()
    assert used(places.shared) == {("minute", ""): 5}
    time.passes(69.999999)
    assert not took(again, Claim(MINUTE))
    time.passes(0.000001)
    assert took(again, Claim(MINUTE))


def test_a_request_that_redis_forgot_has_ended_on_this_machine(
    places: Places, time: Machine
) -> None:
    store = places.open()
    requests = under_way(store)
    places.redis_forgets()
    time.passes(30)
    store.settle("vendor", [Claim(MINUTE)], requests[0])
    assert used(places.shared) == {}
    assert used(store) == {("minute", ""): 5}
    time.passes(59)
    assert wait_of(store, Claim(MINUTE)) == 1
    # A refusal of this machine leaves nothing in Redis.
    assert used(places.shared) == {}
    time.passes(1)
    assert took(store, Claim(MINUTE))
    assert used(places.shared) == {("minute", ""): 1}
