"""Runs of a code server that begin warm: launched, edited under, cancelled and killed.

One code server and one folder of records go through it all; the test asks as the UI does and
launches as the daemon does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster_graphql.cli import execute_query

from adapters.settings import PROJECT
from tests.support.processes import still_runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere runs begin cold"),
]

LOCATION = """
import json, os, sys, time
from pathlib import Path
import dagster as dg
from resources.warm_runs import keep_warm

CODE = "as loaded"
FOLDER = Path(os.environ["WARM_TEST_FOLDER"])
CONFIGURED = (FOLDER / "config").read_text()
keep_warm()

@dg.op(out=dg.Out(dg.Nothing))
def tell(context) -> None:
    print(f"out of {context.run_id}")
    print(f"error of {context.run_id}", file=sys.stderr)
    told = {"pid": os.getpid(), "parent": os.getppid(), "code": CODE, "configured": CONFIGURED}
    (FOLDER / context.run_id).write_text(json.dumps(told))

@dg.op(out=dg.Out(dg.Nothing))
def work(context) -> None:
    (FOLDER / context.run_id).write_text(json.dumps({"pid": os.getpid(), "parent": os.getppid()}))
    time.sleep(600)

@dg.job(executor_def=dg.in_process_executor)
def telling(): tell()

@dg.job(executor_def=dg.in_process_executor)
def working(): work()

defs = dg.Definitions(jobs=[telling, working])
"""
INSTANCE = """
telemetry: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
run_launcher: {module: resources.run_launcher, class: WatchfulRunLauncher}
"""
LAUNCH = """mutation($job: String!) { launchRun(executionParams: {selector: {
  repositoryLocationName: "warm", repositoryName: "__repository__", jobName: $job}}) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
CANCEL = "mutation($run: String!) { terminateRun(runId: $run) { __typename } }"


@dataclass
class Served:
    """A code server, and the folder in which its runs write what they are."""

    workspace: WorkspaceProcessContext
    instance: dg.DagsterInstance
    folder: Path

    def launch(self, job: str) -> str:
        """Ask for a run; its id."""
        answer = execute_query(self.workspace, LAUNCH, {"job": job})["data"]["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def told(self, run: str) -> dict[str, Any]:
        """What a run wrote of itself once its step had begun."""
        file = self.folder / run
        wait_for(lambda: file.exists() and file.read_text())
        return dict(json.loads(file.read_text()))

    def ends(self, run: str) -> dg.DagsterRunStatus:
        """How it ended."""

        def status() -> dg.DagsterRunStatus | None:
            found = self.instance.get_run_by_id(run)
            assert found is not None
            return found.status if found.is_finished else None

        return wait_for(status)


def wait_for(probe: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 120
    while not (found := probe()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("WARM_TEST_FOLDER", str(tmp_path))
    (tmp_path / "config").write_text("as loaded")
    (tmp_path / "location.py").write_text(LOCATION)
    (tmp_path / "dagster.yaml").write_text(INSTANCE)
    target = PythonFileTarget(
        python_file=str(tmp_path / "location.py"),
        attribute=None,
        working_directory=str(PROJECT),
        location_name="warm",
    )
    with ExitStack() as stack:
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(tmp_path)))
        workspace = stack.enter_context(WorkspaceProcessContext(instance, target))
        begun = Served(workspace, instance, tmp_path)
        yield begun
        for run in instance.get_runs(dg.RunsFilter(job_name="working")):
            # Only this test's own, which ends with the server unless it is at work.
            with suppress(ProcessLookupError, FileNotFoundError):
                os.kill(json.loads((tmp_path / run.run_id).read_text())["pid"], signal.SIGKILL)


def test_warm_runs_are_launched_edited_cancelled_and_killed(served: Served) -> None:
    # Two at once, the first ones: both wait for the warm process, and have logs of their own.
    with ThreadPoolExecutor(2) as asking:
        runs = list(asking.map(served.launch, ["telling", "telling"]))
    assert [served.ends(run) for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
    first, second = (served.told(run) for run in runs)
    assert first["pid"] != second["pid"]
    assert first["parent"] == second["parent"]
    warm = psutil.Process(first["parent"])
    assert "warm_process" in " ".join(warm.cmdline())
    server = warm.parent()
    assert server is not None
    assert "grpc" in server.cmdline()
    assert first["code"] == first["configured"] == "as loaded"
    for run in runs:
        assert output(served, run) == (f"out of {run}\n", [f"error of {run}"])

    # Configuration and code are those of the moment at which a run begins.
    (served.folder / "config").write_text("edited")
    location = served.folder / "location.py"
    location.write_text(LOCATION.replace('CODE = "as loaded"', 'CODE = "edited"'))
    edited = served.told(served.launch("telling"))
    assert (edited["parent"], edited["code"]) == (warm.pid, "edited")
    assert edited["configured"] == "edited"
    assert warm.num_threads() == 1

    cancelled = served.launch("working")
    served.told(cancelled)
    answer = execute_query(served.workspace, CANCEL, {"run": cancelled})
    assert answer["data"]["terminateRun"]["__typename"] == "TerminateRunSuccess"
    assert served.ends(cancelled) is dg.DagsterRunStatus.CANCELED

    killed = served.launch("working")
    os.kill(served.told(killed)["pid"], signal.SIGKILL)
    assert served.ends(killed) is dg.DagsterRunStatus.FAILURE
    told = [entry.message for entry in served.instance.all_logs(killed)]
    assert any("SIGKILL" in message for message in told), told

    # The server alone is killed: its run goes on, and the warm process ends with that.
    last = psutil.Process(served.told(served.launch("working"))["pid"])
    server.kill()
    wait_for(lambda: not still_runs(server))
    time.sleep(0.5)
    assert still_runs(last)
    assert still_runs(warm)
    last.kill()
    wait_for(lambda: not still_runs(warm))


def output(served: Served, run: str) -> tuple[str, list[str]]:
    """What the step of a run printed, and what it said besides, without Dagster's own lines."""
    manager = served.instance.compute_log_manager
    events = served.instance.all_logs(run, of_type=dg.DagsterEventType.LOGS_CAPTURED)
    (captured,) = (e.get_dagster_event().logs_captured_data for e in events)
    found = manager.get_log_data(manager.build_log_key_for_run(run, captured.file_key))
    errors = (found.stderr or b"").decode().splitlines()
    own = [line for line in errors if line.startswith("error of")]
    return (found.stdout or b"").decode(), own
