"""The driver's loop over a real database and real turns; processes of pieces are stood in for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.backfill_turns import open_turns
from adapters.clock import process_began
from adapters.operations import SqlBackfills
from adapters.settings import Settings
from emp import backfill_driver
from emp.backfill_driver import Driver
from emp.supervision import TIMED_OUT, Ended, Stop
from market_data.backfill.driving import LOST, Performed, Rounds, attempt
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, BackfillState, PieceState
from market_data.errors import ConfigurationError, StoreUnavailableError
from tests.support.backfill_plans import NOW, plan_of
from tests.support.operations_file import open_new

OK, BAD, HELD = PieceState.SUCCEEDED, PieceState.FAILED, PieceState.HELD
Fate = Callable[["World", int, str, Stop], Ended]


class MovedClock:
    """Stands still until it is moved."""

    at = NOW

    def now(self) -> datetime:
        return self.at


class World:
    """A driver, and what becomes of each piece it launches."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.engine = open_new(f"sqlite:///{folder}/operations.sqlite")
        self.kept = SqlBackfills(self.engine)
        self.turns = open_turns(Settings(data_dir=folder), None)
        self.said: list[str] = []
        self.launched: list[int] = []
        self.fates: dict[int, list[Fate]] = {}
        policy = BackfillPolicy(attempts=2)
        self.clock = MovedClock()
        rounds = Rounds(self.kept, self.turns, self.clock, policy, self.said.append)
        self.driver = Driver(rounds)
        patch.setattr(backfill_driver, "supervise", self._supervise)

    def _supervise(self, words: list[str], *, timeout: float, stop: Stop) -> Ended:
        assert timeout == 6 * 3600
        command, what, _, number, token = words
        assert (command, what) == ("backfill", "piece")
        self.launched.append(int(number))
        fates = self.fates.get(int(number)) or [ends(OK)]
        return (fates.pop(0) if len(fates) > 1 else fates[0])(self, int(number), token, stop)

    def add(self, pieces: int, *, off_peak: bool = False, **fates: Fate | list[Fate]) -> str:
        for place, fate in fates.items():
            self.fates[int(place.removeprefix("p"))] = fate if isinstance(fate, list) else [fate]
        self.name = self.kept.add(plan_of(pieces, off_peak=off_peak), at=NOW, author="me")
        return self.name

    def drive(self) -> Backfill:
        return self.driver.drive(self.name, Stop())


def ends(state: PieceState, reason: str = "") -> Fate:
    def fate(world: World, number: int, token: str, _: Stop) -> Ended:
        with world.turns.take(world.name, number):
            assert world.kept.started(world.name, number, token, f"run-{number}")
            assert world.turns.is_taken(world.name, number)
            world.kept.settle(world.name, number, token, state, at=NOW, reason=reason)
        return Ended(0, "")

    return fate


def dies(world: World, number: int, token: str, _: Stop) -> Ended:
    world.kept.started(world.name, number, token, "run")
    return Ended(137, "")


def takes_too_long(world: World, number: int, token: str, _: Stop) -> Ended:
    world.kept.started(world.name, number, token, "run")
    return Ended(TIMED_OUT, "", timed_out=True)


def gives_back_when_ended(world: World, number: int, token: str, _: Stop) -> Ended:
    """It takes the signal that ends it for a person's."""
    world.kept.started(world.name, number, token, "run")
    world.kept.release(world.name, number, token, counted=False)
    return Ended(TIMED_OUT, "", timed_out=True)


def is_stopped(world: World, number: int, token: str, stop: Stop) -> Ended:
    world.kept.started(world.name, number, token, "run")
    stop.handle(2, None)
    return Ended(130, "")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path, monkeypatch)
    yield made
    made.engine.dispose()


def test_pieces_run_in_order_and_once(world: World) -> None:
    world.add(3)
    assert world.drive().state is BackfillState.SUCCEEDED
    assert world.launched == [0, 1, 2]
    assert world.drive().state is BackfillState.SUCCEEDED
    assert world.launched == [0, 1, 2]
    assert not world.turns.is_taken(world.name)


def test_a_piece_whose_process_dies_is_begun_again_after_the_others(world: World) -> None:
    world.add(3, p0=[dies, ends(OK)])
    done = world.drive()
    assert done.state is BackfillState.SUCCEEDED
    assert world.launched == [0, 1, 2, 0]
    assert [p.attempts for p in done.pieces] == [2, 1, 1]


def test_one_that_dies_again_and_again_is_named(world: World) -> None:
    world.add(2, p1=dies)
    done = world.drive()
    assert done.state is BackfillState.FAILED
    assert world.launched == [0, 1, 1]
    assert done.reasons() == {LOST: 1}


def test_a_failure_does_not_stop_the_others_and_can_be_retried(world: World) -> None:
    world.add(3, p0=[ends(BAD, "no answer"), ends(BAD, "no answer"), ends(OK)], p2=ends(HELD, "c"))
    done = world.drive()
    assert done.state is BackfillState.FAILED
    assert world.launched == [0, 1, 2, 0]
    assert done.reasons() == {"no answer": 1, "c": 1}
    assert world.kept.again(world.name, (BAD,)) == 1
    world.kept.move(world.name, (BackfillState.FAILED,), BackfillState.RUNNING, NOW)
    assert [p.state for p in world.drive().pieces] == [OK, OK, HELD]
    assert world.launched == [0, 1, 2, 0, 0]


@pytest.mark.parametrize("fate", [takes_too_long, gives_back_when_ended])
def test_out_of_time_is_told_as_that(world: World, fate: Fate) -> None:
    world.add(1, p0=fate)
    assert list(world.drive().reasons()) == ["it took longer than 6:00:00 (max_runtime)"]


def test_one_that_is_stopped_waits_and_goes_on_uncounted(world: World) -> None:
    world.add(2, p0=[is_stopped, ends(OK)])
    paused = world.drive()
    assert paused.state is BackfillState.PAUSED
    assert (paused.pieces[0].state, paused.pieces[0].attempts) == (PieceState.WAITING, 0)
    assert any("emp backfill launch" in line for line in world.said)
    assert world.drive().state is BackfillState.SUCCEEDED


def test_two_drivers_do_not_meet(world: World) -> None:
    world.add(1)
    with world.turns.take(world.name), pytest.raises(ConfigurationError, match="another process"):
        world.drive()
    assert world.launched == []


def test_what_a_dead_driver_left_at_work_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = world.add(2)
    world.kept.claim(name, 0, "orphan", NOW)
    world.kept.started(name, 0, "orphan", "run")
    waited: list[float] = []
    with ExitStack() as orphan:
        orphan.enter_context(world.turns.take(name, 0))

        def wait(_: Stop, seconds: float) -> bool:
            waited.append(seconds)
            if len(waited) == 2:
                world.kept.settle(name, 0, "orphan", OK, at=NOW)
                orphan.close()
            return False

        monkeypatch.setattr(Stop, "wait", wait)
        done = world.drive()
    assert (len(waited), world.launched) == (2, [1])
    assert done.state is BackfillState.SUCCEEDED
    assert [p.attempts for p in done.pieces] == [1, 1]


def test_a_claim_that_nobody_works_on_is_given_back(world: World) -> None:
    name = world.add(1)
    world.kept.claim(name, 0, "dead", NOW)
    assert world.drive().state is BackfillState.SUCCEEDED
    assert not world.kept.settle(name, 0, "dead", BAD, at=NOW)


def test_a_claim_whose_run_is_on_its_way_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, waited = world.add(2), []
    world.driver = Driver(replace(world.driver.rounds, is_coming=lambda p: p.token == "queued"))
    world.kept.claim(name, 0, "queued", NOW)

    def wait(_: Stop, seconds: float) -> bool:
        waited.append(seconds)
        if len(waited) == 2:
            ends(OK)(world, 0, "queued", Stop())
        return False

    monkeypatch.setattr(Stop, "wait", wait)
    done = world.drive()
    assert (done.state, world.launched) == (BackfillState.SUCCEEDED, [1])
    assert [p.attempts for p in done.pieces] == [1, 1]
    told = "piece 0 is at work elsewhere, or on its way there; waiting for it"
    assert world.said.count(told) == 1


def test_a_cancelled_one_ends_with_the_piece_at_work(world: World) -> None:
    def cancelled(world: World, number: int, token: str, stop: Stop) -> Ended:
        world.kept.move(world.name, (BackfillState.RUNNING,), BackfillState.CANCELLING, NOW)
        return ends(OK)(world, number, token, stop)

    world.add(3, p1=cancelled)
    done = world.drive()
    assert done.state is BackfillState.CANCELLED
    assert [p.state for p in done.pieces] == [OK, OK, PieceState.CANCELLED]


def test_pieces_begin_in_the_off_peak_window_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 17:00 in New York; the first piece takes until after the window.
    def long(world: World, number: int, token: str, stop: Stop) -> Ended:
        world.clock.at += timedelta(hours=9)
        return ends(OK)(world, number, token, stop)

    name = world.add(2, off_peak=True, p0=long)
    states: list[BackfillState] = []

    def wait(_: Stop, seconds: float) -> bool:
        assert seconds == 10.0
        states.append(world.kept.get(name).state)
        world.clock.at += timedelta(hours=5 if len(states) == 1 else 15)
        return False

    monkeypatch.setattr(Stop, "wait", wait)
    assert world.drive().state is BackfillState.SUCCEEDED
    assert states == [BackfillState.WAITING] * 2
    assert world.launched == [0, 1]
    told = "its next piece begins in the off-peak window, 22:00-06:00 America/New_York"
    assert world.said.count(told) == 2


def test_one_that_waits_for_its_window_can_be_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(1, off_peak=True)
    monkeypatch.setattr(Stop, "wait", lambda stop, _: stop.handle(2, None))
    assert world.drive().state is BackfillState.PAUSED
    assert world.launched == []


@pytest.mark.parametrize(
    ("began", "seconds"), [(timedelta(minutes=-9), 60.0), (timedelta(seconds=40), 20.0)]
)
def test_what_a_piece_took_is_measured_from_the_start_of_its_process(
    world: World, began: timedelta, seconds: float
) -> None:
    """A process that is older than its claim has done other things before."""
    name = world.add(1)
    world.kept.claim(name, 0, "a", NOW)

    def run(*_: object) -> Performed:
        world.clock.at = NOW + timedelta(seconds=60)
        return Performed(OK, outcome={"new_rows": 3})

    claimed = (name, 0, "a")
    attempt(world.kept, world.turns, world.clock, claimed, run, process_began=NOW + began)
    assert world.kept.get(name).pieces[0].outcome == {"new_rows": 3, "seconds": seconds}
    assert timedelta(0) <= datetime.now(UTC) - process_began() < timedelta(days=1)


def test_pieces_wait_while_the_warehouse_is_away_and_go_on_by_themselves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = [""]
    rounds = replace(world.driver.rounds, why_away=lambda: away[0])
    world.driver = Driver(rounds)

    def meets_the_outage(world: World, number: int, token: str, _: Stop) -> Ended:
        away[0] = "connection refused"

        def run(*_: object) -> Performed:
            if world.launched.count(1) == 1:
                return Performed(BAD, "connection refused", store_failed=True)
            raise StoreUnavailableError("connection refused")

        done = attempt(
            world.kept,
            world.turns,
            world.clock,
            (world.name, number, token),
            run,
            process_began=NOW,
            why_away=rounds.why_away,
        )
        assert done is not None
        assert done.waits == "connection refused"
        return Ended(0, "")

    name = world.add(2, p1=[meets_the_outage, meets_the_outage, ends(OK)])
    waited: list[tuple[BackfillState, float]] = []

    def wait(_: Stop, seconds: float) -> bool:
        waited.append((world.kept.get(name).state, seconds))
        if len(waited) % 3 == 0:
            away[0] = ""
        return False

    monkeypatch.setattr(Stop, "wait", wait)
    done = world.drive()
    assert done.state is BackfillState.SUCCEEDED
    assert waited == [(BackfillState.WAITING, 10.0)] * 6
    assert world.launched == [0, 1, 1, 1]
    # Neither attempt counts.
    assert [p.attempts for p in done.pieces] == [1, 1]
    told = "its next piece begins once the warehouse answers again: connection refused"
    assert world.said.count(told) == 2


def test_a_failure_at_a_warehouse_that_answers_again_is_counted(world: World) -> None:
    name = world.add(1)
    world.kept.claim(name, 0, "a", NOW)
    failed = Performed(BAD, "it was away", store_failed=True)
    turns, clock = world.turns, world.clock
    attempt(world.kept, turns, clock, (name, 0, "a"), lambda *_: failed, process_began=NOW)
    (piece,) = world.kept.get(name).pieces
    assert (piece.state, piece.reason, piece.attempts) == (BAD, "it was away", 1)


def test_raw_bars_need_no_warehouse(world: World) -> None:
    world.driver = Driver(replace(world.driver.rounds, why_away=lambda: "away"))
    plan = plan_of(1)
    raw = replace(plan.request, dataset="raw/sample_a_bars_1d")
    world.name = world.kept.add(replace(plan, request=raw), at=NOW, author="me")
    assert world.drive().state is BackfillState.SUCCEEDED
