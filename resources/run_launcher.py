"""Dagster's run launcher, which also tells whether the process of a run still lives.

What belongs here: that one answer, for Dagster's own monitoring of runs. What does not: launching
and ending runs, which stay Dagster's; what becomes of a run that died (run_retries in
dagster.yaml).

A code server reports the runs whose processes died. When it is killed with them, as a machine is
that loses its power, nobody does: their runs would count as at work for ever, hold their places in
the pools of their vendors, and never be launched again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psutil
from dagster import DagsterEventType, DefaultRunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from resources.run_processes import LOST, is_gone

if TYPE_CHECKING:
    from dagster import DagsterRun

PARENT_TAGS = ("emp/take_in_files_run", "emp/market_slice_run", "emp/backfill_piece_run")
"""Name the run in whose step a run is made."""
_SLACK = 5.0
"""Seconds by which a process may seem to begin after it has said so."""


class WatchfulRunLauncher(DefaultRunLauncher):
    """Launches runs on code servers, and looks after their processes."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Dagster's monitoring asks for the state of each run that is at work."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run that has begun still lives.

        A run that no code server was asked to make is one of a command, which ends it itself unless
        it is killed, or of a step of another run, with which it ends. Of a code server that listens
        on a port nothing is known: it may be on another machine, and what it says of the runs that
        it had before its code was loaded again is not true. `dagster/max_runtime` ends those.
        """
        if GRPC_INFO_TAG not in run.tags:
            return self._of_parent(run)
        if "socket" in json.loads(run.tags[GRPC_INFO_TAG]) and not self._lives(run):
            return _died("its process is gone, and no code server has said so")
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _lives(self, run: DagsterRun) -> bool:
        """Whether one of its processes still runs, on this machine; else none has told its number.

        A process that ended tells so first: Dagster looks at the run again before it believes this.
        """
        told = [
            (int(str(number.value)), entry.timestamp)
            for entry in self._instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
            if (number := entry.get_dagster_event().engine_event_data.metadata.get("pid"))
        ]
        return not told or any(_runs(pid, since) for pid, since in told)

    def _of_parent(self, run: DagsterRun) -> CheckRunHealthResult:
        for tag in PARENT_TAGS:
            if tag not in run.tags:
                continue
            parent = self._instance.get_run_by_id(run.tags[tag])
            if parent is None or parent.is_finished:
                return _died(f"the run {run.tags[tag]}, in whose step it was made, is over")
        if is_gone(run):
            return _died(LOST)
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def _died(why: str) -> CheckRunHealthResult:
    return CheckRunHealthResult(WorkerStatus.NOT_FOUND, why)


def _runs(pid: int, since: float) -> bool:
    """Whether the process that told its number then still runs; another may have it by now."""
    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and process.create_time() <= since + _SLACK
    except psutil.NoSuchProcess:
        return False
