"""Processes of runs that no code server was asked to make: commands, and steps of other runs.

What belongs here: the tag by which such a run names its process, and ending runs whose processes
are gone. What does not: runs of code servers (run_launcher.py), runs of the pieces of backfills,
which whoever has their turn ends (jobs/backfill_piece.py).

A command that is killed cannot record the end of its run, which would count as at work for ever
where no daemon runs. So the next one that begins on the machine does.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG

PROCESS_TAG = "emp/process"
MACHINE_TAG = "emp/machine"
LOST = "Its process ended without a word."
_SLACK = 1.0
"""Seconds by which two readings of the moment at which a process began may differ."""


def process_tags() -> dict[str, str]:
    """Tags that name this process: where it runs, its number and when it began."""
    import psutil

    began = psutil.Process().create_time()
    return {MACHINE_TAG: machine(), PROCESS_TAG: f"{os.getpid()} {began:.2f}"}


def machine() -> str:
    """Where the number of a process means something: a host, and on it a container."""
    space = ""
    with suppress(OSError):
        space = f" {Path('/proc/self/ns/pid').stat().st_ino}"
    return f"{socket.gethostname()}{space}"


def is_gone(run: dg.DagsterRun) -> bool:
    """Whether the process that a run names ran on this machine and runs no more."""
    told = run.tags.get(PROCESS_TAG, "").split()
    # A run that repeats one of a command has its tags, and a code server of its own.
    if len(told) != 2 or run.tags.get(MACHINE_TAG) != machine() or GRPC_INFO_TAG in run.tags:
        return False
    import psutil

    try:
        process = psutil.Process(int(told[0]))
        same = abs(process.create_time() - float(told[1])) <= _SLACK
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Record the end of runs whose processes on this machine are gone; their ids.

    Args:
        instance: holds the runs.
    """
    begun = [
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ]
    here = dg.RunsFilter(tags={MACHINE_TAG: machine()}, statuses=begun)
    lost = [run for run in instance.get_runs(here) if is_gone(run)]
    for run in lost:
        instance.report_run_failed(run, LOST)
    return [run.run_id for run in lost]
