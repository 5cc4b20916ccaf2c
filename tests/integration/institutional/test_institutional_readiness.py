"""Readiness gives its verdict whatever is away, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.institution import Institution, institution
from tests.support.warm_python import run_python

NOWHERE = {
    "timescaledb": {"TIMESCALEDB_URL": "postgresql://u:hunter2@127.0.0.1:1/x"},
    "postgresql": {"EMP_OPERATIONS_URL": "postgresql://u:hunter2@127.0.0.1:1/x"},
    "redis": {"REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"},
    "kafka": {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "KAFKA_TIMEOUT_SECONDS": "2"},
}
LIVE = {
    *("ingest_health", "ingest_trends", "ingest_metrics", "ingest_observability", "latency"),
}
FAILOVER = {"failover", "recovery"}
KEPT = {
    *("slo_report", "daily_checklist", "data_retention", "backups", "exports", "stale_symbols"),
}
BROKEN = {
    "timescaledb": {"migrations", "quality", *LIVE},
    "postgresql": {"migrations", "ingest", "quality", "kafka", "alerts", *LIVE, *KEPT, *FAILOVER},
    "redis": {"cache"},
    "kafka": {"kafka"},
}

MATERIALISE = """
import dagster as dg
from adapters.settings import Settings
from definitions import build_definitions
from jobs.ranged_run import Selection, execute
from emp_assets.naming import READINESS_KEY
definitions = build_definitions(Settings())
with dg.DagsterInstance.ephemeral() as instance:
    keys = {READINESS_KEY}
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys)
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    print(result.success)
    for found in sorted(result.get_asset_check_evaluations(), key=lambda e: e.check_name):
        print(found.check_name, found.passed, found.severity.value)
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    with institution(tmp_path_factory.mktemp("readiness")) as made:
        assert made.run("migrate").returncode == 0
        yield made


@pytest.mark.parametrize("part", NOWHERE)
def test_a_part_that_is_away_fails_its_sections_alone(house: Institution, part: str) -> None:
    done = house.run("readiness", "--format", "json", **NOWHERE[part])
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    sections = json.loads(done.stdout)["sections"]
    assert sections["connectivity"]["facts"][part] == "error"
    failed = {n for n, s in sections.items() if s["status"] == "fail"} - {"connectivity"}
    # Nobody sends what waits here, as no daemon runs.
    assert failed - {"kafka"} == BROKEN[part] - {"kafka"}
    assert failed >= BROKEN[part]
    assert "hunter2" not in done.stdout


def test_the_asset_fails_its_check_instead_of_its_step(house: Institution) -> None:
    done = run_python(["-c", MATERIALISE], env={**house.environment, **NOWHERE["timescaledb"]})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "True",
        "cache_health True WARN",
        "kafka_readiness False ERROR",
        "ready False ERROR",
    ]


def test_a_database_behind_is_told_and_left_as_it_is(house: Institution) -> None:
    url = house.environment["TIMESCALEDB_URL"]
    with psycopg.connect(url, autocommit=True) as sql:
        (now,) = sql.execute("select version_num from emp.alembic_version").fetchone() or ("",)
        for other, cure in (("0000", "emp migrate"), ("9999", "update this program")):
            sql.execute("update emp.alembic_version set version_num = %s", (other,))
            try:
                done = house.run("readiness", "--format", "json")
                left = sql.execute("select version_num from emp.alembic_version").fetchone()
            finally:
                sql.execute("update emp.alembic_version set version_num = %s", (now,))
            section = json.loads(done.stdout)["sections"]["migrations"]
            assert section["status"] == "fail"
            assert cure in section["reasons"][0]["text"]
            assert left == (other,)
