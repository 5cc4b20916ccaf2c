"""A command of `emp` in a process of its own, with a time limit and signals passed on.

What belongs here: starting, waiting, ending such a process so that nothing of it stays behind.
What does not: what is run so (emp/commands/ingest_once.py, emp/commands/run.py).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

GRACE_SECONDS = 30.0
"""How long a process that was asked to end may take."""
_ASKED = 3
"""So many times it is asked within that."""
TIMED_OUT = 124
"""Exit status of a command that took too long, as of timeout(1)."""
_POLL_SECONDS = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Set by SIGINT or SIGTERM; remembers which."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until told to stop, or for so long; whether told."""
        return self._event.wait(seconds)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        self.signal = signal.Signals(number)
        self._event.set()


@contextmanager
def stopping() -> Iterator[Stop]:
    """SIGINT and SIGTERM ask to stop instead of ending this process."""
    stop = Stop()
    former = {number: signal.signal(number, stop.handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Ended:
    """How a supervised command ended: exit status, and what it wrote on stdout."""

    status: int
    stdout: str
    timed_out: bool = False


def supervise(words: Sequence[str], *, timeout: float | None, stop: Stop) -> Ended:
    """Run a command of `emp` in a process of its own; stderr is shared.

    Told to stop, or out of time, it is asked to end and, after a grace, killed with everything
    that it started.

    Args:
        words: the command and its options.
        timeout: seconds; None for no limit.
        stop: asks it to end before its time.
    """
    process = subprocess.Popen(  # noqa: S603  this program's own words
        [sys.executable, "-m", "emp", *words],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.append(_read(process)), daemon=True)
    reader.start()
    timed_out = not _wait(process, timeout, stop) and not stop
    if process.poll() is None:
        _end(process)
    reader.join(GRACE_SECONDS)
    status = TIMED_OUT if timed_out else process.returncode
    return Ended(status if status >= 0 else 128 - status, "".join(told), timed_out)


def _read(process: subprocess.Popen[str]) -> str:
    return process.stdout.read() if process.stdout else ""


def _wait(process: subprocess.Popen[str], timeout: float | None, stop: Stop) -> bool:
    """Whether it ended by itself before its time was over and before anybody said stop."""
    left = float("inf") if timeout is None else timeout
    while process.poll() is None:
        if left <= 0 or stop.wait(min(_POLL_SECONDS, left)):
            return process.poll() is not None
        left -= _POLL_SECONDS
    return True


def _end(process: subprocess.Popen[str]) -> None:
    # A signal that comes while Python clears up raises what Python ignores there, and is lost.
    for _ in range(_ASKED):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS / _ASKED)
            break
    else:
        sys.stderr.write(f"emp: it did not end within {GRACE_SECONDS:g} s and is killed\n")
    # Whatever it started belongs to its group, and ends with it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
