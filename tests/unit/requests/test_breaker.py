"""The breaker of a vendor: its states, and what leads from one to the next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.requests.breaker_text import breaker_of, text_of
from market_data.errors import (
    MalformedAnswerError,
    OutOfRangeError,
    RateLimitedError,
    UnauthorisedError,
    UnknownSymbolError,
    UnreachableError,
    VendorError,
    VendorUnavailableError,
)
from market_data.requests.breaker import (
    FAILURES,
    MOST_HOLD,
    MOST_PAUSE,
    PAUSE,
    PROBE,
    SECOND,
    SPAN,
    Breaker,
    State,
    probed,
    reported,
)

AWAY = VendorUnavailableError("no answer")


def failed_often(times: int = FAILURES, *, every: int = SECOND, start: int = 0) -> Breaker:
    breaker = Breaker()
    for number in range(times):
        breaker = reported(breaker, AWAY, start + number * every)
    return breaker


def test_opens_at_the_fifth_failure_within_a_minute() -> None:
    assert failed_often(4).state(3 * SECOND) is State.CLOSED
    opened = failed_often(5)
    now = 4 * SECOND
    assert opened.state(now) is State.OPEN
    assert opened.closed_until(now) == now + PAUSE
    assert probed(opened, now) is None


def test_failures_far_apart_open_nothing() -> None:
    breaker = failed_often(50, every=SPAN // 4)
    assert breaker.state(50 * SPAN) is State.CLOSED
    assert failed_often(5, every=SPAN // 4 - 1).opened == 1


@pytest.mark.parametrize(
    "answer",
    [
        None,
        UnknownSymbolError("who?"),
        UnauthorisedError("no"),
        OutOfRangeError("never"),
        RateLimitedError("slower"),
        VendorError("of another kind"),
    ],
)
def test_an_answer_of_any_kind_clears_failures(answer: VendorError | None) -> None:
    breaker = reported(failed_often(4), answer, 4 * SECOND)
    assert breaker == Breaker()
    assert reported(failed_often(5), answer, 4 * SECOND) == Breaker()


@pytest.mark.parametrize("kind", [VendorUnavailableError, UnreachableError, MalformedAnswerError])
def test_these_are_failures(kind: type[VendorError]) -> None:
    breaker = Breaker()
    for at in range(5):
        breaker = reported(breaker, kind("why"), at)
    assert breaker.opened == 1
    assert breaker.trouble == "why"


def test_after_the_pause_one_probe_at_a_time() -> None:
    breaker = failed_often()
    then = breaker.retry_at
    assert breaker.state(then) is State.HALF_OPEN
    probing = probed(breaker, then)
    assert probing is not None
    assert probed(probing, then) is None
    assert probed(probing, then + PROBE - 1) is None
    assert probing.closed_until(then + 1) == then + PROBE
    # The process of the probe died: the next one is let through.
    assert probed(probing, then + PROBE) is not None


def test_a_probe_that_is_answered_closes_it() -> None:
    probing = probed(failed_often(), 100 * SECOND)
    assert probing is not None
    assert reported(probing, None, 101 * SECOND) == Breaker()


def test_a_probe_that_fails_opens_it_for_longer_each_time() -> None:
    breaker, now, pauses = failed_often(), 4 * SECOND, []
    for _ in range(8):
        pauses.append(breaker.retry_at - now)
        now = breaker.retry_at
        probing = probed(breaker, now)
        assert probing is not None
        breaker = reported(probing, AWAY, now)
        assert breaker.state(now) is State.OPEN
    assert pauses[:4] == [PAUSE, 2 * PAUSE, 4 * PAUSE, 8 * PAUSE]
    assert max(pauses) == MOST_PAUSE


def test_a_failure_of_a_request_under_way_prolongs_nothing() -> None:
    breaker = failed_often()
    later = reported(breaker, AWAY, 30 * SECOND)
    assert (later.retry_at, later.opened) == (breaker.retry_at, 1)


def test_a_vendor_that_asks_for_a_pause_gets_it() -> None:
    breaker = reported(Breaker(), RateLimitedError("slower", retry_after=30), SECOND)
    assert breaker.held_until == 31 * SECOND
    # A shorter pause, an answer to a request under way, take nothing from it.
    assert reported(breaker, RateLimitedError("x", retry_after=1), 2 * SECOND) == breaker
    assert reported(breaker, None, 2 * SECOND) == breaker
    assert reported(breaker, None, 31 * SECOND) == Breaker()
    wild = reported(Breaker(), RateLimitedError("x", retry_after=1e12), 0)
    assert wild.held_until == MOST_HOLD


TROUBLES = st.sampled_from(
    [None, AWAY, MalformedAnswerError("x"), UnknownSymbolError("y"), RateLimitedError("z")]
)
EVENTS = st.lists(
    st.tuples(st.integers(0, 120 * SECOND), st.one_of(st.just("ask"), TROUBLES)), max_size=80
)


@given(EVENTS)
def test_whatever_happens(events: list[tuple[int, str | VendorError | None]]) -> None:
    """Never asked while open, never two probes at a time, never away for longer than the rules say.

    A model beside it knows nothing but the failures in a row.
    """
    breaker, now, row = Breaker(), 0, list[int]()
    probe_at: int | None = None
    for passes, event in events:
        now += passes
        state = breaker.state(now)
        assert breaker_of(text_of(breaker)) == breaker
        assert breaker.closed_until(now) - now <= max(MOST_PAUSE, PROBE)
        if event == "ask":
            asked = probed(breaker, now)
            if state is State.CLOSED:
                assert asked == breaker
            elif state is State.OPEN:
                assert asked is None
            else:
                under_way = probe_at is not None and now < probe_at + PROBE
                assert (asked is None) == under_way
                probe_at = probe_at if under_way else now
            breaker = asked or breaker
            continue
        assert not isinstance(event, str)
        breaker = reported(breaker, event, now)
        if event == AWAY or isinstance(event, MalformedAnswerError):
            row.append(now)
            if state is not State.OPEN:
                probe_at = None
            enough = len(row) >= FAILURES and row[-1] - row[-FAILURES] < SPAN
            if state is State.CLOSED:
                assert (breaker.state(now) is State.OPEN) == enough
            else:
                assert breaker.state(now) is State.OPEN
        else:
            row.clear()
            probe_at = None
            assert breaker.state(now) is State.CLOSED
            assert breaker.failures == ()
