"""The whole of an installation at work: its daemon, a rehearsal, and every part found ready.

Dagster's own records are on PostgreSQL here, by the instance file that the compose file uses.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg.conninfo
import pytest

from tests.support.institution import Institution, institution
from tests.support.servers import new_database, server_url

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Institution]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((ROOT / "docker" / "dagster.yaml").read_bytes())
    with (
        institution(tmp_path / "data") as made,
        new_database(server_url("EMP_OPERATIONS_URL")) as dagster,
    ):
        info = psycopg.conninfo.conninfo_to_dict(dagster)
        made.environment.update(
            DAGSTER_HOME=str(home),
            DAGSTER_POSTGRES_HOST=str(info["host"]),
            DAGSTER_POSTGRES_PORT=str(info["port"]),
            DAGSTER_POSTGRES_USER=str(info["user"]),
            DAGSTER_POSTGRES_PASSWORD=str(info["password"]),
            DAGSTER_POSTGRES_DB=str(info["dbname"]),
            DAGSTER_COMPUTE_LOGS=str(tmp_path / "logs"),
        )
        migrated = made.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        yield made


@pytest.fixture
def daemon(house: Institution, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = (tmp_path / "daemon.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster._daemon", "run", "-w", str(ROOT / "workspace.yaml")],
        cwd=ROOT,
        env=house.environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    family: list[psutil.Process] = []
    try:
        yield process
        family = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.terminate()
        process.wait(60)
        # A code server goes on until the runs that it has launched have ended.
        _, left = psutil.wait_procs(family, timeout=10)
        for orphan in left:
            orphan.kill()
        log.close()


def test_every_part_is_ready_after_a_rehearsal(
    house: Institution, daemon: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    rehearse = ["rehearse", "--symbols", "DEMO-BTC", "--vendors", "sample_a"]
    rehearse += ["--daily-lookback-days", "5"]
    assert house.run(*rehearse).returncode in (0, 3)
    deadline = time.monotonic() + 120
    told: dict[str, dict[str, object]] = {}
    while time.monotonic() < deadline:
        assert daemon.poll() is None, (tmp_path / "daemon.log").read_text()[-3000:]
        done = house.run("readiness", "--format", "json")
        told = json.loads(done.stdout)["sections"]
        if done.returncode == 0:
            break
        time.sleep(1)
    # Whether its sensor has looked yet is the daemon's business.
    assert told.pop("stale_symbols")["status"] in ("ok", "off"), told
    assert {name: section["status"] for name, section in told.items()} == {
        "connectivity": "ok",
        "migrations": "ok",
        "ingest": "ok",
        "ingest_health": "ok",
        "ingest_trends": "ok",
        "latency": "ok",
        "quality": "ok",
        "cache": "ok",
        "kafka": "ok",
        "failover": "ok",
        "recovery": "ok",
        "alerts": "ok",
        "slo_report": "off",
        "daily_checklist": "off",
        "backups": "off",
    }, told
    assert house.run("doctor").returncode == 0
    rehearsed = house.run(*rehearse)
    assert rehearsed.returncode == 0, rehearsed.stdout + rehearsed.stderr[-3000:]
    assert json.loads(rehearsed.stdout)["status"] == "ok"
    status = json.loads(house.run("export-status", "--complete").stdout)
    assert status["missing"] == {}
