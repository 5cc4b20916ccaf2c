"""The port of backfills: what was launched, and how far each piece is.

What belongs here: the protocol with its promises. What does not: the rules of progress
(market_data/backfill/machine.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Protocol

from market_data.backfill.plans import BackfillPlan
from market_data.backfill.records import Backfill, BackfillState, PieceState


class Backfills(Protocol):
    """Keeps backfills for whoever drives or watches them, from whatever process.

    Every change of a piece names the attempt that has it, by its token: what an attempt says that
    lost its piece meanwhile changes nothing, and is answered with False.
    """

    def add(
        self,
        plan: BackfillPlan,
        *,
        at: datetime,
        author: str,
        key: str = "",
        state: BackfillState = BackfillState.RUNNING,
    ) -> str:
        """Keep a plan as a backfill, all of its pieces waiting.

        Args:
            plan: what is to be done.
            at: the moment.
            author: who launches it.
            key: under one key there is one backfill, whoever asks for it again; empty for none.
            state: paused where the caller is about to drive it, so that nobody else does before.

        Returns:
            Its id, or that of the one which was kept under the key before.
        """
        ...

    def get(self, beginning: str) -> Backfill:
        """The backfill whose id begins so.

        Raises:
            ConfigurationError: none does, or several do; it names them, or the newest ones.
        """
        ...

    def newest(self, limit: int = 20, *, author: str = "") -> list[Backfill]:
        """The newest ones, newest first; of one author only where it is named."""
        ...

    def since(self, moment: datetime) -> list[Backfill]:
        """Those that were launched, or changed their state, since a moment, newest first."""
        ...

    def live(self) -> list[Backfill]:
        """Those that wait for their time, run, or are being cancelled, oldest first."""
        ...

    def claim(self, backfill: str, number: int, token: str, at: datetime) -> bool:
        """Take a piece that waits; of several that try at once exactly one has it."""
        ...

    def started(self, backfill: str, number: int, token: str, run_id: str) -> bool:
        """The run of a claimed piece begins."""
        ...

    def settle(
        self,
        backfill: str,
        number: int,
        token: str,
        state: PieceState,
        *,
        at: datetime,
        reason: str = "",
        outcome: Mapping[str, Any] | None = None,
    ) -> bool:
        """A piece that an attempt has is through, one way or another."""
        ...

    def release(self, backfill: str, number: int, token: str, *, counted: bool = True) -> bool:
        """A piece that an attempt has waits again.

        Args:
            backfill: whose.
            number: of the piece.
            token: of the attempt.
            counted: the attempt stays counted; not where a person stopped it.
        """
        ...

    def again(self, backfill: str, states: Collection[PieceState]) -> int:
        """Pieces in some states wait again, as if they had never been tried; returns how many."""
        ...

    def repeat(self, backfill: str, number: int) -> bool:
        """A failed piece waits again, its attempts counted."""
        ...

    def drop(self, backfill: str, number: int, at: datetime) -> bool:
        """A piece that is not through is never begun again."""
        ...

    def move(
        self,
        backfill: str,
        was: Collection[BackfillState],
        to: BackfillState,
        at: datetime,
    ) -> bool:
        """Change the state of a backfill that is in one of some states; whether it was."""
        ...
