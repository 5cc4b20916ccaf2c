"""Ingest, store, cache and stream on real servers, and the same rows as in bootstrap mode."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.support.institution import Institution, institution
from tests.support.warm_python import run_python

INGEST = ["ingest", "--vendor", "sample_a", "--start", "2024-02-12", "--end", "2024-03-01"]

HUNTED = {
    "EMP_OPERATIONS_URL": "postgresql://127.0.0.1:1/x?user=emp&password=hunter2",
    "TIMESCALEDB_URL": "postgresql://emp:hunter2@127.0.0.1:1/x",
    "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_MECHANISM": "PLAIN",
    "KAFKA_SASL_USERNAME": "emp",
    "KAFKA_SASL_PASSWORD": "hunter2",
    "DAGSTER_POSTGRES_HOST": "127.0.0.1",
    "DAGSTER_POSTGRES_PORT": "1",
    "DAGSTER_POSTGRES_USER": "dagster",
    "DAGSTER_POSTGRES_PASSWORD": "hunter2",
    "DAGSTER_POSTGRES_DB": "dagster",
}

READ = """
import sys, emp, emp.client, polars as pl
names = ["DEMO-ACME", "DEMO-EURUSD", "DEMO-BTC", "DEMO-GLOBEX"]
frames = {
    "bars": emp.get_curated_bars(names, "2024-02-12", "2024-03-01", quality="all"),
    "known": emp.get_curated_bars(names, "2024-02-12", "2024-03-01", quality="all",
                                  as_of="2024-02-20"),
    "latest": emp.client.get_latest_bars(names, 2),
    "scores": emp.get_quality_scores(names, "2024-02-12", "2024-03-01"),
}
for name, frame in frames.items():
    frame.write_parquet(f"{sys.argv[1]}/{name}.parquet")
print("dagster" in sys.modules)
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    with institution(tmp_path_factory.mktemp("institution")) as made:
        migrated = made.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        ingested = made.run(*INGEST)
        assert ingested.returncode == 0, ingested.stderr[-3000:]
        yield made


def read(environment: dict[str, str], folder: Path) -> dict[str, pl.DataFrame]:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"
    return {file.stem: pl.read_parquet(file) for file in folder.glob("*.parquet")}


def test_both_modes_tell_the_same(house: Institution, tmp_path: Path) -> None:
    bootstrap = {**house.environment, "EMP_MODE": "bootstrap", "EMP_DATA_DIR": str(tmp_path / "b")}
    done = house.run(*INGEST, EMP_MODE="bootstrap", EMP_DATA_DIR=str(tmp_path / "b"))
    assert done.returncode == 0, done.stderr[-3000:]
    ours, theirs = read(house.environment, tmp_path / "i"), read(bootstrap, tmp_path / "o")
    assert set(ours) == {"bars", "known", "latest", "scores"}
    assert ours["bars"].height > 50
    assert 0 < ours["known"].height < ours["bars"].height
    for name, frame in ours.items():
        left, right = (f.drop("freshness_seconds", strict=False) for f in (frame, theirs[name]))
        assert_frame_equal(left, right, check_exact=True)


def test_doctor_finds_every_server_well(house: Institution) -> None:
    done = house.run("doctor", "--format", "json", "--timeout", "30")
    found = {part["part"]: part for part in json.loads(done.stdout)["parts"]}
    states = {name: part["state"] for name, part in found.items()}
    servers = {name: state for name, state in states.items() if not name.startswith("vendor_")}
    assert servers == {
        "timescaledb": "ok",
        "postgresql": "ok",
        "redis": "ok",
        "kafka": "ok",
        "lake": "ok",
        "dagster_daemon": "error",
    }
    assert done.returncode == 1
    assert found["timescaledb"]["facts"]["edition"] in ("Apache", "Community")
    assert "daemon" in found["dagster_daemon"]["cure"]


def test_a_server_that_is_away_is_named_with_its_cure(house: Institution) -> None:
    done = house.run("doctor", "--format", "json", REDIS_URL="redis://:pw@127.0.0.1:1/0")
    found = {part["part"]: part for part in json.loads(done.stdout)["parts"]}
    assert found["redis"]["state"] == "error"
    assert "REDIS_URL" in found["redis"]["cure"]
    assert done.returncode == 1


def test_events_of_the_run_reach_the_broker_once(house: Institution) -> None:
    first = json.loads(house.run("kafka", "relay").stdout)
    assert first["sent"] >= 2
    assert json.loads(house.run("kafka", "relay").stdout)["sent"] == 0


def test_the_second_read_is_a_hit(house: Institution, tmp_path: Path) -> None:
    script = (
        "import emp\n"
        "from emp.platforms import platform_of\n"
        "for _ in range(2): emp.get_curated_bars('DEMO-BTC', '2024-02-12', '2024-03-01')\n"
        "told = platform_of(None).store.cache.metrics()\n"
        "print(told.hits, told.misses)\n"
    )
    done = run_python(["-c", script], env=house.environment)
    assert done.returncode == 0, done.stderr
    hits, misses = map(int, done.stdout.split())
    assert hits >= 1
    assert misses >= 1


def test_no_output_and_no_record_holds_a_secret(house: Institution) -> None:
    elsewhere = {"TIMESCALEDB_URL": "postgresql://emp:hunter2@127.0.0.1:1/x"}
    commands: list[tuple[str, dict[str, str]]] = [
        ("connectors --connectivity", HUNTED),
        ("doctor", HUNTED),
        ("connectors --connectivity", {}),
        ("connectors --format markdown", {}),
        ("migrate --dry-run", HUNTED),
        ("config check", {}),
        ("config variables", {}),
        ("doctor --format markdown", {}),
        ("ingest --debug --vendor sample_a --lookback-days 1", {}),
        ("bars DEMO-BTC", elsewhere),
    ]
    # The first two wait for servers that are not there most of the time.
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda c: house.run(*c[0].split(), **c[1]), commands))
    text = "".join(done.stdout + done.stderr for done in told)
    folder = Path(house.environment["EMP_DATA_DIR"])
    stored = b"".join(f.read_bytes() for f in folder.rglob("*") if f.is_file())
    for secret in (*house.secrets, "hunter2"):
        assert secret not in text
        assert secret.encode() not in stored
