"""The whole of an installation at work: its daemon, a rehearsal, and every part found ready.

Dagster's own records are on PostgreSQL here, by the instance file that the compose file uses.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import psycopg.conninfo
import pytest

from tests.support.institution import Institution, institution
from tests.support.processes import still_runs
from tests.support.servers import new_database, server_url

ROOT = Path(__file__).resolve().parents[3]
A_TICK = 60.0
"""Seconds that Dagster gives the tick of a sensor, which a code server lets end before it ends."""
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Institution]:
    home, config = tmp_path / "home", tmp_path / "config"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((ROOT / "docker" / "dagster.yaml").read_bytes())
    shutil.copytree(ROOT / "config", config)
    # Every five minutes a schedule would ask vendors over the network, in runs that go on for
    # minutes after the test where there is none.
    (config / "automation.yaml").write_text("started: off\n")
    with (
        institution(tmp_path / "data") as made,
        new_database(server_url("EMP_OPERATIONS_URL")) as dagster,
    ):
        info = psycopg.conninfo.conninfo_to_dict(dagster)
        made.environment.update(
            EMP_CONFIG_DIR=str(config),
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


def running(house: Institution) -> int:
    """How many runs have begun and not ended."""
    told = house.environment
    place = psycopg.conninfo.make_conninfo(
        host=told["DAGSTER_POSTGRES_HOST"],
        port=told["DAGSTER_POSTGRES_PORT"],
        user=told["DAGSTER_POSTGRES_USER"],
        password=told["DAGSTER_POSTGRES_PASSWORD"],
        dbname=told["DAGSTER_POSTGRES_DB"],
    )
    begun = "select count(*) from runs where status in ('STARTING', 'STARTED', 'CANCELING')"
    with psycopg.connect(place) as connection:
        (found,) = connection.execute(begun).fetchone() or (0,)
    return int(found)


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
        # The code server goes on until the runs that it has launched have ended, no longer.
        deadline = time.monotonic() + 180
        while running(house) and time.monotonic() < deadline:
            time.sleep(0.5)
        unended = running(house)
        _, left = psutil.wait_procs(family, timeout=A_TICK)
        left = [orphan for orphan in left if still_runs(orphan)]
        for orphan in left:
            orphan.kill()
        log.close()
        assert not left, left
        assert not unended, f"{unended} runs have not ended"


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
        "ingest_metrics": "ok",
        "ingest_observability": "ok",
        "latency": "ok",
        "quality": "ok",
        "cache": "ok",
        "kafka": "ok",
        "failover": "ok",
        "recovery": "ok",
        "alerts": "ok",
        "slo_report": "off",
        "daily_checklist": "off",
        "data_retention": "off",
        "backups": "off",
        "exports": "off",
    }, told
    assert house.run("doctor").returncode == 0
    rehearsed = house.run(*rehearse)
    assert rehearsed.returncode == 0, rehearsed.stdout + rehearsed.stderr[-3000:]
    assert json.loads(rehearsed.stdout)["status"] == "ok"
    status = json.loads(house.run("export-status", "--complete").stdout)
    assert status["missing"] == {}
