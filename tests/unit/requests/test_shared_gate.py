"""The gate of one account: it waits, refuses what would wait too long, and asks the breaker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.requests.gate import SharedGate, told_span
from adapters.requests.shared_time import Reading
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.vendors.retrying import Questions, retrying
from market_data.errors import (
    BudgetSpentError,
    LeftAloneError,
    MarketDataError,
    RateLimitedError,
    StorageError,
    UnknownSymbolError,
    VendorError,
    VendorUnavailableError,
)
from market_data.ports import Allowance, Claim
from market_data.requests.breaker import PROBE, SECOND, State

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = Allowance("minute", 5, timedelta(minutes=1), "VENDOR_REQUESTS_PER_MINUTE")
DAY = Allowance("day", 25, timedelta(days=1), "VENDOR_REQUESTS_PER_DAY")
AWAY = VendorUnavailableError("vendor did not answer within 15 s")


class World:
    """Time that passes only while somebody sleeps."""

    def __init__(self, folder: Path) -> None:
        self.passed = 0.0
        self.slept: list[float] = []
        self.store = SqliteRequestStore(folder / "requests.sqlite", self.read)

    def read(self) -> Reading:
        return Reading(round((NOON.timestamp() + self.passed) * SECOND))

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds

    def gate(self, *, patience: float = 90) -> SharedGate:
        return SharedGate("vendor", lambda: self.store, self, patience=patience, sleep=self.sleep)

    @property
    def used(self) -> int:
        return sum(use.used for use in self.store.look("vendor").uses)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def ask(gate: SharedGate, *claims: Claim) -> None:
    gate.enter(claims)
    gate.report(None)


def fail(gate: SharedGate, times: int, claims: Sequence[Claim] = ()) -> None:
    for _ in range(times):
        gate.enter(claims)
        gate.report(AWAY)


def test_waits_until_its_turn_and_says_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    gate = world.gate()
    for _ in range(5):
        ask(gate, Claim(MINUTE), Claim(DAY))
        world.passed += 2
    gate.enter([Claim(MINUTE), Claim(DAY)])
    assert world.slept == [pytest.approx(50)]
    assert world.passed == pytest.approx(60)
    assert caplog.messages == [
        "vendor waits 50 s for its turn: 5 requests per minute are used up; "
        "VENDOR_REQUESTS_PER_MINUTE says what is allowed"
    ]


def test_refuses_what_would_wait_too_long_and_says_all_about_it(world: World) -> None:
    gate = world.gate()
    for _ in range(25):
        ask(gate, Claim(DAY))
    world.passed = 3600.5
    with pytest.raises(BudgetSpentError) as refused:
        gate.enter([Claim(MINUTE), Claim(DAY)])
    assert str(refused.value) == (
        "vendor: 25 requests per day are used up; VENDOR_REQUESTS_PER_DAY says what is allowed; "
        "its next request can be sent at 2026-03-03 12:00:00 UTC (in 23 h), and a request waits "
        "90 s at most (EMP_REQUEST_PATIENCE)"
    )
    assert refused.value.retry_after == pytest.approx(86_400 - 3600.5)
    assert isinstance(refused.value, RateLimitedError)
    assert refused.value.outcome == "refused"
    assert world.slept == []
    # Nothing was taken of the minute either.
    assert world.used == 25


def test_a_request_under_way_occupies_its_windows_until_it_has_ended(world: World) -> None:
    """A vendor counts what arrives, and the last of a window may arrive after the next one's."""
    gate = world.gate()
    for _ in range(5):
        gate.enter([Claim(MINUTE)])
    world.passed = 10
    gate.report(None)
    world.gate().enter([Claim(MINUTE)])
    assert world.slept == [pytest.approx(60)]


def test_without_a_margin_windows_count_from_the_grant(world: World) -> None:
    gate = SharedGate("vendor", lambda: world.store, world, margin=0, sleep=world.sleep)
    for _ in range(5):
        gate.enter([Claim(MINUTE)])
    world.passed = 10
    gate.report(None)
    gate.enter([Claim(MINUTE)])
    assert world.slept == [pytest.approx(50)]


def test_an_answer_is_not_lost_where_its_end_cannot_be_kept(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    questions = Questions(world.gate(), 1, world.sleep)

    def disk_takes(what: str) -> None:
        assert world.store._connection is not None
        world.store._connection.execute(f"pragma query_only = {what}")

    def answers() -> str:
        disk_takes("on")
        return "bars"

    def refuses() -> str:
        disk_takes("on")
        raise UnknownSymbolError("no such symbol")

    assert questions.put([Claim(MINUTE)], answers) == "bars"
    disk_takes("off")
    with pytest.raises(UnknownSymbolError):
        questions.put([Claim(MINUTE)], refuses)
    told = "vendor: its windows may end up to 2 min 30 s late, the end of a request cannot be kept"
    assert [message.startswith(told) for message in caplog.messages] == [True, True]
    world.passed = 60 + PROBE / SECOND - 1
    assert world.used == 2
    world.passed += 2
    assert world.used == 0


def test_a_request_that_another_thread_asks_is_none_of_ours(world: World) -> None:
    gate = world.gate()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(gate.enter, [Claim(MINUTE, cost=5)]).result()
        world.passed = 100
        gate.report(None)
        with pytest.raises(BudgetSpentError):
            world.gate(patience=59).enter([Claim(MINUTE)])
        pool.submit(gate.report, None).result()
    world.gate().enter([Claim(MINUTE)])
    assert world.slept == [pytest.approx(60)]


def test_patience_counts_all_that_was_waited(world: World) -> None:
    """Another process takes the turn each time: a request does not wait for ever."""
    one = Allowance("minute", 1, timedelta(minutes=1))

    def others_are_quicker(seconds: float) -> None:
        world.sleep(seconds)
        world.store.take("vendor", [Claim(one)])

    gate = SharedGate("vendor", lambda: world.store, world, sleep=others_are_quicker)
    world.store.take("vendor", [Claim(one)])
    with pytest.raises(BudgetSpentError):
        gate.enter([Claim(one)])
    assert world.slept == [60]


def test_two_that_want_the_last_one_of_the_day(world: World) -> None:
    one, other = world.gate(), world.gate()
    for _ in range(24):
        one.enter([Claim(DAY)])
    other.enter([Claim(DAY)])
    with pytest.raises(BudgetSpentError):
        one.enter([Claim(DAY)])


def test_a_spent_budget_is_not_asked_for_again_at_once(world: World) -> None:
    gate = world.gate(patience=1)
    gate.enter([Claim(MINUTE, cost=5)])
    asked = retrying(3, world.sleep)
    with pytest.raises(BudgetSpentError):
        asked(gate.enter, [Claim(MINUTE)])
    assert world.slept == []


def test_an_open_breaker_lets_nobody_in_and_says_when(world: World) -> None:
    gate = world.gate()
    fail(gate, 5, [Claim(DAY)])
    with pytest.raises(LeftAloneError) as refused:
        world.gate().enter([Claim(DAY)])
    assert str(refused.value) == (
        "vendor is left alone after 5 failures, the last: vendor did not answer within 15 s; it is "
        "tried again at 2026-03-02 12:01:00 UTC (in 1 min), or at once after 'emp budget reset "
        "--vendor vendor --breaker'"
    )
    assert world.used == 5
    with pytest.raises(LeftAloneError):
        retrying(3, world.sleep)(gate.enter, [Claim(DAY)])
    assert world.slept == []


def test_one_probe_at_a_time_and_its_answer_opens_the_gate(world: World) -> None:
    gate, other = world.gate(), world.gate()
    fail(gate, 5)
    world.passed += 60
    gate.enter([Claim(DAY)])
    with pytest.raises(LeftAloneError):
        other.enter([Claim(DAY)])
    assert world.used == 1
    gate.report(None)
    other.enter([Claim(DAY)])
    assert world.store.standing("vendor").breaker.state(0) is State.CLOSED


def test_a_probe_that_loses_the_race_gives_its_grant_back(world: World) -> None:
    gate, other = world.gate(), world.gate()
    fail(gate, 5)
    world.passed += 60
    take = world.store.take

    def other_is_quicker(account: str, claims: Sequence[Claim], hold: int) -> object:
        world.store.take = take  # type: ignore[method-assign]
        granted = take(account, claims, hold)
        other.enter([Claim(DAY)])
        return granted

    world.store.take = other_is_quicker  # type: ignore[method-assign, assignment]
    with pytest.raises(LeftAloneError):
        gate.enter([Claim(DAY)])
    assert world.used == 1


def test_a_probe_whose_process_died_is_not_waited_for_for_ever(world: World) -> None:
    gate = world.gate()
    fail(gate, 5)
    world.passed += 60
    gate.enter([])
    world.passed += PROBE / SECOND
    world.gate().enter([])


def test_what_is_asked_wrongly_opens_no_breaker(world: World) -> None:
    gate = world.gate()
    for trouble in [UnknownSymbolError("who?"), RateLimitedError("slower")] * 5:
        gate.enter([])
        gate.report(trouble)
    gate.enter([])


@pytest.mark.parametrize("own", [BudgetSpentError("x"), LeftAloneError("y")])
def test_its_own_refusals_are_no_news_of_the_vendor(world: World, own: VendorError) -> None:
    gate = world.gate()
    fail(gate, 4)
    gate.report(own)
    assert len(world.store.standing("vendor").breaker.failures) == 4


def test_a_pause_that_the_vendor_asks_for_holds_everybody(world: World) -> None:
    gate, other = world.gate(), world.gate()
    gate.enter([])
    gate.report(RateLimitedError("slower", retry_after=30))
    other.enter([])
    assert world.slept == [30]
    gate.report(RateLimitedError("much slower", retry_after=4000))
    with pytest.raises(BudgetSpentError, match=r"asked to be left in peace .* \(in 1 h 6 min\)"):
        other.enter([])


def test_an_answer_of_a_vendor_that_is_well_writes_nothing(world: World) -> None:
    gate = world.gate()
    gate.enter([])
    gate.report(None)
    store = world.store
    store.change = None  # type: ignore[method-assign, assignment]
    gate.report(None)
    gate.report(UnknownSymbolError("who?"))


def test_a_request_that_cannot_be_counted_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "requests.sqlite").mkdir()
    store = SqliteRequestStore(tmp_path / "requests.sqlite")
    gate = SharedGate("vendor", lambda: store, World(tmp_path / "elsewhere"))
    with pytest.raises(StorageError) as refused:
        gate.enter([Claim(DAY)])
    assert isinstance(refused.value, MarketDataError)


def test_spans_in_words() -> None:
    assert told_span(0) == "0 s"
    assert told_span(0.2) == "1 s"
    assert told_span(59.01) == "1 min"
    assert told_span(3_661) == "1 h 1 min"
    assert told_span(90_061) == "1 d 1 h"
    assert told_span(86_405) == "1 d 5 s"
