"""How long a run that does nothing takes, from its launch in the UI to its success.

Webserver, daemon with the queue, and the platform's own code location, with Dagster's records on
PostgreSQL: the run waits in the queue, gets a process, which loads the code location, and runs.
Needs a server: EMP_OPERATIONS_URL, whose user may make databases. Bytecode has to be compiled, as
it is in the image. Run with `python -m benchmarks launch`.

What belongs here: the way of a launched run. What does not: runs in the caller's own process
(ranged_run.py).
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.settings import PROJECT
from benchmarks.ratio import Ratio
from resources.event_batches import SIZE
from resources.event_batches import VARIABLE as BATCHES
from tests.support.dagster_records import SHIPPED, variables_of
from tests.support.dagster_server import DagsterServer, free_port
from tests.support.servers import new_database

VARIABLE = "EMP_OPERATIONS_URL"
LOCATION, MODULE = "bench", "benchmarks.noop_location"
ROUNDS = 5
BAR_SECONDS = 3.0
LAUNCH = """mutation($location: String!) { launchRun(executionParams: {selector: {
  repositoryLocationName: $location, repositoryName: "__repository__", jobName: "no_op"}}) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATUS = """query($run: ID!) { runOrError(runId: $run) { ... on Run {
  status creationTime startTime endTime } } }"""
READY = """{ instance { daemonHealth { allDaemonStatuses { daemonType healthy } } }
  repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name } } } } }"""


@contextmanager
def served(folder: Path, database: str) -> Iterator[DagsterServer]:
    """Webserver and daemon of the platform on a database of Dagster's records."""
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes(SHIPPED.read_bytes())
    workspace = folder / "workspace.yaml"
    loaded = f"{{module_name: {MODULE}, location_name: {LOCATION}}}"
    workspace.write_text(f"load_from: [{{python_module: {loaded}}}]\n")
    port, log = free_port(), folder / "server.log"
    environment = {
        **os.environ,
        **variables_of(database),
        "DAGSTER_HOME": str(home),
        "DAGSTER_COMPUTE_LOGS": str(folder / "logs"),
        "EMP_DATA_DIR": str(folder / "data"),
        "EMP_MODE": "bootstrap",
        BATCHES: SIZE,
    }
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-h", "127.0.0.1"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "-p", str(port)],
            cwd=PROJECT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = DagsterServer(f"http://127.0.0.1:{port}", folder, log)
    try:
        server.wait_for("webserver", lambda: _answers(server), seconds=180)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


def _answers(server: DagsterServer) -> bool:
    try:
        found = server.graphql(READY)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    # Schedules and sensors of the location tick as well; the queue is what a run waits for.
    daemons = found["instance"]["daemonHealth"]["allDaemonStatuses"]
    names = {j["name"] for r in found["repositoriesOrError"].get("nodes", ()) for j in r["jobs"]}
    queue = {d["daemonType"] for d in daemons if d["healthy"]}
    return "QUEUED_RUN_COORDINATOR" in queue and "no_op" in names


def launched(server: DagsterServer) -> tuple[float, float]:
    """Seconds from launch to success, and of these until the run itself began."""
    started = time.time()
    made = server.graphql(LAUNCH, location=LOCATION)["launchRun"]
    assert made["__typename"] == "LaunchRunSuccess", made

    def over() -> dict[str, float] | None:
        found = server.graphql(STATUS, run=made["run"]["runId"])["runOrError"]
        assert found["status"] != "FAILURE", server.log.read_text()[-4000:]
        return found if found["status"] == "SUCCESS" else None

    found = server.wait_for("success", over, seconds=300)
    return found["endTime"] - started, found["startTime"] - started


def run() -> list[Ratio]:
    """Nothing where there is no server; about a minute."""
    if not os.environ.get(VARIABLE):
        print(f"launch: not measured, {VARIABLE} is not set", file=sys.stderr)
        return []
    with (
        new_database(os.environ[VARIABLE]) as database,
        tempfile.TemporaryDirectory() as name,
        served(Path(name), database) as server,
    ):
        launched(server)
        found = [launched(server) for _ in range(ROUNDS)]
    whole, before = zip(*found, strict=True)
    return [
        Ratio(
            "a run that does nothing, seconds from launch to success",
            statistics.median(whole),
            BAR_SECONDS,
            higher_is_better=False,
            detail=f"median of {ROUNDS}: {' '.join(f'{s:.2f}' for s in whole)}; queue, process and "
            f"imports {statistics.median(before):.2f}",
        )
    ]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
