"""The event log with kept connections stores what Dagster's own stores, in the same files."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster import AssetKey

from adapters.settings import PROJECT
from resources.event_log import PooledSqliteEventLog

SESSIONS = dg.DailyPartitionsDefinition("2024-01-01")
TAGS = {
    "dagster/asset_partition_range_start": "2024-01-01",
    "dagster/asset_partition_range_end": "2024-01-20",
}


@contextmanager
def shipped(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    home.mkdir(exist_ok=True)
    shutil.copy(PROJECT / "dagster.yaml", home / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def run(instance: dg.DagsterInstance) -> str:
    @dg.asset(
        partitions_def=SESSIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[dg.AssetCheckSpec("fits", asset="bars")],
    )
    def bars() -> Iterator[object]:
        yield dg.MaterializeResult(
            metadata={"rows": 3}, check_results=[dg.AssetCheckResult(passed=True)]
        )

    result = dg.materialize([bars], instance=instance, tags=TAGS, selection=dg.AssetSelection.all())
    assert result.success
    return result.run_id


def records(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str | None]]:
    return [
        (e.dagster_event.event_type_value, e.dagster_event.partition)
        for e in instance.all_logs(run_id)
        if e.is_dagster_event
    ]


def test_the_shipped_instance_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with shipped(tmp_path / "home", monkeypatch) as instance:
        assert isinstance(instance.event_log_storage, PooledSqliteEventLog)
        run(instance)
        assert (tmp_path / "home" / "history" / "runs" / "index.db").exists()


def test_it_stores_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as stock:
        stock_run = run(stock)
        expected = records(stock, stock_run)
        partitions = stock.get_materialized_partitions(AssetKey("bars"))
    with shipped(tmp_path / "home", monkeypatch) as instance:
        run_id = run(instance)
        assert records(instance, run_id) == expected
        assert instance.get_materialized_partitions(AssetKey("bars")) == partitions
        assert len(partitions) == 20


def test_dagsters_own_storage_reads_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "home"
    with shipped(home, monkeypatch) as instance:
        run_id = run(instance)
        expected = records(instance, run_id)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(home)) as stock:
        assert not isinstance(stock.event_log_storage, PooledSqliteEventLog)
        assert records(stock, run_id) == expected


def test_threads_may_write_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Dagster's daemon reads and writes from several threads."""
    errors: list[BaseException] = []
    with shipped(tmp_path / "home", monkeypatch) as instance:

        def write() -> None:
            try:
                for i in range(20):
                    instance.report_runless_asset_event(
                        dg.AssetMaterialization("bars", partition=f"2024-01-{i + 1:02d}")
                    )
            except BaseException as error:
                errors.append(error)
                raise

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        stored = instance.fetch_materializations(AssetKey("bars"), limit=1000).records
    assert len(stored) == 80, sys.version
