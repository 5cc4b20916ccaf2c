"""Driving a backfill from the command line: one process per piece, one piece after another.

What belongs here: the loop of the driver, and what the process of a piece does.
What does not: what comes next (market_data/backfill/machine.py), the run of a piece
(jobs/backfill_piece.py), what a person is shown (emp/backfills.py).

The driver holds the turn of the backfill, the process of a piece that of its piece. A driver that
dies leaves a piece at work, which settles itself; a process that dies leaves a turn that is free,
by which the next driver knows that the piece has to be begun again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emp.supervision import TIMED_OUT, Stop, supervise
from market_data.backfill.machine import Steps, next_steps
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, BackfillState, PieceState
from market_data.errors import ConfigurationError, StoreConflictError

if TYPE_CHECKING:
    from adapters.backfill_turns import Turns
    from adapters.settings import Settings
    from jobs.backfill_piece import Performed
    from market_data.ports import Clock
    from market_data.ports.backfills import Backfills

LOST = "its process ended without a word"
_PAUSE_SECONDS = 0.5
"""Between looks at a piece that a former driver left at work."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Driver:
    """Drives one backfill at a time.

    Attributes:
        backfills: where they are kept.
        turns: who is at work.
        clock: the time.
        policy: how often a piece is tried, and how long it may take.
        tell: takes sentences for a person.
    """

    backfills: Backfills
    turns: Turns
    clock: Clock
    policy: BackfillPolicy
    tell: Tell

    def drive(self, name: str, stop: Stop) -> Backfill:
        """Take a backfill to its end, or as far as it comes before somebody says stop.

        Args:
            name: its id.
            stop: asks to end; the piece at work is ended and waits again.

        Raises:
            ConfigurationError: another process drives it.
        """
        with ExitStack() as held:
            try:
                held.enter_context(self.turns.take(name))
            except StoreConflictError:
                raise ConfigurationError(
                    f"another process drives backfill {name}; 'emp backfill watch {name}' shows it"
                ) from None
            paused = (BackfillState.PAUSED,)
            self.backfills.move(name, paused, BackfillState.RUNNING, self.clock.now())
            self.follow(name, stop)
            if stop:
                self._pause(name)
            return self.backfills.get(name)

    def follow(self, name: str, stop: Stop) -> None:
        """The rounds of a backfill whose turn the caller holds."""
        while not stop and self._round(name, stop):
            pass

    def _round(self, name: str, stop: Stop) -> bool:
        """One round; whether another may follow."""
        backfill = self.backfills.get(name)
        if backfill.state.is_over:
            return False
        taken = [p.number for p in backfill.pieces if p.state.is_taken]
        alive = {number for number in taken if self.turns.is_taken(name, number)}
        # Read again: a piece may have settled itself right before its turn was looked at.
        backfill = self.backfills.get(name)
        steps = next_steps(backfill, alive, self.policy)
        self._apply(backfill, steps)
        if steps.launch is not None:
            self._launch(backfill, steps.launch, stop)
        elif steps.become is None:
            stop.wait(_PAUSE_SECONDS)
        return True

    def _apply(self, backfill: Backfill, steps: Steps) -> None:
        now, name = self.clock.now(), backfill.id
        tokens = {piece.number: piece.token for piece in backfill.pieces}
        for number in steps.release:
            if self.backfills.release(name, number, tokens[number]):
                self.tell(f"piece {number}: {LOST}; it is begun again")
        for number in steps.lost:
            self.backfills.settle(
                name, number, tokens[number], PieceState.FAILED, at=now, reason=LOST
            )
        for number in steps.repeat:
            if self.backfills.repeat(name, number):
                self.tell(f"piece {number} is tried again")
        for number in steps.drop:
            self.backfills.drop(name, number, now)
        if steps.become is not None:
            going = (BackfillState.RUNNING, BackfillState.CANCELLING)
            self.backfills.move(name, going, steps.become, now)

    def _launch(self, backfill: Backfill, number: int, stop: Stop) -> None:
        token = uuid.uuid4().hex
        if not self.backfills.claim(backfill.id, number, token, self.clock.now()):
            return
        piece = backfill.plan.pieces[number]
        self.tell(
            f"piece {number} ({number + 1} of {len(backfill.plan.pieces)}): sessions {piece.first} "
            f"to {piece.last}, {piece.symbol_sessions} symbol-sessions"
        )
        ended = supervise(
            ["backfill", "piece", backfill.id, str(number), token],
            timeout=self.policy.max_runtime.total_seconds(),
            stop=stop,
        )
        if ended.timed_out or ended.status == TIMED_OUT:
            reason = f"it took longer than {self.policy.max_runtime} (max_runtime)"
            failed, now = PieceState.FAILED, self.clock.now()
            self.backfills.settle(backfill.id, number, token, failed, at=now, reason=reason)
        elif stop:
            self.backfills.release(backfill.id, number, token, counted=False)

    def _pause(self, name: str) -> None:
        running = [BackfillState.RUNNING]
        if self.backfills.move(name, running, BackfillState.PAUSED, self.clock.now()):
            self.tell(f"paused; 'emp backfill launch {name}' goes on")


def work_on_piece(settings: Settings, name: str, number: int, token: str, *, debug: bool) -> bool:
    """Run a claimed piece in this process and settle it; whether it was this attempt's to run.

    Args:
        settings: of the installation.
        name: id of the backfill.
        number: of the piece.
        token: of the attempt that has claimed it.
        debug: let Dagster log.

    Raises:
        StoreConflictError: another process works on the piece.
    """
    from adapters.backfill_turns import open_turns
    from adapters.clock import SystemClock
    from adapters.modes import decide
    from emp.reporting import operations_of

    operations = operations_of(decide(settings))
    kept, clock = operations.backfills, SystemClock()
    with open_turns(settings, operations.turn_locks).take(name, number):
        run_id = str(uuid.uuid4())
        if not kept.started(name, number, token, run_id):
            return False
        try:
            done = _perform(settings, kept.get(name), number, run_id, debug=debug)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            failed = PieceState.FAILED
            kept.settle(name, number, token, failed, at=clock.now(), reason=reason)
            raise
        if done.interrupted:
            kept.release(name, number, token, counted=False)
            return True
        end, why, what = clock.now(), done.reason, done.outcome
        kept.settle(name, number, token, done.state, at=end, reason=why, outcome=what)
    return True


def _perform(
    settings: Settings, backfill: Backfill, number: int, run_id: str, *, debug: bool
) -> Performed:
    from emp.run import quiet_dagster

    quiet_dagster()
    from adapters.backend import open_platform
    from definitions import build_definitions
    from emp.hearing import Listener, RunRecord
    from emp.instance import open_instance
    from emp.narration import Narrator
    from jobs.backfill_piece import TAG_BACKFILL, TAG_PIECE, perform

    plan = backfill.plan
    with open_instance(settings) as instance, Narrator(debug=debug) as narrator:
        return perform(
            build_definitions(settings),
            instance,
            open_platform(settings),
            plan.pieces[number],
            plan.request,
            run_id=run_id,
            tags={TAG_BACKFILL: backfill.id, TAG_PIECE: str(number)},
            hear=Listener(RunRecord(run_id), narrator).hear,
        )
