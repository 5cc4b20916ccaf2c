"""Runs whose processes died are told from those at work, by what Dagster keeps of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from adapters.settings import PROJECT
from resources.run_launcher import PARENT_TAGS, WatchfulRunLauncher
from resources.run_processes import MACHINE_TAG, PROCESS_TAG, end_lost_runs, process_tags


@dg.job
def nothing() -> None:
    """A job without steps."""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """One as dagster.yaml describes it."""
    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        yield opened


def begun(instance: dg.DagsterInstance, *, pid: int = 0, **tags: str) -> dg.DagsterRun:
    """A run that is at work, as far as anybody has said."""
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED, tags=tags)
    if pid:
        instance.report_engine_event("", run, EngineEventData.in_process(pid))
    return run


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> WorkerStatus:
    launcher = instance.run_launcher
    assert isinstance(launcher, WatchfulRunLauncher)
    assert launcher.supports_check_run_worker_health
    return launcher.check_run_worker_health(run).status


def ended() -> int:
    """The number of a process that is over."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_whose_process_is_gone_has_died(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    gone = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": str(tmp_path / "gone")})}
    assert status(instance, begun(instance, pid=ended(), **gone)) is WorkerStatus.NOT_FOUND
    # Its server alone was killed, or loads its code again: it goes on.
    assert status(instance, begun(instance, pid=os.getpid(), **gone)) is WorkerStatus.RUNNING
    # Nobody knows its process yet.
    assert status(instance, begun(instance, **gone)) is WorkerStatus.RUNNING


def test_a_number_that_another_process_has_by_now_is_not_its_own(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": str(tmp_path / "gone")})}
    run = begun(instance, pid=os.getpid(), **gone)
    later = time.time() + 3600
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: later)
    assert status(instance, run) is WorkerStatus.NOT_FOUND


def test_of_processes_of_another_machine_nothing_is_known(instance: dg.DagsterInstance) -> None:
    away = {GRPC_INFO_TAG: json.dumps({"host": "code", "port": 4000})}
    assert status(instance, begun(instance, pid=ended(), **away)) is WorkerStatus.RUNNING


@pytest.mark.parametrize("tag", PARENT_TAGS)
def test_a_run_in_a_step_of_another_ends_with_it(instance: dg.DagsterInstance, tag: str) -> None:
    parent = begun(instance)
    child = begun(instance, **{tag: parent.run_id})
    assert status(instance, parent) is WorkerStatus.RUNNING
    assert status(instance, child) is WorkerStatus.RUNNING
    instance.report_run_failed(parent)
    assert status(instance, child) is WorkerStatus.NOT_FOUND
    assert status(instance, begun(instance, **{tag: "nobody"})) is WorkerStatus.NOT_FOUND


def test_a_run_of_a_command_that_was_killed_is_ended_by_the_next_one(
    instance: dg.DagsterInstance,
) -> None:
    mine = process_tags()
    number, since = mine[PROCESS_TAG].split()
    # Its number may have been given to another process since, here to this one.
    lost = [
        begun(instance, **(mine | {PROCESS_TAG: f"{ended()} {since}"})),
        begun(instance, **(mine | {PROCESS_TAG: f"{number} {float(since) - 60}"})),
    ]
    repeated = {GRPC_INFO_TAG: "{}", PROCESS_TAG: lost[0].tags[PROCESS_TAG]}
    alive = [
        begun(instance, **mine),
        begun(instance, **(lost[0].tags | {MACHINE_TAG: "elsewhere"})),
        begun(instance, **(mine | repeated)),
        begun(instance),
    ]
    assert status(instance, lost[0]) is WorkerStatus.NOT_FOUND
    assert [status(instance, run) for run in alive[:2]] == [WorkerStatus.RUNNING] * 2
    assert set(end_lost_runs(instance)) == {run.run_id for run in lost}
    assert end_lost_runs(instance) == []
    found = {run.run_id: run.status for run in instance.get_runs()}
    assert {found[run.run_id] for run in lost} == {dg.DagsterRunStatus.FAILURE}
    assert {found[run.run_id] for run in alive} == {dg.DagsterRunStatus.STARTED}
