"""What one commit to a Delta table takes in and out.

What belongs here: the files of a change, and whether a snapshot holds them already.
What does not: committing (delta_table.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from adapters.stores.delta_snapshot import Snapshot

if TYPE_CHECKING:
    from deltalake.transaction import AddAction, RemoveAction


@dataclass(frozen=True)
class Change:
    """Files that one commit takes in and out.

    Attributes:
        units: units whose content the plan depends on.
        action: what the writer did, as history shows it.
        beside: predicate over `Snapshot.files`: files elsewhere that the plan depends on as well.
    """

    units: Sequence[str]
    action: str
    adds: list[AddAction] = field(default_factory=list)
    removes: list[RemoveAction] = field(default_factory=list)
    beside: pl.Expr = field(default_factory=lambda: pl.lit(value=False))

    def seen(self, snapshot: Snapshot) -> set[str]:
        """The files that the plan was made from, where it was made on this snapshot."""
        mine = pl.col("unit").is_in(self.units) | self.beside
        return set(snapshot.files.filter(mine)["path"])

    def is_in(self, snapshot: Snapshot) -> bool:
        """Whether a snapshot holds what the change takes in, and nothing of what it takes out."""
        paths = set(snapshot.files["path"])
        added, removed = ({one.path for one in some} for some in (self.adds, self.removes))
        return bool(added) and added <= paths and paths.isdisjoint(removed)

    def untold(self, written: Sequence[str]) -> list[str]:
        """Units that it changes without any of the files that were written for it."""
        touched = {folder_of(one.path) for some in (self.adds, self.removes) for one in some}
        return sorted(touched - {folder_of(path) for path in written})


def folder_of(path: str) -> str:
    """The unit that a data file lies in."""
    return path.rpartition("/")[0]
