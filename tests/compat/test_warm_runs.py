"""Processes of runs are forked from a warm one, and are as those that Dagster begins itself."""

from __future__ import annotations

import inspect
import logging
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._grpc.server import DagsterApiServer

import definitions
from adapters.settings import PROJECT
from resources import warm_runs
from resources.warm_runs import ATTRIBUTE, WARM, WarmServer, keep_warm
from tests.support import forked
from tests.support.processes import still_runs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere runs begin cold")


@pytest.fixture
def code_server(monkeypatch: pytest.MonkeyPatch) -> type[DagsterApiServer]:
    """Dagster's class, which is as before afterwards."""
    assert ATTRIBUTE not in vars(DagsterApiServer)
    monkeypatch.setattr(DagsterApiServer, ATTRIBUTE, None, raising=False)
    return DagsterApiServer


@pytest.fixture
def warm() -> Iterator[psutil.Process]:
    """The process that runs are forked from; this process stands for the code server."""
    warm_runs.WARM_SERVER.ensure_running()
    yield psutil.Process(warm_runs.WARM_SERVER._forkserver_pid)
    assert not warm_runs.WARM_SERVER.given_up


def ends(process: psutil.Process) -> None:
    """Fails unless the process ends within seconds."""
    deadline = time.monotonic() + 30
    while still_runs(process):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_code_server_of_dagster_begins_its_runs_through_the_context(
    code_server: type[DagsterApiServer],
) -> None:
    # What it sets is what ours stands on; Queue, Event and Process are all that it asks of it.
    assert f'self.{ATTRIBUTE} = multiprocessing.get_context("spawn")' in inspect.getsource(
        code_server.__init__
    )
    source = inspect.getsource(inspect.unwrap(code_server.StartRun))
    assert source.count(ATTRIBUTE) == 3
    for made in ("Queue", "Event", "Process"):
        assert f"self.{ATTRIBUTE}.{made}(" in source
    server = object.__new__(code_server)
    assert keep_warm()
    server._mp_ctx = multiprocessing.get_context("spawn")
    assert server._mp_ctx is WARM


def test_another_dagster_begins_its_runs_as_it_does(
    code_server: type[DagsterApiServer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(code_server, "StartRun", lambda self, request, context: None)
    assert not keep_warm()
    assert vars(code_server)[ATTRIBUTE] is None
    assert "they begin cold" in caplog.text


@pytest.mark.parametrize(("said", "kept"), [(None, True), ("1", True), ("0", False)])
def test_a_setting_turns_it_off(
    code_server: type[DagsterApiServer],
    monkeypatch: pytest.MonkeyPatch,
    said: str | None,
    kept: bool,
) -> None:
    monkeypatch.setattr(definitions, "build_definitions", lambda _: dg.Definitions())
    monkeypatch.delenv("EMP_WARM_RUNS", raising=False)
    if said is not None:
        monkeypatch.setenv("EMP_WARM_RUNS", said)
    definitions.defs()
    assert isinstance(vars(code_server)[ATTRIBUTE], property) is kept


def test_forks_are_as_pythons_of_their_own(
    warm: psutil.Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMP_TEST_GONE", "1")
    answers = WARM.Queue()
    answers.put("one")
    assert answers.get() == "one"
    # The warm process has begun: the variables of a run are those of the server as it is launched.
    monkeypatch.delenv("EMP_TEST_GONE")
    monkeypatch.setenv("EMP_TEST_LATER", "2")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    random.seed(1)
    files = [tmp_path / "one", tmp_path / "other"]
    processes = [WARM.Process(target=forked.tell, args=[answers, file]) for file in files]
    for process in processes:
        process.start()
    told: list[dict[str, Any]] = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert {one["pid"] for one in told} == {process.pid for process in processes}
    for one in told:
        assert (one["parent"], one["warm"]) == (warm.pid, True)
        # No code of the platform is older than the run, and no thread was lost.
        assert one["modules"] == ["resources", "resources.warm_process", "resources.warm_runs"]
        assert not one["polars"]
        assert one["variables"] == {
            "EMP_TEST_LATER": "2",
            "EMP_TEST_GONE": None,
            "TZ": "Asia/Kolkata",
        }
        assert one["zone"] == "IST"
        assert one["terminated"]
        assert one["interrupted"]
        assert one["method"] == "spawn"
    assert len({one["random"] for one in told}) == len({one["uuid"] for one in told}) == 2
    for file in files:
        assert file.read_text().split() == ["thread", "handler"]
    assert warm.num_threads() == 1


def test_a_killed_run_and_a_killed_warm_process_are_told(warm: psutil.Process) -> None:
    runs = [(WARM.Process(target=forked.sleep, args=[e]), e) for e in (WARM.Event(), WARM.Event())]
    for process, begun in runs:
        process.start()
        assert begun.wait(60)
    first, other = (process for process, _ in runs)
    first.kill()
    first.join(30)
    assert first.exitcode == -signal.SIGKILL
    assert other.is_alive()
    # Signals to all processes of a server are for it and its runs.
    for number in (signal.SIGTERM, signal.SIGINT):
        warm.send_signal(number)
    assert begun_anew(runs[0][1]) == warm.pid
    # A run that worked on would be launched again beside itself.
    at_work = psutil.Process(other.pid)
    assert still_runs(at_work)
    warm.kill()
    ends(at_work)
    other.join(30)
    assert other.exitcode not in (None, 0)
    assert begun_anew(runs[0][1]) == warm_runs.WARM_SERVER._forkserver_pid != warm.pid


def begun_anew(begun: Any) -> int:
    """The parent of one more run, which is killed then."""
    begun.clear()
    process = WARM.Process(target=forked.sleep, args=[begun])
    process.start()
    assert begun.wait(60)
    parent = psutil.Process(process.pid).ppid()
    process.kill()
    process.join(30)
    return parent


def test_without_a_warm_process_runs_begin_cold(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(warm_runs, "COMMAND", "import sys; sys.exit(3)")
    monkeypatch.setattr(warm_runs, "WARM_SERVER", WarmServer())
    begun = tmp_path / "begun"
    for _ in range(2):
        begun.unlink(missing_ok=True)
        process = WARM.Process(target=begun.touch)
        process.start()
        process.join(60)
        assert process.exitcode == 0
        assert begun.exists()
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "begin cold" in warnings[0].getMessage()


def test_nothing_is_forked_from_a_process_with_threads() -> None:
    script = """
import threading, time
from resources import warm_process
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
warm_process.LIBRARIES = ()
warm_process.serve(0, 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be forked from a process with threads" in done.stderr
