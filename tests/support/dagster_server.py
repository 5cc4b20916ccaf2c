"""A Dagster webserver and daemon on a free local port, started and stopped by a test."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class DagsterServer:
    """Where the server listens and where its data lies."""

    url: str
    data_dir: Path
    log: Path

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Post a query; errors of the server or of the query fail the test."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def wait_for(self, what: str, probe: Any, *, seconds: float) -> Any:
        """The first true answer of `probe`; the end of the server's log where there is none."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = probe()
            if found:
                return found
            time.sleep(0.2)
        raise AssertionError(f"no {what} after {seconds} s; log:\n{self.log.read_text()[-4000:]}")


@contextmanager
def dagster_server(data_dir: Path) -> Iterator[DagsterServer]:
    """`emp dev` on a free port, in a process group of its own that is killed afterwards."""
    port = free_port()
    log = data_dir.parent / f"server-{port}.log"
    environment = {
        **os.environ,
        "EMP_DATA_DIR": str(data_dir),
        "EMP_UI_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("DAGSTER_HOME", None)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "emp", "dev"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = DagsterServer(f"http://127.0.0.1:{port}", data_dir, log)

    def answers() -> bool:
        assert process.poll() is None, f"server ended:\n{log.read_text()[-4000:]}"
        try:
            workspace = server.graphql("{ repositoriesOrError { __typename } }")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return workspace["repositoriesOrError"]["__typename"] == "RepositoryConnection"

    try:
        server.wait_for("webserver", answers, seconds=120)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)
