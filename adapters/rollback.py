"""Rolling a backfill back to its snapshot, and forth again.

What belongs here: the steps and their order, what stands in the way. What does not: the single
steps (market_data/pipeline/rollback.py, adapters/snapshots.py), the record by which one that was
killed is finished (rollback_record.py), what a person is shown (emp/backfill_rollback.py).

Everything up to the change of state is only read or written aside, and done anew by whoever comes
after a kill; everything after it makes something what the record says, however often. First the raw
logs stop to tell what the backfill fetched, then the ledger forgets it, then the stores hold what
they held: whoever curates in between arrives at the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import polars as pl

from adapters import rollback_record
from adapters.operations.scope_state import SqlScopeStates
from adapters.settings import Settings
from adapters.sides import copying_alone
from adapters.snapshots import Snapshot, open_snapshot, snapshots_folder, take
from market_data.backfill.driving import Turns
from market_data.backfill.plans import Span
from market_data.backfill.records import Backfill, BackfillState, PieceState
from market_data.backfill.scope import Scope, Stored, scope_of
from market_data.errors import ConfigurationError, StoreConflictError
from market_data.pipeline.outdated import sessions_outdated
from market_data.pipeline.platform import Platform, Progress
from market_data.pipeline.rollback import (
    Fetched,
    brought_alone,
    fetched_since,
    make_anew,
    put_slices_back,
    refuse_unless_whole,
)
from market_data.pipeline.rollback_others import made_by_others, make_others_anew, that_stay
from market_data.ports.backfills import Backfills
from market_data.ports.withdrawals import Withdrawals

_AFTER = "after"
_BACKUP = "a backup of that time has what was there ('emp backup restore')"
_LATER = 200
"""How many of the newest backfills are looked through for later ones."""
OVER = (BackfillState.SUCCEEDED, BackfillState.FAILED, BackfillState.CANCELLED)


@dataclass(frozen=True)
class Rolled:
    """What a rollback did, or would do.

    Attributes:
        state: of the backfill now.
        rows: that were put back into the stores, or would be.
        withdrawn: raw rows that the backfill brought.
        fetches: of the backfill.
        made_anew: symbol-sessions that others have fetched since.
        actions: corporate actions that the backfill brought.
        done: something was done; False where it was done before, or in a dry run.
    """

    state: BackfillState
    rows: int = 0
    withdrawn: int = 0
    fetches: int = 0
    made_anew: int = 0
    actions: int = 0
    done: bool = True


@dataclass(frozen=True)
class Rollbacks:
    """Rolls the backfills of an installation back and forth.

    Attributes:
        settings: of the installation.
        platform: its configuration and ports.
        kept: its backfills.
        states: of its operations database.
        withdrawals: of its lake.
        turns: who is at work on a backfill.
        tell: hears of progress.
    """

    settings: Settings
    platform: Platform
    kept: Backfills
    states: SqlScopeStates
    withdrawals: Withdrawals
    turns: Turns
    tell: Progress

    def look(self, name: str, runs: Collection[str]) -> Rolled:
        """What rolling back would do; nothing is written.

        Args:
            name: id of the backfill.
            runs: every run of it.

        Raises:
            ConfigurationError: it cannot be rolled back; the message says why.
        """
        backfill = self.kept.get(name)
        if backfill.state is BackfillState.ROLLED_BACK:
            return Rolled(backfill.state, done=False)
        self._check(backfill)
        before = self._snapshot(backfill)
        if backfill.state is BackfillState.ROLLING_BACK:
            found = rollback_record.read(before)[1]
        else:
            found = self._found(backfill, before, runs)
        return replace(_told(backfill.state, before.rows, found), done=False)

    def back(self, name: str, runs: Collection[str]) -> Rolled:
        """Roll a backfill back to its snapshot.

        Args:
            name: id of the backfill.
            runs: every run of it.

        Raises:
            ConfigurationError: it cannot be rolled back; the message says why.
            CopyMismatchError: the snapshot has lost rows, and nothing is written; or a store does
                not tell what was put there.
            StorageError: a disk takes no more.
            StoreUnavailableError: a server does not answer.
        """
        with self._alone(name) as backfill:
            if backfill.state is BackfillState.ROLLED_BACK:
                return Rolled(backfill.state, done=False)
            self._check(backfill)
            before, scope = self._snapshot(backfill), scope_of(backfill.plan)
            refuse_unless_whole(before.bars, _slices(before, scope), before.rows)
            if backfill.state is not BackfillState.ROLLING_BACK:
                found = self._found(backfill, before, runs)
                self.tell("keeping what is there now, for --undo")
                take(self.platform, self.states, backfill.plan, before.folder / _AFTER, self.tell)
                rollback_record.write(before, backfill.state, found)
                self._move(backfill, OVER, BackfillState.ROLLING_BACK)
            _, found = rollback_record.read(before)
            self.withdrawals.withdraw(backfill.id, found.fetches)
            self.states.withdraw_actions(backfill.id, found.actions)
            rows = self._put(scope, before, found)
            self._move(backfill, (BackfillState.ROLLING_BACK,), BackfillState.ROLLED_BACK)
            return _told(BackfillState.ROLLED_BACK, rows, found)

    def forth(self, name: str) -> Rolled:
        """Take a rollback back: the stores hold what they held before it.

        Args:
            name: id of the backfill.

        Raises:
            ConfigurationError: it is not rolled back.
            CopyMismatchError: the snapshot has lost rows, and nothing is written; or a store does
                not tell what was put there.
            StorageError: a disk takes no more.
            StoreUnavailableError: a server does not answer.
        """
        rolled = (BackfillState.ROLLED_BACK, BackfillState.ROLLING_BACK)
        with self._alone(name) as backfill:
            if backfill.state not in rolled:
                raise ConfigurationError(
                    f"backfill {backfill.id} is {backfill.state}; there is no rollback to undo"
                )
            self._refuse_later(backfill)
            before = self._snapshot(backfill)
            after, scope = open_snapshot(before.folder / _AFTER), scope_of(backfill.plan)
            refuse_unless_whole(after.bars, _slices(after, scope), after.rows)
            was, found = rollback_record.read(before)
            self._move(backfill, rolled, BackfillState.ROLLING_BACK)
            self.withdrawals.reinstate(backfill.id)
            self.states.reinstate_actions(backfill.id)
            since = fetched_since(self.platform, scope, after.taken_at, (), after.taken_at)
            since = replace(since, others=self._others(backfill, after, ()))
            # What the backfill refused is refused again.
            rows = self._put(scope, after, replace(since, fetches={}, of_actions=found.of_actions))
            self._move(backfill, (BackfillState.ROLLING_BACK,), was)
            shutil.rmtree(after.folder)
            return replace(_told(was, rows, found), made_anew=since.touched.height)

    def _put(self, scope: Scope, snapshot: Snapshot, found: Fetched) -> int:
        names = [fetch for fetches in found.fetches.values() for fetch in fetches]
        self.states.put_back(scope, snapshot.state, names, snapshot.taken_at)
        rows = put_slices_back(
            self.platform,
            snapshot.bars,
            _slices(snapshot, scope),
            self.tell,
            stay=lambda slice_, now: that_stay(scope, slice_, found.others, now),
        )
        make_anew(self.platform, found.touched, self.tell)
        # Prices of other sessions may have been divided by what was learned, or be from now on.
        divided = sessions_outdated(self.platform, found.of_actions)
        make_anew(self.platform, divided, self.tell)
        changed = pl.concat([found.touched, divided]).select("symbol", "session", last="session")
        spans = sorted({*found.others, *changed.iter_rows()})
        make_others_anew(self.platform, scope, spans, self.tell)
        return rows

    @contextmanager
    def _alone(self, name: str) -> Iterator[Backfill]:
        known = self.kept.get(name)
        with copying_alone(self.settings):
            try:
                turn = self.turns.take(known.id)
                turn.__enter__()
            except StoreConflictError:
                raise ConfigurationError(
                    f"another process drives backfill {known.id}; 'emp backfill cancel {known.id}' "
                    "ends it"
                ) from None
            try:
                yield self.kept.get(known.id)
            finally:
                turn.__exit__(None, None, None)

    def _check(self, backfill: Backfill) -> None:
        if backfill.state is BackfillState.CANCELLING:
            raise ConfigurationError(
                f"backfill {backfill.id} is being cancelled: the piece at work ends first, see "
                f"'emp backfill watch {backfill.id}'; then it can be rolled back"
            )
        if backfill.state not in (*OVER, BackfillState.ROLLING_BACK):
            raise ConfigurationError(
                f"backfill {backfill.id} is {backfill.state}; 'emp backfill cancel {backfill.id}' "
                "ends it, then it can be rolled back"
            )
        at_work = [p.number for p in backfill.pieces if self.turns.is_taken(backfill.id, p.number)]
        if at_work:
            raise ConfigurationError(
                f"piece {at_work[0]} of backfill {backfill.id} is at work still; wait for its end"
            )
        self._refuse_later(backfill)

    def _refuse_later(self, backfill: Backfill) -> None:
        """What a later backfill built on this one would be built on nothing."""
        scope = scope_of(backfill.plan)
        later = [
            other
            for other in self.kept.newest(_LATER)
            if other.id != backfill.id
            and other.created_at > backfill.created_at
            and other.state is not BackfillState.ROLLED_BACK
            and any(p.state is not PieceState.CANCELLED or p.attempts for p in other.pieces)
            and scope_of(other.plan).meets(scope)
        ]
        if not later:
            return
        bare = ", ".join(other.id for other in later if not other.plan.snapshot)
        cure = f"nothing rolls {bare} back, launched without a snapshot, nor this one: {_BACKUP}"
        raise ConfigurationError(
            f"later backfills have changed the same sessions: {', '.join(o.id for o in later)}; "
            + (cure if bare else "roll them back first, the newest first")
        )

    def _snapshot(self, backfill: Backfill) -> Snapshot:
        if not backfill.plan.snapshot:
            raise ConfigurationError(
                f"backfill {backfill.id} was launched without a snapshot (--no-snapshot, snapshot "
                f"in config/automation.yaml): {_BACKUP}"
            )
        if not any(piece.run_id or piece.attempts for piece in backfill.pieces):
            raise ConfigurationError(
                f"nothing of backfill {backfill.id} was begun: there is nothing to roll back"
            )
        return open_snapshot(snapshots_folder(self.settings) / backfill.plan.snapshot)

    def _found(self, backfill: Backfill, before: Snapshot, runs: Collection[str]) -> Fetched:
        self.tell("looking through the raw logs")
        own = {*runs, *(piece.run_id for piece in backfill.pieces if piece.run_id)}
        scope = scope_of(backfill.plan)
        found = fetched_since(self.platform, scope, before.taken_at, own, backfill.changed_at)
        found = replace(found, others=self._others(backfill, before, own))
        if before.actions is None:
            return found
        learned = brought_alone(
            self.platform, self.states.learned(scope, before.actions), before.taken_at, own
        )
        return replace(
            found,
            actions=tuple(learned["id"]),
            of_actions=tuple(learned["symbol"].unique().sort()),
        )

    def _others(
        self, backfill: Backfill, snapshot: Snapshot, runs: Collection[str]
    ) -> tuple[Span, ...]:
        """What others changed since a snapshot; `runs` are the backfill's own."""
        scope, since = scope_of(backfill.plan), snapshot.taken_at
        worked = [
            other
            for other in self.kept.since(since)
            if other.id != backfill.id and any(piece.attempts for piece in other.pieces)
        ]
        slices = _slices(snapshot, scope)
        return made_by_others(self.platform, scope, slices, snapshot.bars, since, runs, worked)

    def _move(self, backfill: Backfill, was: tuple[BackfillState, ...], to: BackfillState) -> None:
        now = self.platform.clock.now()
        if not self.kept.move(backfill.id, was, to, now):
            raise ConfigurationError(
                f"backfill {backfill.id} was changed by another process meanwhile: look at "
                f"'emp backfill status {backfill.id}'"
            )


def _slices(snapshot: Snapshot, scope: Scope) -> tuple[Stored, ...]:
    return scope.stored if snapshot.slices is None else snapshot.slices


def _told(state: BackfillState, rows: int, found: Fetched) -> Rolled:
    fetches = sum(len(ids) for ids in found.fetches.values())
    rest = found.touched.height, len(found.actions)
    return Rolled(state, rows, found.rows, fetches, *rest)
