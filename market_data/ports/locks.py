"""The locks port: one process at a time for a piece of work that reads, decides and writes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol


class Locks(Protocol):
    """Locks by name, held between processes; the death of a process frees its locks."""

    def hold(self, names: Iterable[str]) -> AbstractContextManager[None]:
        """Hold all of some names, waiting for those that another holds.

        Raises:
            StoreConflictError: another process kept one of them for too long.
        """
        ...
