"""What the driver of a backfill does next; the same answer for the same records.

What belongs here: the rules of progress. What does not: doing it (jobs/backfill_piece.py), keeping
it (adapters/operations/backfills.py).

A piece is taken by a claim that one attempt alone can win, and an attempt that lives holds the turn
of its piece, which the system takes back when its process dies. So whoever drives can tell a piece
at work from one whose process is gone, and two drivers do nothing twice.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, BackfillState, PieceRecord, PieceState


@dataclass(frozen=True)
class Steps:
    """What is to be done now, in this order.

    Attributes:
        release: numbers of pieces whose process died: they wait again.
        lost: numbers of pieces whose process died too often: they failed.
        repeat: numbers of failed pieces that are tried once more.
        drop: numbers of pieces that are never begun.
        launch: the piece to begin; None for none.
        become: the state of the backfill; None where it stays.
    """

    release: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    repeat: tuple[int, ...] = ()
    drop: tuple[int, ...] = ()
    launch: int | None = None
    become: BackfillState | None = None


def next_steps(
    backfill: Backfill,
    alive: AbstractSet[int],
    policy: BackfillPolicy,
    *,
    may_begin: bool = True,
) -> Steps:
    """What is to be done now.

    Pieces run one after another, oldest sessions first; one that is tried again comes last. A piece
    that failed does not stop the others.

    Args:
        backfill: as it is kept.
        alive: numbers of pieces whose attempt holds its turn.
        policy: how often a piece is tried.
        may_begin: whether a piece may begin at this time of day.
    """
    if backfill.state.is_over or backfill.state is BackfillState.PAUSED:
        return Steps()
    dead = [p for p in backfill.pieces if p.state.is_taken and p.number not in alive]
    if backfill.state is BackfillState.CANCELLING:
        return _cancelling(backfill, dead)
    release = tuple(p.number for p in dead if p.attempts < policy.attempts)
    lost = tuple(p.number for p in dead if p.attempts >= policy.attempts)
    repeat = tuple(p.number for p in backfill.pieces if _is_repeated(p, policy))
    busy = any(p.state.is_taken and p.number in alive for p in backfill.pieces)
    waiting = [
        p
        for p in backfill.pieces
        if p.state is PieceState.WAITING or p.number in (*release, *repeat)
    ]
    if busy:
        return Steps(release, lost, repeat)
    if waiting and not may_begin:
        return Steps(release, lost, repeat, become=_unless(backfill, BackfillState.WAITING))
    if waiting:
        first = min(waiting, key=lambda p: (p.attempts, p.number))
        become = _unless(backfill, BackfillState.RUNNING)
        return Steps(release, lost, repeat, launch=first.number, become=become)
    well = not lost and all(p.state is PieceState.SUCCEEDED for p in backfill.pieces)
    return Steps(lost=lost, become=BackfillState.SUCCEEDED if well else BackfillState.FAILED)


def _cancelling(backfill: Backfill, dead: list[PieceRecord]) -> Steps:
    """Nothing new begins; what is at work ends first."""
    drop = tuple(p.number for p in backfill.pieces if p.state is PieceState.WAITING)
    gone = tuple(p.number for p in dead)
    busy = any(p.state.is_taken and p.number not in gone for p in backfill.pieces)
    return Steps(drop=(*drop, *gone), become=None if busy else BackfillState.CANCELLED)


def _unless(backfill: Backfill, state: BackfillState) -> BackfillState | None:
    """A state to take; None where it has it."""
    return None if backfill.state is state else state


def _is_repeated(piece: PieceRecord, policy: BackfillPolicy) -> bool:
    return piece.state is PieceState.FAILED and piece.attempts < policy.attempts
