"""What may go of a dataset by the policy.

What belongs here: the records. What does not: finding and removing it
(market_data/pipeline/removing.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from market_data.datasets import Dataset


@dataclass(frozen=True)
class Removal:
    """Rows of one month of a dataset that may go.

    Attributes:
        dataset: where they lie.
        symbols: whose.
        sessions: first and last session, both included.
        rows: how many.
    """

    dataset: Dataset
    symbols: tuple[str, ...]
    sessions: tuple[date, date]
    rows: int


@dataclass(frozen=True)
class Leaving:
    """What may go of one dataset.

    Attributes:
        dataset: its name.
        rows: that may go.
        held: that the dataset holds now.
        removals: the same by month, oldest first.
    """

    dataset: str
    rows: int
    held: int
    removals: tuple[Removal, ...]

    @property
    def share(self) -> float:
        """Of the dataset's rows."""
        return self.rows / self.held if self.held else 0.0

    @property
    def sessions(self) -> tuple[date, date]:
        """First and last session of what may go."""
        return self.removals[0].sessions[0], max(r.sessions[1] for r in self.removals)
