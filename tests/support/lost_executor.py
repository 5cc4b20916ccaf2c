"""A step of a Spark job in which the executor of its first task dies.

What belongs here: the step. It runs inside executors and imports little.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def losing_its_executor(batches: Iterable[Any]) -> Iterator[Any]:
    """Pass rows on; the first attempt at the first task ends the JVM that it runs for."""
    from pyspark import TaskContext

    context = TaskContext.get()
    if context is not None and context.partitionId() == 0 and context.attemptNumber() == 0:
        os.kill(_java(os.getpid()), signal.SIGKILL)
    yield from batches


def _java(pid: int) -> int:
    """The JVM above a process."""
    while pid > 1:
        if Path(f"/proc/{pid}/comm").read_text().strip() == "java":
            return pid
        status = Path(f"/proc/{pid}/status").read_text()
        pid = int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])
    raise RuntimeError("no JVM above this process")
