"""How far a backfill is: its state, and that of each of its pieces.

What belongs here: plain records and the words of their states. What does not: the plan (plans.py),
what comes next (machine.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from market_data.backfill.plans import BackfillPlan


class BackfillState(StrEnum):
    """How far a backfill is.

    waiting: its next piece begins with the off-peak window.
    paused: a person stopped its driver, or was about to begin it; it goes on when it is launched
    again.
    failed: all pieces were tried, and some did not succeed.
    rolling_back: a rollback, or taking one back, has begun; the same command finishes it.
    rolled_back: the stores hold what they held before.
    """

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"

    @property
    def is_over(self) -> bool:
        """Whether nothing happens any more by itself."""
        ended = (self.CANCELLED, self.SUCCEEDED, self.FAILED)
        return self in (*ended, self.ROLLING_BACK, self.ROLLED_BACK)


class PieceState(StrEnum):
    """How far a piece is.

    claimed: an attempt has it, its run has not begun.
    held: its bars are stored, a blocking check holds back what is downstream of them.
    """

    WAITING = "waiting"
    CLAIMED = "claimed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_taken(self) -> bool:
        """Whether an attempt has it."""
        return self in (self.CLAIMED, self.RUNNING)


@dataclass(frozen=True)
class PieceRecord:
    """How far a piece is.

    Attributes:
        number: of the piece.
        state: how far.
        token: names the attempt that has it, or had it last.
        run_id: of that attempt's run, empty before it began.
        attempts: how many there were.
        claimed_at: when the last one began.
        ended_at: when it ended.
        reason: why it did not succeed.
        outcome: what it measured: seconds (of its process, from its start on), vendor_seconds,
            and why symbol-sessions have no answer.
    """

    number: int
    state: PieceState
    token: str = ""
    run_id: str = ""
    attempts: int = 0
    claimed_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    outcome: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Backfill:
    """One backfill that was launched.

    Attributes:
        id: twelve hexadecimal digits.
        created_at: when it was launched.
        author: by whom.
        plan: what was planned then; its pieces are what is done.
        state: how far it is.
        changed_at: since when.
        pieces: how far each piece is, in their order.
    """

    id: str
    created_at: datetime
    author: str
    plan: BackfillPlan
    state: BackfillState
    changed_at: datetime
    pieces: tuple[PieceRecord, ...]

    def counts(self) -> dict[PieceState, int]:
        """Pieces by state; states without a piece are left out."""
        counted = Counter(piece.state for piece in self.pieces)
        return {state: counted[state] for state in PieceState if counted[state]}

    def reasons(self) -> dict[str, int]:
        """Why pieces did not succeed, the commonest first."""
        unwell = (PieceState.FAILED, PieceState.HELD)
        return dict(Counter(p.reason for p in self.pieces if p.state in unwell).most_common())

    def done(self) -> int:
        """Symbol-sessions of pieces that are through."""
        through = {
            p.number for p in self.pieces if p.state in (PieceState.SUCCEEDED, PieceState.HELD)
        }
        return sum(p.symbol_sessions for p in self.plan.pieces if p.number in through)
