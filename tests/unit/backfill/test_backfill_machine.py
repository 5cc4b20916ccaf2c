"""What a driver does next: every piece through once or named, whatever dies on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.backfill.machine import Steps, next_steps
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, BackfillState, PieceRecord, PieceState
from tests.support.backfill_plans import NOW, plan_of

POLICY = BackfillPolicy(attempts=2)
W, C, R = PieceState.WAITING, PieceState.CLAIMED, PieceState.RUNNING
OK, HELD, BAD = PieceState.SUCCEEDED, PieceState.HELD, PieceState.FAILED
GOING = BackfillState.RUNNING


def backfill(*pieces: tuple[PieceState, int], state: BackfillState = GOING) -> Backfill:
    records = tuple(PieceRecord(n, s, attempts=a) for n, (s, a) in enumerate(pieces))
    return Backfill("a", NOW, "me", plan_of(len(pieces)), state, NOW, records)


@pytest.mark.parametrize(
    ("pieces", "alive", "expected"),
    [
        ([(W, 0), (W, 0)], set(), Steps(launch=0)),
        ([(OK, 1), (W, 0)], set(), Steps(launch=1)),
        ([(R, 1), (W, 0)], {0}, Steps()),
        ([(R, 1), (W, 0)], set(), Steps(release=(0,), launch=1)),
        ([(C, 2), (W, 0)], set(), Steps(lost=(0,), launch=1)),
        ([(BAD, 1), (W, 0)], set(), Steps(repeat=(0,), launch=1)),
        ([(BAD, 1), (OK, 1)], set(), Steps(repeat=(0,), launch=0)),
        ([(BAD, 2), (OK, 1)], set(), Steps(become=BackfillState.FAILED)),
        ([(HELD, 1), (W, 0)], set(), Steps(launch=1)),
        ([(HELD, 1), (OK, 1)], set(), Steps(become=BackfillState.FAILED)),
        ([(OK, 1), (OK, 1)], set(), Steps(become=BackfillState.SUCCEEDED)),
        ([(OK, 1), (R, 2)], set(), Steps(lost=(1,), become=BackfillState.FAILED)),
    ],
)
def test_what_comes_next(
    pieces: list[tuple[PieceState, int]], alive: set[int], expected: Steps
) -> None:
    assert next_steps(backfill(*pieces), alive, POLICY) == expected


def test_cancelling_waits_for_what_is_at_work() -> None:
    going = backfill((R, 1), (W, 0), state=BackfillState.CANCELLING)
    assert next_steps(going, {0}, POLICY) == Steps(drop=(1,))
    dead = Steps(drop=(1, 0), become=BackfillState.CANCELLED)
    assert next_steps(going, set(), POLICY) == dead


@pytest.mark.parametrize(
    ("pieces", "state", "may_begin", "expected"),
    [
        ([(W, 0)], GOING, False, Steps(become=BackfillState.WAITING)),
        ([(W, 0)], BackfillState.WAITING, False, Steps()),
        ([(W, 0)], BackfillState.WAITING, True, Steps(launch=0, become=GOING)),
        # What is at work ends, however late it is.
        ([(R, 1), (W, 0)], GOING, False, Steps()),
        ([(OK, 1)], BackfillState.WAITING, False, Steps(become=BackfillState.SUCCEEDED)),
    ],
)
def test_nothing_begins_outside_the_window(
    pieces: list[tuple[PieceState, int]], state: BackfillState, may_begin: bool, expected: Steps
) -> None:
    found = next_steps(backfill(*pieces, state=state), {0}, POLICY, may_begin=may_begin)
    assert found == expected


@pytest.mark.parametrize("state", [s for s in BackfillState if s.is_over or s == "paused"])
def test_what_is_over_or_paused_is_left_alone(state: BackfillState) -> None:
    assert next_steps(backfill((W, 0), state=state), set(), POLICY) == Steps()


class Store:
    """One backfill in memory, and what its pieces' processes do."""

    def __init__(self, pieces: int) -> None:
        self.kept = backfill(*[(W, 0)] * pieces)
        self.made = [0] * pieces
        self.alive: set[int] = set()

    def set(self, number: int, **changes: object) -> None:
        records = [replace(p, **changes) if p.number == number else p for p in self.kept.pieces]
        self.kept = replace(self.kept, pieces=tuple(records))

    def round(self) -> None:
        steps = next_steps(self.kept, self.alive, POLICY)
        assert steps.launch is None or not self.alive, "two at once"
        for number in (*steps.release, *steps.repeat):
            self.set(number, state=W)
        for number in steps.lost:
            self.set(number, state=BAD, reason="lost")
        if steps.launch is not None:
            attempts = self.kept.pieces[steps.launch].attempts + 1
            self.set(steps.launch, state=C, attempts=attempts)
            self.alive.add(steps.launch)
        if steps.become is not None:
            self.kept = replace(self.kept, state=steps.become)

    def work(self, how: str) -> None:
        for number in list(self.alive):
            if how == "begin":
                self.set(number, state=R)
                continue
            if how == "succeed":
                self.made[number] += 1
                self.set(number, state=OK)
            elif how == "fail":
                self.set(number, state=BAD, reason="vendor")
            # Killed: it says nothing, its turn is free.
            self.alive.discard(number)


@given(
    st.integers(1, 4), st.lists(st.sampled_from(["begin", "succeed", "fail", "kill"]), max_size=40)
)
@settings(max_examples=300, deadline=None)
def test_any_order_of_deaths_ends_with_every_piece_made_once_or_named(
    pieces: int, fates: list[str]
) -> None:
    store = Store(pieces)
    for fate in [*fates, *["succeed"] * (3 * pieces)]:
        store.round()
        store.work(fate)
    store.round()
    assert store.kept.state.is_over
    for piece in store.kept.pieces:
        assert piece.attempts <= POLICY.attempts
        assert store.made[piece.number] == (piece.state is OK)
        assert piece.state is OK or (piece.state is BAD and piece.reason)
    succeeded = all(p.state is OK for p in store.kept.pieces)
    assert (store.kept.state is BackfillState.SUCCEEDED) == succeeded
