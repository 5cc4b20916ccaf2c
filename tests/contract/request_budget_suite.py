"""What every place that counts requests promises, for any adapter.

What belongs here: one test per promise of `adapters.requests.store.RequestStore`. An adapter's test
file subclasses `RequestBudgetSuite` and gives the fixtures `time` and `new_store`, which opens the
same empty place again with each call.
What does not: what only one place has (a file that is damaged, a server that is away).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.requests.shared_time import Reading
from adapters.requests.store import Full, Granted, RequestStore
from market_data.errors import ConfigurationError, RateLimitedError, VendorUnavailableError
from market_data.ports import Allowance, Claim
from market_data.requests.breaker import SECOND, Breaker, reported

START = 1_772_000_000 * SECOND
MINUTE = Allowance("minute", 5, timedelta(minutes=1))
DAY = Allowance("day", 12, timedelta(days=1))
SUPPRESSED = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.differing_executors,
]


@dataclass
class Machine:
    """A machine's clocks, moved by hand; microseconds."""

    wall: int = START
    up: int = 7 * SECOND
    boot: str = "first boot"
    has_steady: bool = True
    slept: list[float] = field(default_factory=list)

    def read(self) -> Reading:
        return Reading(self.wall, self.up, self.boot) if self.has_steady else Reading(self.wall)

    def read_wall(self) -> int:
        return self.wall

    def passes(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)
        self.up += round(seconds * SECOND)

    def is_set(self, seconds: float) -> None:
        """Somebody sets the clock of the wall."""
        self.wall += round(seconds * SECOND)

    def restarts(self) -> None:
        self.boot += " and another"
        self.up = SECOND


NewStore = Callable[[], RequestStore]


def took(store: RequestStore, *claims: Claim, account: str = "vendor") -> bool:
    return isinstance(store.take(account, claims), Granted)


def wait_of(store: RequestStore, *claims: Claim, account: str = "vendor") -> float:
    found = store.take(account, claims)
    assert isinstance(found, Full)
    return (found.until - found.now) / SECOND


def used(store: RequestStore, account: str = "vendor") -> dict[tuple[str, str], int]:
    return {(u.allowance, u.subject): u.used for u in store.look(account).uses}


def most_in_any_window(grants: list[tuple[int, int]], length: int) -> int:
    """The largest sum of costs within [x, x + length), over all x; grants are (instant, cost)."""
    ordered = sorted(grants)
    instants = [at for at, _ in ordered]
    return max(
        sum(cost for _, cost in ordered[first : bisect_left(instants, at + length)])
        for first, at in enumerate(instants)
    )


class RequestBudgetSuite:
    """Subclass it, and give the fixtures `time` and `new_store`."""

    def test_grants_up_to_the_limit_and_says_when_the_next_may_pass(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        for _ in range(5):
            assert took(store, Claim(MINUTE))
            time.passes(1)
        assert wait_of(store, Claim(MINUTE)) == 55
        time.passes(54.999999)
        assert wait_of(store, Claim(MINUTE)) == pytest.approx(0.000001)
        time.passes(0.000001)
        assert took(store, Claim(MINUTE))
        assert wait_of(store, Claim(MINUTE)) == 1

    def test_a_window_begins_anywhere_and_not_with_the_minute(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        time.passes(59 - (START // SECOND) % 60)
        assert all(took(store, Claim(MINUTE)) for _ in range(5))
        time.passes(2)
        assert wait_of(store, Claim(MINUTE)) == 58

    def test_users_of_one_place_share_it_and_find_it_again(self, new_store: NewStore) -> None:
        one, other = new_store(), new_store()
        assert all(took(store, Claim(MINUTE)) for store in (one, other, one, other, one))
        assert not took(other, Claim(MINUTE))
        assert not took(new_store(), Claim(MINUTE))

    def test_accounts_windows_and_subjects_are_counted_apart(self, new_store: NewStore) -> None:
        store = new_store()
        one = Allowance("contract", 1, timedelta(seconds=2))
        assert took(store, Claim(one, "AAPL@SMART"))
        assert not took(store, Claim(one, "AAPL@SMART"))
        assert took(store, Claim(one, "MSFT@SMART"))
        assert took(store, Claim(one))
        assert took(store, Claim(replace(one, name="request"), "AAPL@SMART"))
        assert took(store, Claim(one, "AAPL@SMART"), account="another vendor")

    def test_all_claims_are_granted_or_none(self, new_store: NewStore, time: Machine) -> None:
        store = new_store()
        assert took(store, Claim(DAY, cost=10))
        assert took(store, Claim(MINUTE), Claim(DAY))
        assert took(store, Claim(MINUTE), Claim(DAY))
        before = used(store)
        assert before == {("day", ""): 12, ("minute", ""): 2}
        assert not took(store, Claim(MINUTE), Claim(DAY))
        assert not took(store, Claim(DAY), Claim(MINUTE))
        assert used(store) == before
        time.passes(100)
        assert used(store) == {("day", ""): 12}

    def test_the_claim_that_waits_longest_is_named(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        assert took(store, Claim(DAY, cost=12))
        time.passes(10)
        assert took(store, Claim(MINUTE, cost=5))
        for claims in ((Claim(MINUTE), Claim(DAY)), (Claim(DAY), Claim(MINUTE))):
            found = store.take("vendor", claims)
            assert isinstance(found, Full)
            assert found.claim.allowance == DAY
            assert found.until - found.now == (86_400 - 10) * SECOND

    def test_a_costly_request_waits_for_room_for_all_of_it(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        for _ in range(4):
            assert took(store, Claim(MINUTE))
            time.passes(10)
        assert wait_of(store, Claim(MINUTE, cost=3)) == 30
        assert wait_of(store, Claim(MINUTE), Claim(MINUTE)) == 20
        assert took(store, Claim(MINUTE))
        time.passes(30)
        assert took(store, Claim(MINUTE, cost=2))

    def test_a_claim_that_can_never_be_granted_is_a_wrong_setting(
        self, new_store: NewStore
    ) -> None:
        store = new_store()
        small = Allowance("minute", 1, timedelta(minutes=1), "VENDOR_REQUESTS_PER_MINUTE")
        with pytest.raises(ConfigurationError, match="raise VENDOR_REQUESTS_PER_MINUTE"):
            store.take("vendor", [Claim(small, cost=2)])
        with pytest.raises(ConfigurationError, match="counts as 2"):
            store.take("vendor", [Claim(small), Claim(small)])
        assert used(store) == {}

    def test_a_limit_that_was_changed_holds_at_once(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        assert all(took(store, Claim(MINUTE)) for _ in range(5))
        more = replace(MINUTE, requests=7)
        time.passes(1)
        assert took(store, Claim(more))
        assert took(store, Claim(more))
        assert not took(store, Claim(more))
        less = replace(MINUTE, requests=2)
        assert wait_of(store, Claim(less)) == 60
        (use,) = store.look("vendor").uses
        assert (use.used, use.requests) == (7, 7)

    def test_what_is_given_back_can_be_taken_again(self, new_store: NewStore) -> None:
        store = new_store()
        claims = (Claim(MINUTE, cost=2), Claim(DAY), Claim(DAY, "one"))
        assert took(store, *claims)
        granted = store.take("vendor", claims)
        assert isinstance(granted, Granted)
        store.give_back("vendor", claims, granted)
        assert used(store) == {("minute", ""): 2, ("day", ""): 1, ("day", "one"): 1}
        assert took(store, *claims)

    def test_no_claim_is_always_granted(self, new_store: NewStore) -> None:
        store = new_store()
        assert took(store)
        assert used(store) == {}

    def test_what_is_used_can_be_read_without_using_any(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        assert store.look("vendor").uses == ()
        assert took(store, Claim(MINUTE, cost=3), Claim(DAY))
        time.passes(20)
        assert took(store, Claim(MINUTE))
        for _ in range(3):
            found = store.look("vendor")
            day, minute = found.uses
            assert (day.used, day.requests, minute.used, minute.requests) == (1, 12, 4, 5)
            assert minute.next_free - found.now == 40 * SECOND
            assert store.standing("vendor").now == found.now
        assert store.look("another").uses == ()

    def test_old_entries_are_forgotten(self, new_store: NewStore, time: Machine) -> None:
        store = new_store()
        for number in range(30):
            assert took(store, Claim(MINUTE, f"contract {number}"), Claim(MINUTE))
            time.passes(13)
        assert self.entries(store) <= 2 * 5
        time.passes(60)
        assert took(store, Claim(MINUTE))
        assert self.entries(store) == 1

    def entries(self, store: RequestStore) -> int:
        """How many grants the place keeps, whether they still count or not."""
        raise NotImplementedError

    # Clocks that jump.

    def test_a_wall_clock_set_back_starves_nobody_for_longer_than_a_window(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        assert all(took(store, Claim(MINUTE)) for _ in range(5))
        time.is_set(-3 * 3600)
        assert 0 < wait_of(store, Claim(MINUTE)) <= 60
        time.passes(60)
        assert took(store, Claim(MINUTE))

    def test_a_wall_clock_set_back_grants_no_more(self, new_store: NewStore, time: Machine) -> None:
        store = new_store()
        assert all(took(store, Claim(MINUTE)) for _ in range(5))
        time.passes(30)
        time.is_set(-20)
        assert not took(store, Claim(MINUTE))
        time.passes(29)
        assert not took(store, Claim(MINUTE))

    def test_a_wall_clock_set_forward_and_back_frees_a_window_once_at_most(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        assert all(took(store, Claim(MINUTE)) for _ in range(5))
        time.is_set(365 * 86_400)
        assert sum(took(store, Claim(MINUTE)) for _ in range(20)) <= 5
        time.is_set(-365 * 86_400)
        assert 0 < wait_of(store, Claim(MINUTE)) <= 60
        time.passes(60)
        assert sum(took(new_store(), Claim(MINUTE)) for _ in range(20)) == 5

    def test_a_wall_clock_set_back_and_put_right_frees_nothing_early(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        assert all(took(store, Claim(MINUTE)) for _ in range(5))
        time.passes(10)
        time.is_set(-3600)
        assert not took(store, Claim(MINUTE))
        time.passes(10)
        assert not took(store, Claim(MINUTE))
        time.is_set(3600)
        time.passes(10)
        assert 30 <= wait_of(new_store(), Claim(MINUTE)) <= 50
        time.passes(50)
        assert sum(took(store, Claim(MINUTE)) for _ in range(20)) == 5

    def test_a_pause_lasts_no_longer_whatever_the_wall_clock_is_set_to(
        self, new_store: NewStore, time: Machine
    ) -> None:
        store = new_store()
        trouble = RateLimitedError("slower", retry_after=60)
        held = store.change("vendor", lambda before, now: reported(before, trouble, now))
        assert store.standing("vendor").now < held.held_until
        time.is_set(-3 * 3600)
        assert store.standing("vendor").now < held.held_until
        time.passes(61)
        assert new_store().standing("vendor").now >= held.held_until

    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from(["minute", "both", "costly", "subject"]),
                st.integers(0, 40),
                st.sampled_from([0, 0, 0, 0, -5, -86_400]),
            ),
            min_size=1,
            max_size=40,
        )
    )
    @settings(max_examples=60, deadline=None, suppress_health_check=SUPPRESSED)
    def test_no_window_ever_holds_more_than_its_limit(
        self, new_store: NewStore, time: Machine, steps: list[tuple[str, int, int]]
    ) -> None:
        """Measured in time that truly passed, whatever the wall clock was set back to."""
        store = new_store()
        self.clear(store)
        kinds = {
            "minute": (Claim(MINUTE),),
            "both": (Claim(MINUTE), Claim(DAY)),
            "costly": (Claim(MINUTE, cost=2),),
            "subject": (Claim(MINUTE, "one"), Claim(MINUTE)),
        }
        granted: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for kind, passes, is_set in steps:
            if took(store, *kinds[kind]):
                for claim in kinds[kind]:
                    key = (claim.allowance.name, claim.subject)
                    granted.setdefault(key, []).append((time.up, claim.cost))
            time.passes(passes)
            time.is_set(is_set)
        for allowance in (MINUTE, DAY):
            length = round(allowance.per.total_seconds()) * SECOND
            for (name, _), grants in granted.items():
                if name == allowance.name:
                    assert most_in_any_window(grants, length) <= allowance.requests

    def clear(self, store: RequestStore) -> None:
        """Empty the place, for the next example."""
        raise NotImplementedError

    # Several at once.

    def test_two_that_want_the_last_one(self, new_store: NewStore) -> None:
        last = Allowance("day", 1, timedelta(days=1))
        for round_ in range(10):
            claim = Claim(last, f"round {round_}")
            ready = Barrier(4)

            def ask(claim: Claim = claim, ready: Barrier = ready) -> bool:
                store = new_store()
                store.standing("vendor")
                ready.wait(10)
                return took(store, claim)

            with ThreadPoolExecutor(4) as pool:
                answers = [f.result() for f in [pool.submit(ask) for _ in range(4)]]
            assert sum(answers) == 1

    def test_one_store_serves_many_threads(self, new_store: NewStore) -> None:
        store = new_store()
        many = Allowance("minute", 40, timedelta(minutes=1))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: took(store, Claim(many)), range(80)))
        assert sum(answers) == 40

    # The breaker.

    def test_a_breaker_is_kept_and_shared(self, new_store: NewStore, time: Machine) -> None:
        store, other = new_store(), new_store()
        assert store.standing("vendor").breaker == Breaker()
        trouble = VendorUnavailableError("der Server schläft")

        def fails(breaker: Breaker, now: int) -> Breaker:
            return reported(breaker, trouble, now)

        changed = store.change("vendor", fails)
        assert changed.failures == (store.standing("vendor").now,)
        assert other.standing("vendor").breaker == changed
        assert other.look("vendor").breaker == changed
        assert changed.trouble == "der Server schläft"
        assert other.standing("another").breaker == Breaker()
        time.passes(5)
        assert len(other.change("vendor", fails).failures) == 2
        assert new_store().change("vendor", lambda *_: Breaker()) == Breaker()
        assert store.standing("vendor").breaker == Breaker()

    def test_changes_of_a_breaker_are_not_lost(self, new_store: NewStore) -> None:
        def opened_once_more(breaker: Breaker, _: int) -> Breaker:
            return replace(breaker, opened=breaker.opened + 1)

        stores = [new_store() for _ in range(4)]

        def change(store: RequestStore) -> None:
            for _ in range(10):
                store.change("vendor", opened_once_more)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(change, stores))
        assert stores[0].standing("vendor").breaker.opened == 40
