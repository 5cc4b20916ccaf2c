"""Dagster's own records lie in PostgreSQL where DAGSTER_POSTGRES_* name a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.institution import Institution, institution
from tests.support.servers import new_database, server_url

INGEST = ["ingest", "--vendor", "sample_a", "--symbols", "DEMO-BTC", "--start", "2024-02-27"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Institution, str]]:
    with (
        institution(tmp_path) as made,
        new_database(server_url("EMP_OPERATIONS_URL")) as dagster,
    ):
        info = psycopg.conninfo.conninfo_to_dict(dagster)
        names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
        made.environment.update(
            {f"DAGSTER_POSTGRES_{name}": str(info[key]) for key, name in names.items()},
            DAGSTER_POSTGRES_DB=str(info["dbname"]),
            DAGSTER_EVENT_BATCH_SIZE="1000",
        )
        yield made, dagster


def test_runs_of_the_command_line_are_recorded_on_the_server(
    house: tuple[Institution, str], tmp_path: Path
) -> None:
    made, dagster = house
    for command in (["migrate"], [*INGEST, "--end", "2024-03-01"]):
        done = made.run(*command)
        assert done.returncode == 0, done.stderr[-2000:]
    with psycopg.connect(dagster) as sql:
        assert sql.execute("select status from runs").fetchall() == [("SUCCESS",)]
        told = "select count(*) from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
        (materialised,) = sql.execute(told).fetchone() or (0,)
    assert materialised >= 4 * 4
    assert not list(tmp_path.rglob("runs.db"))
    assert not (tmp_path / "dagster").exists()


def test_bootstrap_mode_leaves_the_server_alone(
    house: tuple[Institution, str], tmp_path: Path
) -> None:
    made, dagster = house
    done = made.run(*INGEST, "--end", "2024-02-28", EMP_MODE="bootstrap")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "dagster" / "history" / "runs.db").exists()
    with psycopg.connect(dagster) as sql:
        assert sql.execute("select to_regclass('runs')").fetchone() == (None,)


def test_a_server_that_refuses_is_told_of_in_a_line(house: tuple[Institution, str]) -> None:
    made, _ = house
    done = made.run("migrate", DAGSTER_POSTGRES_PASSWORD="nobody-may-see-this")
    assert done.returncode == 1
    # Dagster tells of each of its attempts before.
    told = done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert told.startswith("emp: Dagster's records in PostgreSQL cannot be used: ")
    assert "DAGSTER_POSTGRES_*" in told
    assert "nobody-may-see-this" not in done.stderr
