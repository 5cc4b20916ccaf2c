"""What every place that counts requests promises of those that are on their way.

What belongs here: windows that end their length after the answer, seen from the vendor; what
counts as a failure of the vendor when a question is put again. An adapter's test file subclasses
`RequestWaySuite` beside `RequestBudgetSuite`, and gives the fixtures `time` and `new_store`.
What does not: windows and breakers by themselves (request_budget_suite.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from request_budget_suite import (
    DAY,
    MINUTE,
    SUPPRESSED,
    Machine,
    NewStore,
    most_in_any_window,
    took,
    used,
    wait_of,
)

from adapters.clock import FixedClock
from adapters.requests.gate import SharedGate
from adapters.requests.store import Full, Granted, RequestStore
from adapters.vendors.retrying import Questions
from market_data.errors import LeftAloneError, VendorError, VendorUnavailableError
from market_data.ports import Allowance, Claim
from market_data.requests.breaker import SECOND, State

HOLD = 100 * SECOND
HOUR = Allowance("hour", 100, timedelta(hours=1))
AWAY = VendorUnavailableError("no answer")
NOON = FixedClock(datetime(2026, 3, 2, 12, tzinfo=UTC))


def sent(store: RequestStore, *claims: Claim, hold: int = HOLD) -> Granted:
    found = store.take("vendor", claims, hold)
    assert isinstance(found, Granted)
    return found


class Vendor:
    """Answers each request with the next of these, which take a second each."""

    def __init__(self, store: RequestStore, time: Machine, *answers: VendorError | None) -> None:
        self.gate = SharedGate("vendor", lambda: store, NOON, sleep=time.passes)
        self._questions = Questions(self.gate, 3, time.passes)
        self._time, self._answers, self.asked = time, list(answers), 0

    def ask(self) -> None:
        self._questions.put([Claim(HOUR)], self._answer)

    def fails(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(VendorUnavailableError):
                self.ask()

    def _answer(self) -> None:
        self.asked += 1
        self._time.passes(1)
        trouble = self._answers.pop(0) if self._answers else AWAY
        if trouble is not None:
            raise trouble


class RequestWaySuite:
    """Subclass it, and give the fixtures `time` and `new_store`."""

    def test_a_request_on_its_way_occupies_its_windows(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        requests = [sent(store, Claim(MINUTE)) for _ in range(5)]
        time.passes(61)
        assert not took(store, Claim(MINUTE))
        new_store().settle("vendor", [Claim(MINUTE)], requests[2])
        time.passes(59.999999)
        assert not took(store, Claim(MINUTE))
        time.passes(0.000001)
        assert took(store, Claim(MINUTE))
        assert not took(store, Claim(MINUTE))

    def test_a_request_whose_end_nobody_reports_is_not_waited_for_for_ever(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        for _ in range(5):
            sent(store, Claim(MINUTE), Claim(MINUTE, "one"))
        time.passes(159.999999)
        assert not took(store, Claim(MINUTE))
        assert used(store) == {("minute", ""): 5, ("minute", "one"): 5}
        time.passes(0.000001)
        assert took(store, Claim(MINUTE))
        assert used(store) == {("minute", ""): 1}

    def test_who_waits_is_told_of_the_earliest_turn(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        requests = [sent(store, Claim(MINUTE)) for _ in range(5)]
        time.passes(10)
        # As if the first of them were answered now.
        assert wait_of(store, Claim(MINUTE)) == 60
        store.settle("vendor", [Claim(MINUTE)], requests[4])
        time.passes(10)
        assert wait_of(store, Claim(MINUTE)) == 50
        assert wait_of(store, Claim(MINUTE, cost=2)) == 60
        time.passes(130)
        found = store.take("vendor", [Claim(MINUTE, cost=5)], HOLD)
        assert isinstance(found, Full)
        assert found.until - found.now == 10 * SECOND

    def test_an_end_that_is_reported_late_or_twice_prolongs_nothing(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        claims = [Claim(MINUTE, cost=2), Claim(MINUTE), Claim(DAY), Claim(DAY, "one")]
        request = sent(store, *claims)
        time.passes(1)
        store.settle("vendor", claims, request)
        time.passes(50)
        store.settle("vendor", claims, request)
        assert used(store) == {("minute", ""): 3, ("day", ""): 1, ("day", "one"): 1}
        time.passes(10)
        assert used(store) == {("day", ""): 1, ("day", "one"): 1}
        store.settle("vendor", claims, request)
        assert used(store) == {("day", ""): 1, ("day", "one"): 1}
        late = sent(store, Claim(MINUTE), hold=0)
        time.passes(30)
        store.settle("vendor", [Claim(MINUTE)], late)
        time.passes(30)
        assert used(store) == {("day", ""): 1, ("day", "one"): 1}

    @given(
        requests=st.lists(
            st.tuples(st.integers(0, 30), st.integers(0, 90), st.integers(0, 100)),
            min_size=1,
            max_size=40,
        )
    )
    @settings(max_examples=30, deadline=None, suppress_health_check=SUPPRESSED)
    def test_no_window_of_the_vendor_ever_holds_more_than_the_limit(
        self, new_store: NewStore, time: Machine, requests: list[tuple[int, int, int]]
    ) -> None:
        """Counted when they arrive: after any part of their way, which differs for each."""
        store = new_store()
        self.clear(store)
        arrived: list[tuple[int, int]] = []
        on_the_way: list[tuple[int, Granted]] = []
        for pause, takes, share in requests:
            on_the_way = self._passes(store, time, pause, on_the_way)
            found = store.take("vendor", [Claim(MINUTE)], HOLD)
            if isinstance(found, Granted):
                arrived.append((time.up + takes * share * SECOND // 100, 1))
                on_the_way.append((time.up + takes * SECOND, found))
        assert most_in_any_window(arrived, 60 * SECOND) <= MINUTE.requests

    def _passes(
        self, store: RequestStore, time: Machine, seconds: int, open_: Iterable[tuple[int, Granted]]
    ) -> list[tuple[int, Granted]]:
        """Let time pass, and requests end when it is their time; those that have not."""
        until, left = time.up + seconds * SECOND, []
        for ends, granted in sorted(open_, key=lambda request: request[0]):
            if ends > until:
                left.append((ends, granted))
                continue
            time.passes((ends - time.up) / SECOND)
            store.settle("vendor", [Claim(MINUTE)], granted)
        time.passes((until - time.up) / SECOND)
        return left

    def clear(self, store: RequestStore) -> None:
        """Empty the place, for the next example."""
        raise NotImplementedError

    # What counts as a failure.

    def test_a_question_that_is_put_three_times_in_vain_is_one_failure(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        vendor = Vendor(store, time)
        vendor.fails(4)
        assert vendor.asked == 12
        found = new_store().standing("vendor")
        assert (len(found.breaker.failures), found.breaker.state(found.now)) == (4, State.CLOSED)
        vendor.fails(1)
        found = new_store().standing("vendor")
        assert (vendor.asked, found.breaker.state(found.now)) == (15, State.OPEN)
        with pytest.raises(LeftAloneError):
            vendor.ask()
        assert vendor.asked == 15

    def test_a_question_that_is_answered_at_last_is_none(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        vendor = Vendor(store, time, *[AWAY, AWAY, None] * 4)
        for _ in range(4):
            vendor.ask()
        assert (vendor.asked, store.standing("vendor").breaker.failures) == (12, ())
        vendor.fails(1)
        assert len(store.standing("vendor").breaker.failures) == 1

    def test_a_probe_is_one_request(self, new_store: NewStore, time: Machine) -> None:
        store = new_store()
        vendor = Vendor(store, time)
        vendor.fails(5)
        time.passes(61)
        with pytest.raises(LeftAloneError):
            vendor.ask()
        assert vendor.asked == 16
        found = store.standing("vendor").breaker
        assert (found.opened, found.state(store.standing("vendor").now)) == (2, State.OPEN)

    def test_a_question_that_finds_no_room_to_be_put_again_has_failed(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        vendor = Vendor(store, time)
        assert took(store, Claim(HOUR, cost=99))
        with pytest.raises(VendorError, match="used up"):
            vendor.ask()
        assert (vendor.asked, len(store.standing("vendor").breaker.failures)) == (1, 1)
