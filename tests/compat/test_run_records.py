"""What may go of Dagster's records, and that the state of every session survives it.

On both storages: that of one machine and that of PostgreSQL.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.partition_status_cache import (
    build_failed_and_in_progress_partition_subset,
)

from adapters.settings import PROJECT
from resources.run_records import purgeable, remove_runs
from tests.support.dagster_records import instance_on
from tests.support.servers import new_database, server_url

SESSIONS = dg.DailyPartitionsDefinition("2024-01-01")
DAYS = [f"2024-01-{day:02d}" for day in range(1, 7)]
KEY, CHECK = dg.AssetKey("bars"), dg.AssetCheckKey(dg.AssetKey("bars"), "daily")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dg.asset(partitions_def=SESSIONS, backfill_policy=dg.BackfillPolicy.single_run())
def bars(context: dg.AssetExecutionContext) -> None:
    if context.run.tags.get("fails"):
        raise dg.Failure("as the test says")


@dg.asset_check(asset=bars, partitions_def=SESSIONS)
def daily(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=context.run.tags.get("bad") is None)


JOB = dg.Definitions(
    assets=[bars], asset_checks=[daily], executor=dg.in_process_executor
).resolve_implicit_global_asset_job_def()


@dg.op
def says() -> None:
    print("so much")


@dg.job
def upkeep() -> None:
    says()


@contextmanager
def on_sqlite(home: Path) -> Iterator[dg.DagsterInstance]:
    shutil.copy(PROJECT / "dagster.yaml", home / "dagster.yaml")
    with (
        patch.dict(os.environ, {"DAGSTER_HOME": str(home), "DAGSTER_EVENT_BATCH_SIZE": "1000"}),
        dg.DagsterInstance.from_config(str(home)) as made,
    ):
        yield made


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with on_sqlite(tmp_path) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    if request.param == "sqlite":
        with on_sqlite(tmp_path) as made:
            yield made
        return
    with new_database(server_url("EMP_OPERATIONS_URL")) as url, instance_on(url) as made:
        yield made


def run(
    instance: dg.DagsterInstance, first: int, last: int, *, check: bool = False, **tags: str
) -> str:
    """A run over some of the days, numbered from 1."""
    days = {"partition_key": DAYS[first - 1], "tags": tags}
    if first != last:
        ends = zip(("start", "end"), (DAYS[first - 1], DAYS[last - 1]), strict=True)
        days = {"tags": {**tags, **{f"dagster/asset_partition_range_{e}": d for e, d in ends}}}
    chosen = JOB.get_subset(
        asset_selection={KEY}, asset_check_selection={CHECK} if check else set()
    )
    done = chosen.execute_in_process(
        instance=instance, run_config=QUIET, raise_on_error=False, **days
    )
    return done.run_id


def state(instance: dg.DagsterInstance) -> dict[str, Any]:
    """What the UI says of every session, from the records alone."""
    log = instance.event_log_storage
    planned = instance.get_latest_planned_materialization_info(KEY)
    assert planned is not None
    failed, _, _ = build_failed_and_in_progress_partition_subset(
        instance, KEY, SESSIONS, last_planned_materialization_storage_id=planned.storage_id
    )
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    tried = log.get_latest_asset_partition_materialization_attempts_without_materializations
    return {
        "made": log.get_latest_storage_id_by_partition(KEY, kind),
        "failed": sorted(failed.get_partition_keys()),
        "attempts": tried(KEY),
        "checks": {
            i.partition_key: (i.latest_execution_status, i.latest_planned_run_id)
            for i in log.get_asset_check_partition_info([CHECK])
        },
        "evaluations": [
            (r.partition, r.run_id, r.status)
            for day in DAYS[:3]
            for r in log.get_asset_check_execution_history(
                CHECK, limit=1, partition_filter=_of(day)
            )
        ],
    }


def _of(day: str) -> Any:
    from dagster._core.event_api import PartitionKeyFilter

    return PartitionKeyFilter(key=day)


def test_what_sessions_stand_on_survives(instance: dg.DagsterInstance) -> None:
    every = run(instance, 1, 6)
    mended = run(instance, 2, 3, fails="yes")
    last_of_5_and_6 = run(instance, 1, 6)
    last_of_2_and_3 = run(instance, 2, 3)
    judged = run(instance, 1, 1, check=True, bad="yes")
    failed = run(instance, 4, 6, fails="yes")
    of_4 = run(instance, 4, 4, check=True)
    of_1 = run(instance, 1, 1)
    done = upkeep.execute_in_process(instance=instance, run_config=QUIET).run_id
    before = state(instance)
    assert before["failed"] == DAYS[4:]
    assert set(before["made"]) == set(DAYS)

    now = datetime.now(UTC)
    assert purgeable(instance, now - timedelta(days=1)).runs == []
    found = purgeable(instance, now + timedelta(seconds=5))
    assert list(found.runs) == [every, mended, done]
    assert found.kept == 6
    printed = Path(instance.compute_log_manager._base_dir) / done  # type: ignore[attr-defined]
    assert printed.is_dir()

    assert remove_runs(instance, found.runs) == 3
    assert state(instance) == before
    kept = {last_of_5_and_6, last_of_2_and_3, judged, failed, of_4, of_1}
    assert {r.run_id for r in instance.get_runs()} == kept
    for gone in found.runs:
        assert not instance.all_logs(gone)
    assert not printed.exists()
    assert purgeable(instance, now + timedelta(seconds=5)).runs == []
    # The records go on where they were.
    run(instance, 5, 6)
    assert state(instance)["failed"] == []


def test_runs_of_a_backfill_under_way_stay(alone: dg.DagsterInstance) -> None:
    superseded = [
        run(alone, 1, 2, **{"emp/backfill": "abc"}),
        run(alone, 1, 2, **{"dagster/backfill": "xyz"}),
    ]
    run(alone, 1, 2)
    later = datetime.now(UTC) + timedelta(seconds=5)
    assert list(purgeable(alone, later).runs) == superseded
    assert list(purgeable(alone, later, ["abc"]).runs) == superseded[1:]
    alone.add_backfill(
        PartitionBackfill(
            "xyz",
            BulkActionStatus.REQUESTED,
            from_failure=False,
            tags={},
            backfill_timestamp=later.timestamp(),
        )
    )
    assert list(purgeable(alone, later, ["abc"]).runs) == []


def test_the_file_of_a_run_goes_with_it(alone: dg.DagsterInstance, tmp_path: Path) -> None:
    gone, stays = run(alone, 1, 2), run(alone, 1, 2)
    folder = tmp_path / "history" / "runs"
    assert {f"{gone}.db", f"{stays}.db"} <= {path.name for path in folder.iterdir()}
    remove_runs(alone, [gone])
    left = {path.name for path in folder.iterdir()}
    assert not [name for name in left if name.startswith(gone)]
    assert f"{stays}.db" in left
    assert len(alone.all_logs(stays)) > 4
