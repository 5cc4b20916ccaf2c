"""The rehearsal, readiness, slices and status of an installation on real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.institution import Institution, institution

SLICE = ["--symbols", "DEMO-BTC", "--vendors", "sample_a"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    with institution(tmp_path_factory.mktemp("reports")) as made:
        migrated = made.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        yield made


def test_the_status_names_what_is_missing(house: Institution) -> None:
    done = house.run("export-status", "--complete")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert set(told["missing"]) == {"readiness", "market_slice", "rehearsal"}
    assert told["readiness"] is None
    assert "emp rehearse" in done.stderr


def test_a_rehearsal_goes_through_store_cache_and_stream(
    house: Institution, tmp_path: Path
) -> None:
    # Whatever the mode says: a rehearsal is about the servers.
    done = house.run("rehearse", "--out", str(tmp_path / "rehearsal.md"), EMP_MODE="bootstrap")
    # Nothing failed; that no daemon runs here is told all the same.
    assert done.returncode == 3, done.stdout + done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["status"] == "warn"
    assert told["failures"] == []
    assert len(told["warnings"]) == 1
    assert "dagster_daemon" in told["warnings"][0]
    states = {k: v for k, v in told["connectivity"].items() if k != "seconds"}
    assert set(states) == {"timescaledb", "postgresql", "redis", "kafka", "lake"}
    assert set(states.values()) == {"ok"}
    assert told["store"]["rows"]["daily"] > 60
    assert told["store"]["rows"]["intraday"] > 1000
    assert told["cache"]["hits"] == 1
    assert told["cache"]["misses"] == 1
    assert told["stream"]["slices"] >= 2
    arrived = told["stream"]["arrived"]
    assert arrived["daily_bars"] >= 1
    assert arrived["intraday_bars"] >= 1
    assert arrived["health"] >= 2
    assert arrived["quality"] >= 2
    assert sum(arrived.values()) == told["stream"]["emitted"] == told["stream"]["sent"]
    assert told["stream"]["waiting"] == 0
    assert told["readiness"]["kafka"] == "ok"
    assert told["left_behind"]["processes"] == 0
    assert (tmp_path / "rehearsal.md").read_text().startswith("# Rehearsal: warn")
    for secret in house.secrets:
        assert secret not in done.stdout + done.stderr


def test_a_second_rehearsal_changes_no_row(house: Institution) -> None:
    def rows() -> str:
        return house.run("bars", "DEMO-BTC", "--last", "5", "--format", "json").stdout

    before = rows()
    assert len(json.loads(before)) == 5
    assert house.run("rehearse", "--symbols", "DEMO-BTC", "--vendors", "sample_a").returncode == 3
    assert rows() == before


def test_readiness_is_kept_for_the_status(house: Institution) -> None:
    done = house.run("readiness", "--format", "json")
    told = json.loads(done.stdout)
    assert list(told["sections"]) == [
        "connectivity", "migrations", "ingest", "ingest_health", "ingest_trends",
        "ingest_metrics", "ingest_observability", "latency",
        "stale_symbols", "quality", "cache", "kafka", "failover", "recovery", "alerts",
        "slo_report", "daily_checklist", "data_retention", "backups", "exports",
    ]  # fmt: skip
    assert told["mode"] == "institutional"
    # No daemon runs here, which is an error in this mode.
    assert done.returncode == 1
    assert told["sections"]["connectivity"]["facts"]["dagster_daemon"] == "error"
    assert told["sections"]["migrations"]["status"] == "ok"
    assert told["sections"]["kafka"]["facts"]["waiting"] == 0
    status = json.loads(house.run("export-status").stdout)
    assert status["readiness"]["report"]["sections"].keys() == told["sections"].keys()
    assert status["rehearsal"]["status"] == "warn"
    assert status["missing"] == {}
    assert "| rehearsal | warn |" in house.run("summary").stdout


def test_a_server_that_is_away_fails_the_rehearsal_and_is_named(house: Institution) -> None:
    done = house.run(
        "rehearse", *SLICE, "--daily-lookback-days", "2", "--intraday-lookback-days", "0",
        "--timeout", "5", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
    )  # fmt: skip
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["connectivity"]["kafka"] == "error"
    assert told["store"]["rows"]["daily"] == 3
    assert any("KAFKA_BOOTSTRAP_SERVERS" in failure for failure in told["failures"])


def test_a_rehearsal_without_servers_says_what_to_set(tmp_path: Path, house: Institution) -> None:
    names = ("TIMESCALEDB_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS", "EMP_OPERATIONS_URL")
    done = house.run("rehearse", EMP_DATA_DIR=str(tmp_path), **dict.fromkeys(names, ""))
    assert done.returncode == 1
    assert all(name in done.stderr for name in names)
