"""What people read of an account: windows, next slots, breaker, in times of their own clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.clock import FixedClock
from adapters.requests.gate import SharedGate
from adapters.requests.opening import Gates
from adapters.requests.report import AccountReport, report
from adapters.requests.shared_time import Reading
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.settings import Settings
from adapters.vendors.tws.profile import SAME_CONTRACT, TEN_MINUTES
from adapters.vendors.yahoo.profile import PROFILE as YAHOO
from emp.budgets import windows_frame
from market_data.errors import RateLimitedError, VendorUnavailableError
from market_data.ports import Claim, OpenGate
from market_data.requests.breaker import SECOND, State
from market_data.requests.cost import Cost

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Place:
    """A place whose clock is an hour behind the reader's."""

    def __init__(self, folder: Path) -> None:
        self.passed = 0.0
        self.store = SqliteRequestStore(folder / "requests.sqlite", self.read)
        self.gate = SharedGate("tws", lambda: self.store, FixedClock(NOON))

    def read(self) -> Reading:
        return Reading(round((NOON.timestamp() - 3600 + self.passed) * SECOND))

    @property
    def clock(self) -> FixedClock:
        return FixedClock(NOON + timedelta(seconds=self.passed))

    def report(self) -> AccountReport:
        return report(self.store, "tws", [TEN_MINUTES], self.clock)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()


def test_shared_windows_come_first_then_those_of_a_subject(place: Place) -> None:
    for _ in range(5):
        place.gate.enter([Claim(TEN_MINUTES, cost=2), Claim(SAME_CONTRACT, "AAPL TRADES")])
    place.gate.report(None)
    place.passed = 0.5
    shared, contract = place.report().windows
    assert (shared.allowance, shared.used, shared.left) == (TEN_MINUTES, 10, 50)
    assert shared.next_slot is None
    assert (contract.subject, contract.used, contract.left) == ("AAPL TRADES", 5, 0)
    assert contract.next_slot == NOON + timedelta(seconds=2)
    place.passed = 2
    assert [w.allowance for w in place.report().windows] == [TEN_MINUTES]


def test_a_minute_is_over_long_before_its_hour(place: Place) -> None:
    gate = SharedGate("yahoo", lambda: place.store, FixedClock(NOON))
    for _ in range(7):
        gate.enter(YAHOO.claims())
        gate.report(None)

    def windows() -> list[tuple[object, ...]]:
        found = report(place.store, "yahoo", YAHOO.allowances(), place.clock)
        return windows_frame([found]).drop("subject").rows()

    place.passed = 59.9
    assert windows() == [
        ("yahoo", "minute", 100, 7, 93, None),
        ("yahoo", "hour", 2_000, 7, 1_993, None),
    ]
    found = report(place.store, "yahoo", YAHOO.allowances(), place.clock)
    assert Cost("yahoo", 2, found.windows).sentences() == [
        "yahoo needs 2 requests, at once under its limits: 93 left of 100 requests per minute, "
        "1,993 left of 2,000 requests per hour"
    ]
    place.passed = 60
    assert windows()[0] == ("yahoo", "minute", 100, 0, 100, None)
    assert windows()[1] == ("yahoo", "hour", 2_000, 7, 1_993, None)


def test_an_unused_account(place: Place) -> None:
    found = place.report()
    assert [(w.used, w.left, w.next_slot) for w in found.windows] == [(0, 60, None)]
    assert (found.state, found.failures, found.retry_at) == (State.CLOSED, 0, None)


def test_a_breaker_and_a_pause(place: Place) -> None:
    for _ in range(5):
        place.gate.report(VendorUnavailableError("no answer"))
    place.passed = 10
    found = place.report()
    assert (found.state, found.failures, found.opened) == (State.OPEN, 5, 1)
    assert found.retry_at == NOON + timedelta(seconds=60)
    assert found.trouble == "no answer"
    place.gate.report(RateLimitedError("slower", retry_after=100))
    found = place.report()
    assert (found.state, found.held_until) == (State.CLOSED, NOON + timedelta(seconds=110))


def test_no_slot_is_free_while_the_vendor_is_left_in_peace(place: Place) -> None:
    place.gate.report(RateLimitedError("slower", retry_after=100))
    assert [w.next_slot for w in place.report().windows] == [NOON + timedelta(seconds=100)]
    for _ in range(60):
        place.store.take("tws", [Claim(TEN_MINUTES)])
    assert place.report().windows[0].next_slot == NOON + timedelta(minutes=10), "the later of both"
    place.passed = 550
    place.gate.report(RateLimitedError("slower", retry_after=100))
    assert place.report().windows[0].next_slot == NOON + timedelta(seconds=650), "the later of both"


def test_no_slot_is_free_while_the_breaker_is_open_or_probes(place: Place) -> None:
    for _ in range(5):
        place.gate.report(VendorUnavailableError("no answer"))
    assert [w.next_slot for w in place.report().windows] == [NOON + timedelta(seconds=60)]
    place.passed = 61
    assert place.report().windows[0].next_slot is None
    place.gate.enter([Claim(TEN_MINUTES)])
    assert place.report().windows[0].next_slot == NOON + timedelta(seconds=61 + 150)


def test_the_gates_of_an_installation_open_nothing_until_they_are_used(tmp_path: Path) -> None:
    gates = Gates(Settings(data_dir=tmp_path / "data"), FixedClock(NOON))
    assert isinstance(gates.of("files"), OpenGate)
    assert isinstance(gates.of("sample"), OpenGate)
    gate = gates.of("yahoo")
    assert gates.windows("files") == ()
    assert [w.left for w in gates.windows("yahoo")] == [100, 2_000]
    assert not (tmp_path / "data").exists()
    gate.enter([])
    assert Settings(data_dir=tmp_path / "data").requests_path.exists()
