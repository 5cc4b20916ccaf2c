"""Exports as assets and commands: runs, checks, the schedule, readiness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from adapters.clock import SystemClock
from adapters.exports.looking import export_states, source_of, store_of
from adapters.modes import decide
from adapters.operations_opening import open_operations
from adapters.settings import ExportEngine, Settings
from definitions import build_definitions
from emp.cli import run as emp
from jobs.exports import JOB, SCHEDULE, exports_selection
from jobs.ranged_run import execute
from market_data.exports.health import FAIL, REPORT, WARN, ExportState, evaluate_exports
from market_data.failover.state import Decision, MissedSlice, Standing
from market_data.operations.grades import Grade
from market_data.ports import Report
from market_data.timeframes import Timeframe
from tests.support.exports import DAYS, bars, put
from tests.support.graph import Graph, graph

SESSIONS = (date(2024, 1, 30), date(2024, 2, 2))
ASSET = f"exports/{DAYS.name}"
CHECKS = ("coverage", "staleness", "drift")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Graph]:
    with graph(tmp_path, export_engine=ExportEngine.POLARS) as made:
        put(made.settings.data_dir, DAYS, bars(DAYS.dataset))
        yield made


def exporting(world: Graph, sessions: tuple[date, date] = SESSIONS) -> tuple[bool, list[str]]:
    """Whether a run of the export succeeded, and why steps failed."""
    failed: list[str] = []

    def hear(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.is_step_failure:
            failed.append(event.step_failure_data.error_display_string)

    done = execute(world.defs, world.instance, exports_selection([DAYS], sessions), hear=hear)
    return done, failed


def looked(world: Graph) -> bool:
    """Run the checks alone."""
    job = world.defs.resolve_implicit_global_asset_job_def()
    key = dg.AssetKey(ASSET.split("/"))
    chosen = {c for c in world.defs.resolve_asset_graph().asset_check_keys if c.asset_key == key}
    return (
        job.get_subset(asset_selection=set(), asset_check_selection=chosen)
        .execute_in_process(
            instance=world.instance,
            tags={
                "dagster/asset_partition_range_start": SESSIONS[0].isoformat(),
                "dagster/asset_partition_range_end": SESSIONS[1].isoformat(),
            },
        )
        .success
    )


def reports(world: Graph) -> list[Report]:
    from adapters.operations_opening import open_operations

    return open_operations(decide(world.settings).operations_url).reports.newest(REPORT, limit=20)


def test_a_run_exports_and_checks_every_session(world: Graph):
    assert exporting(world) == (True, [])
    for check in CHECKS:
        states = world.states(ASSET, check)
        assert (len(states), set(states.values())) == (4, {"SUCCEEDED"}), check
    store = store_of(world.settings)
    assert store.manifest(DAYS).rows == 24
    assert [(r.body["action"], r.status) for r in reports(world)] == [
        ("verify", "ok"),
        ("run", "ok"),
    ]


def test_a_session_that_changed_since_is_told_alone(world: Graph):
    exporting(world)
    late = (pl.col("session") == SESSIONS[1]) & (pl.col("symbol") == "AAA")
    rows = bars(DAYS.dataset)
    put(world.settings.data_dir, DAYS, rows.with_columns(volume=pl.when(late).then(9.0)))
    assert looked(world)
    drift = world.states(ASSET, "drift")
    assert drift.pop(SESSIONS[1].isoformat()) == "FAILED"
    assert exporting(world) == (True, [])
    assert set(world.states(ASSET, "drift").values()) == {"SUCCEEDED"}


def test_without_java_the_asset_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with graph(tmp_path) as world:
        put(world.settings.data_dir, DAYS, bars(DAYS.dataset))
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
        done, failed = exporting(world)
        assert not done
        assert len(failed) == 1
        assert "Spark needs Java 17" in failed[0]
        assert "EMP_EXPORT_ENGINE=polars" in failed[0]
        assert store_of(world.settings).newest(DAYS) is None
        (kept,) = reports(world)
        assert (kept.status, kept.body["kind"]) == ("fail", "ConfigurationError")


def test_the_schedule_follows_the_daily_run_where_a_folder_is_named(tmp_path: Path):
    def schedule_of(settings: Settings) -> Any:
        defs = build_definitions(settings)
        return defs, defs.resolve_schedule_def(SCHEDULE)

    _, off = schedule_of(Settings(data_dir=tmp_path))
    assert off.default_status is dg.DefaultScheduleStatus.STOPPED
    defs, on = schedule_of(Settings(data_dir=tmp_path, export_dir=tmp_path / "x"))
    assert on.default_status is dg.DefaultScheduleStatus.RUNNING
    # 01:00 and the two hours that the daily run may take.
    assert (on.cron_schedule, on.job_name) == ("0 3 * * *", JOB)
    at = datetime(2024, 3, 8, 3, tzinfo=UTC)

    def tick() -> Any:
        with dg.build_schedule_context(
            scheduled_execution_time=at,
            repository_def=defs.get_repository_def(),
            resources=defs.resources,
        ) as context:
            return on.evaluate_tick(context)

    (asked,) = tick().run_requests
    assert asked.tags["dagster/asset_partition_range_start"] == "2024-03-01"
    assert asked.tags["dagster/asset_partition_range_end"] == "2024-03-08"
    named = {key.to_user_string() for key in asked.asset_selection}
    assert {f"exports/spark_bars_{t}" for t in Timeframe} < named
    assert all(name.startswith("exports/spark_") for name in named)
    assert {key.name for key in asked.asset_check_keys} == {*CHECKS, "manifest"}

    # While the warehouse is away nothing is exported; what it missed is, once it was made.
    failover = open_operations(Settings(data_dir=tmp_path).local_operations_url).failover
    normal, away = Standing.NORMAL, Standing.AWAY
    assert failover.take(Decision(at - timedelta(days=30), normal, away, "a test"), after=0) == 1
    assert "is away" in tick().skip_message
    days = (date(2024, 1, 30), date(2024, 2, 20))
    failover.note(MissedSlice("features/bars_1d", Timeframe.D1, ("AAA",), *days, "", at))
    assert failover.take(Decision(at, away, normal, "a test"), after=1) == 2
    (asked,) = tick().run_requests
    assert asked.tags["dagster/asset_partition_range_start"] == "2024-03-01"
    (missed,) = failover.open()
    failover.settle(missed, at - timedelta(hours=1), digests=("a", "a"), rows=1)
    (asked,) = tick().run_requests
    assert asked.tags["dagster/asset_partition_range_start"] == "2024-01-30"
    assert asked.tags["dagster/asset_partition_range_end"] == "2024-03-08"


def test_commands_write_list_and_verify(
    world: Graph, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("EMP_DATA_DIR", str(world.settings.data_dir))
    monkeypatch.setenv("DAGSTER_HOME", "")

    def told(*arguments: str, status: int = 0) -> Any:
        assert emp(["export", *arguments]) == status
        return json.loads(capfd.readouterr().out)

    planned = told("run", "bars_1d", "--all", "--engine", "polars", "--dry-run")
    assert planned["exports"][0]["source_holds"] == ["2024-01-01", "2024-12-31"]
    assert store_of(world.settings).newest(DAYS) is None
    made = told("run", "--all", "--engine", "polars")
    assert made["succeeded"]
    assert [(e["job"], e["rows"]) for e in made["exports"]] == [(DAYS.name, 24)]
    assert [one["job"] for one in told("list", "--json")] == [DAYS.name]
    (path,) = told("files", "bars_1d", "--json")["paths"]
    assert pl.read_parquet(path, hive_partitioning=False).height == 24
    assert told("verify", "bars_1d", "--source", "--json")["whole"]
    assert told("drill", "bars_1d", "--cycles", "2", "--engine", "polars")["status"] == "ok"
    slow = told("drill", "--warn", "1e-9", "--fail", "1e-9", "--engine", "polars", status=1)
    assert slow["status"] == "fail"
    Path(path).write_bytes(Path(path).read_bytes()[:-4] + b"PAR2")
    found = told("verify", "bars_1d", "--json", status=1)
    assert "cannot be read" in " ".join(found["problems"])


def test_readiness_tells_of_exports_that_are_old_or_failed(world: Graph):
    def section(at: datetime) -> Any:
        found = decide(world.settings)
        states = export_states(store_of(world.settings), source_of(found, world.platform))
        return evaluate_exports(states, reports(world), at, configured=False)

    now = SystemClock().now()
    assert section(now).off
    exporting(world)
    assert section(now + 2 * FAIL).grade is Grade.OK
    put(world.settings.data_dir, DAYS, bars(DAYS.dataset, level=7.0))
    assert section(now).grade is Grade.OK
    day = timedelta(days=1)
    assert section(now + WARN + day).grade is Grade.WARN
    assert section(now + FAIL + day).grade is Grade.FAIL
    folder = store_of(world.settings).folder(DAYS)
    (folder / "manifest.json").write_text("{}")
    assert section(now).grade is Grade.FAIL
    nothing = evaluate_exports({}, [], now, configured=True)
    assert (nothing.grade, nothing.off) == (Grade.WARN, False)
    broken = evaluate_exports(
        {"x": ExportState(None, "damaged")},
        [Report(REPORT, now, "fail", {"action": "run", "job": "x", "error": "no Java"})],
        now,
        configured=True,
    )
    assert [reason.text.split(";")[0] for reason in broken.reasons] == [
        "x, run: no Java",
        "x: damaged",
    ]
