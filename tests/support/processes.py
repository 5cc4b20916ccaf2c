"""Processes that a test has started or seen.

What belongs here: whether one still runs. What does not: starting them (warm_python.py,
dagster_server.py).
"""

from __future__ import annotations

import psutil


def still_runs(process: psutil.Process) -> bool:
    """Whether it has not ended; the machine's first process may take its time to notice an end."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
