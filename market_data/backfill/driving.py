"""Driving a backfill: one round of its driver, and one attempt at a piece.

What belongs here: the rounds and attempts over the ports, the same for the command line and for
Dagster's daemon. What does not: the rules of progress (machine.py), starting processes and runs
(emp/backfill_driver.py, sensors/backfills.py), what a run does (jobs/backfill_piece.py).

A driver holds the turn of its backfill, an attempt that of its piece. An attempt that dies leaves a
turn that is free, by which the next driver knows that the piece has to be begun again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from market_data.backfill.machine import Steps, next_steps
from market_data.backfill.plans import CURATED, Piece
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, BackfillState, PieceRecord, PieceState
from market_data.backfill.window import Window
from market_data.errors import StoreUnavailableError
from market_data.ports.backfills import Backfills
from market_data.ports.clock import Clock

HERE = "here-"
"""How tokens of attempts begin whose processes a command starts itself."""
LOST = "its process ended without a word"

Tell = Callable[[str], None]
WhyAway = Callable[[], str]
"""Looks whether the warehouse answers: why not, or nothing."""


def always_there() -> str:
    """For warehouses that are files."""
    return ""


class Turns(Protocol):
    """Who is at work, told without waiting; a turn ends with the process that holds it."""

    def take(self, *names: object) -> AbstractContextManager[None]:
        """Hold the turn of a backfill, or of a piece by its number.

        Raises:
            StoreConflictError: another holds it.
        """
        ...

    def is_taken(self, *names: object) -> bool:
        """Whether anybody holds it now."""
        ...


@dataclass(frozen=True)
class Launch:
    """A piece that was claimed and is to be begun.

    Attributes:
        backfill: of which it is a piece.
        piece: what is to be done.
        token: names the attempt.
    """

    backfill: Backfill
    piece: Piece
    token: str


@dataclass(frozen=True)
class Performed:
    """What became of an attempt at a piece.

    Attributes:
        state: succeeded, held or failed.
        reason: why not succeeded, in a sentence.
        outcome: for JSON: vendor_seconds, new_rows, rejected_rows, and why sessions have no answer.
        interrupted: a signal ended it.
        store_failed: the warehouse did not answer it.
        waits: why it is begun again later, uncounted; empty where it is not.
    """

    state: PieceState
    reason: str = ""
    outcome: Mapping[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    store_failed: bool = False
    waits: str = ""


@dataclass(frozen=True)
class Rounds:
    """The rounds of a driver that holds the turn of a backfill.

    Attributes:
        kept: where backfills are kept.
        turns: who is at work.
        clock: the time.
        policy: how often a piece is tried, and when one may begin.
        tell: takes sentences for a person.
        is_coming: whether an attempt that holds no turn yet is on its way all the same.
        why_away: no piece of curated bars begins while the warehouse does not answer.
        tokens: how the tokens of its attempts begin, see `HERE`.
    """

    kept: Backfills
    turns: Turns
    clock: Clock
    policy: BackfillPolicy
    tell: Tell
    is_coming: Callable[[PieceRecord], bool] = lambda _: False
    why_away: WhyAway = always_there
    tokens: str = ""

    def play(self, name: str) -> tuple[bool, Launch | None]:
        """One round: whether another may follow, and what is to be begun before it."""
        before = self.kept.get(name)
        # Of one that is cancelled, what has not begun never does: a run that comes does nothing.
        waits = before.state is not BackfillState.CANCELLING
        alive = {
            p.number
            for p in before.pieces
            if p.state.is_taken
            and (self.turns.is_taken(name, p.number) or (waits and self.is_coming(p)))
        }
        # Read again: a piece may have settled itself right before its turn was looked at.
        backfill = self.kept.get(name)
        if backfill.state.is_over:
            return False, None
        may_begin = not backfill.plan.off_peak or self.policy.off_peak.holds(self.clock.now())
        steps, why = next_steps(backfill, alive, self.policy, may_begin=may_begin), ""
        curated = backfill.plan.request.layer == CURATED
        if steps.launch is not None and curated and (why := self.why_away()):
            steps = next_steps(backfill, alive, self.policy, may_begin=False)
        self._apply(backfill, steps, why)
        return True, None if steps.launch is None else self._claimed(backfill, steps.launch)

    def _apply(self, backfill: Backfill, steps: Steps, why_away: str) -> None:
        now, name = self.clock.now(), backfill.id
        tokens = {piece.number: piece.token for piece in backfill.pieces}
        for number in steps.release:
            if self.kept.release(name, number, tokens[number]):
                self.tell(f"piece {number}: {LOST}; it is begun again")
        for number in steps.lost:
            self.kept.settle(name, number, tokens[number], PieceState.FAILED, at=now, reason=LOST)
        for number in steps.repeat:
            if self.kept.repeat(name, number):
                self.tell(f"piece {number} is tried again")
        for number in steps.drop:
            self.kept.drop(name, number, now)
        if steps.become is not None:
            going = [BackfillState.WAITING, BackfillState.RUNNING]
            # One that a person cancels meanwhile is cancelled, and neither waits nor begins.
            if steps.become.is_over:
                going.append(BackfillState.CANCELLING)
            self.kept.move(name, going, steps.become, now)
            if steps.become is BackfillState.WAITING:
                window = f"in the off-peak window, {self.policy.off_peak}"
                once = f"once the warehouse answers again: {why_away}"
                self.tell(f"its next piece begins {once if why_away else window}")

    def _claimed(self, backfill: Backfill, number: int) -> Launch | None:
        token = f"{self.tokens}{uuid.uuid4().hex}"
        if not self.kept.claim(backfill.id, number, token, self.clock.now()):
            return None
        piece = backfill.plan.pieces[number]
        self.tell(
            f"piece {number} ({number + 1} of {len(backfill.plan.pieces)}): sessions {piece.first} "
            f"to {piece.last}, {piece.symbol_sessions} symbol-sessions"
        )
        return Launch(backfill, piece, token)


def attempt(
    kept: Backfills,
    turns: Turns,
    clock: Clock,
    launch: tuple[str, int, str],
    run: Callable[[Backfill, Piece, str], Performed],
    *,
    process_began: datetime,
    why_away: WhyAway = always_there,
    off_peak: Window | None = None,
) -> Performed | None:
    """Run a claimed piece and settle it; None where the claim is not this attempt's any more.

    One that failed since the warehouse is away waits again, uncounted: its driver begins it once
    the warehouse answers. So does one that has waited in queues until its window was over.

    Args:
        kept: where backfills are kept.
        turns: who is at work.
        clock: the time.
        launch: id of the backfill, number of the piece, token of the attempt.
        run: does it, given the id that its run is to have.
        process_began: when the process of the attempt was started; what lay before, in queues, is
            no measure of the work.
        why_away: looks at the warehouse.
        off_peak: where pieces of a backfill that was launched so may begin; None: whenever.

    Raises:
        StoreConflictError: another attempt works on the piece.
    """
    name, number, token = launch
    with turns.take(name, number):
        run_id = str(uuid.uuid4())
        if not kept.started(name, number, token, run_id):
            return None
        backfill = kept.get(name)
        if off_peak and backfill.plan.off_peak and not off_peak.holds(clock.now()):
            kept.release(name, number, token, counted=False)
            why = f"it is not {off_peak} (backfill.off_peak)"
            return Performed(PieceState.FAILED, why, waits=why)
        try:
            done = run(backfill, backfill.plan.pieces[number], run_id)
        except Exception as error:
            if isinstance(error, StoreUnavailableError) and (why := why_away()):
                kept.release(name, number, token, counted=False)
                return Performed(PieceState.FAILED, str(error), waits=why)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            failed = PieceState.FAILED
            kept.settle(name, number, token, failed, at=clock.now(), reason=reason)
            raise
        if done.store_failed and (why := why_away()):
            done = replace(done, waits=why)
        if done.interrupted or done.waits:
            kept.release(name, number, token, counted=False)
            return done
        end, claimed = clock.now(), backfill.pieces[number].claimed_at
        began = max(process_began, claimed or process_began)
        outcome = {**done.outcome, "seconds": round((end - began).total_seconds(), 3)}
        kept.settle(name, number, token, done.state, at=end, reason=done.reason, outcome=outcome)
        return done
