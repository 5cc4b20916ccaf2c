"""Driving a backfill from the command line: one process per piece, one piece after another.

What belongs here: the loop of the driver, and what the process of a piece does.
What does not: the rounds of a driver (market_data/backfill/driving.py), the run of a piece
(jobs/backfill_piece.py), what a person is shown (emp/backfills.py).

A driver that dies leaves a piece at work, which settles itself; the next driver waits for it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emp.supervision import Stop, supervise
from market_data.backfill.driving import Launch, Performed, Rounds, attempt
from market_data.backfill.plans import Piece
from market_data.backfill.records import Backfill, BackfillState, PieceState
from market_data.errors import ConfigurationError, StoreConflictError

if TYPE_CHECKING:
    from adapters.settings import Settings

_PAUSE_SECONDS = 0.5
"""Between looks at a piece that a former driver left at work."""
_WAIT_SECONDS = 10.0
"""Between looks at whether the off-peak window has begun."""


@dataclass(frozen=True)
class Driver:
    """Drives one backfill at a time.

    Attributes:
        rounds: of the installation.
        ended: tokens of attempts whose processes it saw end: they are not on their way any more.
    """

    rounds: Rounds
    ended: set[str] = field(default_factory=set)

    def drive(self, name: str, stop: Stop) -> Backfill:
        """Take a backfill to its end, or as far as it comes before somebody says stop.

        Args:
            name: its id.
            stop: asks to end; the piece at work is ended and waits again.

        Raises:
            ConfigurationError: another process drives it.
        """
        kept, clock = self.rounds.kept, self.rounds.clock
        with ExitStack() as held:
            try:
                held.enter_context(self.rounds.turns.take(name))
            except StoreConflictError:
                raise ConfigurationError(
                    f"another process drives backfill {name}; 'emp backfill watch {name}' shows it"
                ) from None
            kept.move(name, (BackfillState.PAUSED,), BackfillState.RUNNING, clock.now())
            self.follow(name, stop)
            if stop:
                self._pause(name)
            return kept.get(name)

    def follow(self, name: str, stop: Stop) -> None:
        """The rounds of a backfill whose turn the caller holds."""
        told = False
        while not stop:
            more, launch = self.rounds.play(name)
            if not more:
                return
            if launch is not None:
                self._launch(launch, stop)
                continue
            backfill = self.rounds.kept.get(name)
            state, taken = backfill.state, [p.number for p in backfill.pieces if p.state.is_taken]
            if taken and not told:
                told = True
                self.rounds.tell(
                    f"piece {taken[0]} is at work elsewhere, or on its way there; waiting for it"
                )
            if not state.is_over:
                stop.wait(_WAIT_SECONDS if state is BackfillState.WAITING else _PAUSE_SECONDS)

    def _launch(self, launch: Launch, stop: Stop) -> None:
        name, number = launch.backfill.id, launch.piece.number
        kept, most = self.rounds.kept, self.rounds.policy.max_runtime
        ended = supervise(
            ["backfill", "piece", name, str(number), launch.token],
            timeout=most.total_seconds(),
            stop=stop,
        )
        self.ended.add(launch.token)
        if ended.timed_out:
            reason = f"it took longer than {most} (max_runtime)"
            failed, now = PieceState.FAILED, self.rounds.clock.now()
            # A process that took the signal for a person's has given the piece back, uncounted.
            kept.claim(name, number, launch.token, now)
            kept.settle(name, number, launch.token, failed, at=now, reason=reason)
        elif stop:
            kept.release(name, number, launch.token, counted=False)

    def _pause(self, name: str) -> None:
        now, running = self.rounds.clock.now(), (BackfillState.WAITING, BackfillState.RUNNING)
        if self.rounds.kept.move(name, running, BackfillState.PAUSED, now):
            self.rounds.tell(f"paused; 'emp backfill launch {name} --local' goes on")


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
    from adapters.clock import SystemClock, process_began
    from adapters.modes import decide
    from emp.backfill_launch import look_of
    from emp.reporting import operations_of

    operations = operations_of(decide(settings))
    turns = open_turns(settings, operations.turn_locks)

    def run(backfill: Backfill, piece: Piece, run_id: str) -> Performed:
        return _perform(settings, backfill, piece, run_id, debug=debug)

    done = attempt(
        operations.backfills,
        turns,
        SystemClock(),
        (name, number, token),
        run,
        process_began=process_began(),
        why_away=look_of(settings),
    )
    return done is not None


def _perform(
    settings: Settings, backfill: Backfill, piece: Piece, run_id: str, *, debug: bool
) -> Performed:
    from emp.run import quiet_dagster

    quiet_dagster()
    from adapters.automation import load_automation
    from adapters.backend import open_platform
    from adapters.modes import decide
    from adapters.operations.database import kept_database
    from adapters.operations.scope_state import SqlScopeStates
    from adapters.snapshots import ensure
    from definitions import build_definitions
    from emp.hearing import Listener, RunRecord
    from emp.instance import open_instance
    from emp.narration import Narrator
    from jobs.backfill_piece import end_lost_runs, perform, tags_of

    tags = tags_of(backfill, piece)
    with open_instance(settings) as instance, Narrator(debug=debug) as narrator:
        end_lost_runs(instance, tags)
        platform, keep = open_platform(settings), load_automation(settings).backfill.snapshots_keep
        states = SqlScopeStates(kept_database(decide(settings).operations_url))
        ensure(settings, platform, states, backfill, keep, narrator.step)
        return perform(
            build_definitions(settings),
            instance,
            platform,
            piece,
            backfill.plan.request,
            run_id=run_id,
            tags=tags,
            hear=Listener(RunRecord(run_id), narrator).hear,
        )
