"""The process that runs are forked from: Dagster and the libraries of its records, and no thread.

What belongs here: what it loads, and how it lives and ends. What does not: who asks it for a fork
(warm_runs.py).

Nothing of the platform is loaded: a run has the code of its own beginning. Nor are libraries that
start threads while they are imported, as Polars and NumPy do: no thread lives through a fork.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import sys
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path

LIBRARIES = (
    "dagster",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._grpc.impl",
    "dagster_postgres",
    "fsspec.implementations.local",
    "psycopg2.extras",
    "pydantic_settings",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "upath.implementations.local",
    "watchdog.observers.polling",
    "yaml",
    "zstandard",
)
"""What every run imports, on SQLite or PostgreSQL."""
_PR_SET_PDEATHSIG = 1


def serve(listener: int, alive: int) -> None:
    """Load the libraries, then fork for each process that is asked for.

    Ends when nobody holds the other end of `alive`. A signal that is meant for the code server and
    all its runs does not end it: it goes with the last of them.

    Args:
        listener: descriptor of the socket at which forks are asked for.
        alive: descriptor of the reading end of a pipe that the code server and its runs hold.
    """
    for name in LIBRARIES:
        # What is not installed is for the run to tell that needs it.
        with suppress(ImportError):
            importlib.import_module(name)
    if len(threads()) > 1:
        sys.exit(f"Runs cannot be forked from a process with threads: {', '.join(threads())}")
    # What is there stays, and its memory shared: no run has to look through it.
    gc.collect()
    gc.freeze()
    os.register_at_fork(after_in_child=_Child().begins)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    forkserver.main(listener, alive, [])


def threads() -> list[str]:
    """Names of the threads of this process."""
    return [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]


class _Child:
    """The first moments of a fork, and of none that it makes itself."""

    def __init__(self) -> None:
        self._warm = os.getpid()
        self._forked = False
        self._terminated = signal.getsignal(signal.SIGTERM)
        self._prctl = ctypes.CDLL(None).prctl

    def begins(self) -> None:
        """End with the warm process, which alone can tell the code server how a run ended.

        Else a run whose warm process was killed would count as dead, and be launched again, while
        it works on.
        """
        if self._forked:
            return
        self._forked = True
        signal.signal(signal.SIGTERM, self._terminated)
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._warm:
            os._exit(1)
