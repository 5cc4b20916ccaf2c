"""A user launches a backfill from a terminal; webserver and daemon beside it take it to its end."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from tests.support.dagster_server import DagsterServer
from tests.support.warm_python import run_python

pytestmark = pytest.mark.e2e

ASKED = ["bars_1d", "--symbols", "DEMO-GLOBEX", "--vendor", "sample_b",
         "--start", "2024-05-06", "--end", "2024-05-10"]  # fmt: skip


def emp(server: DagsterServer, *words: str) -> Any:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMP_", "DAGSTER_"))}
    env = {**clean, "EMP_DATA_DIR": str(server.data_dir)}
    done = run_python(["-m", "emp", "backfill", *words], env=env)
    assert done.returncode == 0, done.stderr
    if words[0] == "launch":
        # Over GraphQL: it is in the queue before any tick of the daemon.
        assert "has queued its first piece, run " in done.stderr
    return json.loads(done.stdout)


def test_a_running_instance_takes_a_backfill_to_its_end(server: DagsterServer) -> None:
    launched = emp(server, "launch", *ASKED, "--ui", server.url)
    assert launched["pieces"] == {"claimed": 1} or launched["pieces"] == {"running": 1}
    name = launched["id"]
    deadline = time.monotonic() + 200
    while (told := emp(server, "status", name, "--json"))["state"] == "running":
        assert time.monotonic() < deadline, told
        time.sleep(3)
    assert told["state"] == "succeeded", told
    (run,) = told["runs"]
    assert (run["attempts"], run["outcome"]["new_rows"]) == (1, 5)
    found = server.graphql(
        "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status tags {key value} } } }",
        id=run["run_id"],
    )["runOrError"]
    assert found["status"] == "SUCCESS"
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    assert tags["emp/backfill"] == name
    assert tags["dagster/asset_partition_range_start"] == "2024-05-06"
