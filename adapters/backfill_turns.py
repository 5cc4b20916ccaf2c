"""Turns of backfills: who drives one, and which attempt works on a piece, told without waiting.

What belongs here: taking a turn, and looking whether one is taken. What does not: what is done in
a turn (emp/backfill_driver.py, jobs/backfill_piece.py).

A turn ends with the process that holds it, however that ends: the system frees the lock of a file,
PostgreSQL that of a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from adapters.disk import writing_to
from adapters.settings import Settings
from market_data.errors import StoreConflictError
from market_data.ports import Locks

_LOOK_SECONDS = 0.1


class LockedTurns:
    """The `Turns` of market_data/backfill/driving.py.

    Args:
        locks: gives a lock within a moment, or refuses.
    """

    def __init__(self, locks: Locks) -> None:
        self._locks = locks

    def take(self, *names: object) -> AbstractContextManager[None]:
        """Hold a turn, named by a backfill, or by a backfill and the number of a piece.

        Raises:
            StoreConflictError: another holds it.
        """
        return self._locks.hold(["-".join(["backfill", *map(str, names)])])

    def is_taken(self, *names: object) -> bool:
        """Whether anybody holds it now; who takes it at this very moment may be told it is."""
        try:
            with self.take(*names):
                return False
        except StoreConflictError:
            return True


class _OwnFiles:
    """`Locks` of one machine in which each name has a file of its own.

    Names that share files would make the driver of one backfill wait for another's piece.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, names: Iterable[str]) -> Iterator[None]:
        """Hold a single name, or refuse."""
        (name,) = names
        with writing_to(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        # Who only looks holds it for a moment.
        file = self._folder / f"{name}.lock"
        lock = FileLock(file, timeout=_LOOK_SECONDS, poll_interval=_LOOK_SECONDS / 20)
        try:
            with writing_to(self._folder):
                lock.acquire()
        except Timeout as error:
            raise StoreConflictError(f"another process holds {lock.lock_file}") from error
        try:
            yield
        finally:
            lock.release()


def open_turns(settings: Settings, between_machines: Locks | None) -> LockedTurns:
    """The turns of an installation.

    Args:
        settings: say where the data folder is.
        between_machines: locks that refuse within a moment, where the operations database has them.
    """
    folder = settings.data_dir.resolve() / "locks" / "backfills"
    return LockedTurns(between_machines or _OwnFiles(folder))
