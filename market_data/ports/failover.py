"""The port of failover: decisions, and slices that could not be written.

What belongs here: the protocol with its promises. What does not: the rules
(market_data/failover/decide.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from market_data.failover.state import Decision, MissedSlice, Standing


class Failover(Protocol):
    """Keeps decisions and missed slices for whoever acts on them, from whatever process.

    The journal takes the number of the decision to every attempt that is made while the warehouse
    is away.
    """

    def standing(self) -> Standing:
        """What the newest decision made of the installation; normal where there is none."""
        ...

    def decisions(self, limit: int = 20) -> list[Decision]:
        """The newest decisions, newest first."""
        ...

    def take(self, decision: Decision, *, after: int) -> int:
        """Keep a decision, unless another was taken meanwhile.

        Args:
            decision: the change.
            after: number of the newest decision that its maker knew; 0 where there was none.

        Returns:
            Its number; 0 where a newer one than `after` is there: nothing was kept.
        """
        ...

    def note(self, missed: MissedSlice) -> int:
        """Note a slice that could not be written; returns its number.

        One that an open slice of the same dataset and timeframe holds already is not noted again;
        one whose sessions are those of an open slice, or whose symbols are and whose sessions
        overlap or adjoin it, widens it. A slice that is widened has its attempts again.
        """
        ...

    def open(self) -> list[MissedSlice]:
        """Slices that are not made yet, oldest first."""
        ...

    def newest(self, limit: int = 50) -> list[MissedSlice]:
        """The newest slices, made or not, newest first."""
        ...

    def attempt(self, missed: MissedSlice) -> bool:
        """Count an attempt to make an open slice; of several who try at once one is told True.

        Args:
            missed: as the caller has read it.
        """
        ...

    def settle(
        self,
        missed: MissedSlice,
        at: datetime,
        *,
        digests: tuple[str, str],
        rows: int,
        remark: str = "",
    ) -> bool:
        """A slice is whole again; False where it was widened or settled meanwhile.

        Args:
            missed: as it was when it was compared.
            at: when.
            digests: of its rows in the lake and in the warehouse.
            rows: how many there are.
            remark: what a person should know.
        """
        ...

    def again(self, numbers: Sequence[int]) -> int:
        """Open slices have their attempts again, as if none had been made; returns how many."""
        ...
