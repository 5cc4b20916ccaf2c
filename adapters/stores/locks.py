"""Locks between processes on one machine, by name.

What belongs here: taking several named locks in an order that cannot deadlock.
What does not: what is done under them; object stores, which have no locks.

The operating system holds the lock for the open file, so that a process that dies, however it
dies, leaves none behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from zlib import crc32

from filelock import FileLock, Timeout

from adapters.disk import writing_to
from market_data.errors import StoreConflictError

STRIPES = 64
"""Lock files per folder; names share them, so that a call of any size holds few open files."""

POLL_SECONDS = 0.005


class NamedLocks:
    """Locks in a folder.

    Args:
        folder: where the lock files lie; None where there is nothing to lock with.
        timeout: seconds to wait for one lock.
    """

    def __init__(self, folder: Path | None, timeout: float = 900.0) -> None:
        self._folder = folder
        self._timeout = timeout

    @contextmanager
    def hold(self, names: Iterable[str]) -> Iterator[None]:
        """Hold the stripes of some names.

        Raises:
            StoreConflictError: another process kept one of them longer than the time-out.
        """
        stripes = sorted({crc32(name.encode()) % STRIPES for name in names})
        with self._hold_files([f"{stripe:02d}" for stripe in stripes]):
            yield

    @contextmanager
    def hold_every(self) -> Iterator[None]:
        """Hold the stripes of all names.

        Raises:
            StoreConflictError: another process kept one of them longer than the time-out.
        """
        with self._hold_files([f"{stripe:02d}" for stripe in range(STRIPES)]):
            yield

    @contextmanager
    def hold_commit(self) -> Iterator[None]:
        """Hold the one lock that every commit takes; taken last, and shortly."""
        with self._hold_files(["commit"]):
            yield

    @contextmanager
    def _hold_files(self, files: Iterable[str]) -> Iterator[None]:
        if self._folder is None:
            yield
            return
        with writing_to(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            for file in files:
                lock = FileLock(
                    self._folder / f"{file}.lock",
                    timeout=self._timeout,
                    poll_interval=POLL_SECONDS,
                )
                try:
                    with writing_to(self._folder):
                        held.enter_context(lock)
                except Timeout as error:
                    raise StoreConflictError(
                        f"another writer holds {lock.lock_file} for more than {self._timeout:g} s"
                    ) from error
            yield
