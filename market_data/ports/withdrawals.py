"""The port of withdrawn fetches: answers of vendors that count as never given.

What belongs here: the protocol with its promises. What does not: when an answer is withdrawn
(market_data/pipeline/rollback.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Withdrawals(Protocol):
    """Says which fetches a raw log tells no more.

    Their rows stay where they are. No read of the raw log tells them, whatever time it is as of,
    and an answer that says the same again is kept as news.
    """

    def withdraw(self, name: str, fetches: Mapping[str, Sequence[str]]) -> None:
        """Withdraw fetches, in one step.

        Args:
            name: of this withdrawal; one of the same name is replaced.
            fetches: by name of the raw dataset.
        """
        ...

    def reinstate(self, name: str) -> None:
        """Take a withdrawal back, in one step; nothing where there is none."""
        ...
