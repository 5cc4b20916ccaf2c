"""What a process keeps open, so that asking for it again opens nothing.

What belongs here: keeping the few that were used last, whichever they are. What does not: opening
(each adapter), who wants it kept (resources).

Dagster makes the resources of every tick of a sensor or schedule anew: what they opened each time
would be opened thousands of times a day, and be closed whenever somebody comes by to collect it.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

Thing = TypeVar("Thing")

_MOST = 8
"""More are closed, those that nobody has asked for the longest first."""


class KeptOpen(Generic[Thing]):
    """Open things of one kind by what they were opened for; safe across threads.

    What a parent process has opened is not given to its children.

    Args:
        close: closes one; whoever still has it may go on with it.
    """

    def __init__(self, close: Callable[[Thing], object]) -> None:
        self._close = close
        self._things: OrderedDict[Hashable, Thing] = OrderedDict()
        self._free()
        os.register_at_fork(after_in_child=self._free)

    def __len__(self) -> int:
        return len(self._things)

    def find(self, key: Hashable) -> Thing | None:
        """What was kept for a key; None where nothing is."""
        own = (os.getpid(), key)
        with self._guard:
            if own in self._things:
                self._things.move_to_end(own)
            return self._things.get(own)

    def keep(self, key: Hashable, thing: Thing) -> Thing:
        """Keep a thing; where another was kept for its key meanwhile, that one is given back."""
        own = (os.getpid(), key)
        with self._guard:
            kept = self._things.setdefault(own, thing)
            self._things.move_to_end(own)
            spare = [self._things.popitem(last=False)[1] for _ in range(len(self) - _MOST)]
        for one in spare if kept is thing else [*spare, thing]:
            self._close(one)
        return kept

    def _free(self) -> None:
        # Another thread of the parent may have held the former one, which nobody frees here.
        self._guard = threading.Lock()


def place_of(file: Path) -> Hashable:
    """What tells a file from one that takes its place under the same name; None without a file.

    It holds as long as somebody has the file open.
    """
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return (str(file), found.st_dev, found.st_ino)
