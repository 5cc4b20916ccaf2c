"""The event log with kept connections stores what Dagster's own stores, in the same files."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster import AssetKey
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from adapters.settings import PROJECT
from resources.event_log import PooledSqliteEventLog
from resources.run_files import EMPTY, copy_empty

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


def run(instance: dg.DagsterInstance, *, fails: bool = False) -> str:
    @dg.asset(
        partitions_def=SESSIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[dg.AssetCheckSpec("fits", asset="bars")],
    )
    def bars() -> Iterator[object]:
        if fails:
            raise dg.Failure("as the test says")
        yield dg.MaterializeResult(
            metadata={"rows": 3}, check_results=[dg.AssetCheckResult(passed=True)]
        )

    result = dg.materialize(
        [bars],
        instance=instance,
        tags=TAGS,
        selection=dg.AssetSelection.all(),
        raise_on_error=False,
    )
    assert result.success is not fails
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


def index_rows(instance: dg.DagsterInstance) -> list[Counter[tuple[object, ...]]]:
    """What the database of all assets holds, with runs numbered in place of their ids."""
    numbers = {run.run_id: n for n, run in enumerate(reversed(instance.get_runs()))}
    found = []
    with instance.event_log_storage.index_connection() as sql:  # type: ignore[attr-defined]
        for statement in (
            "select id, run_id, dagster_event_type, asset_key, partition, step_key"
            " from event_logs where asset_key is not null",
            "select asset_key, last_run_id, last_materialization is null from asset_keys",
            "select asset_key, check_name, partition, run_id, execution_status"
            " from asset_check_executions",
        ):
            rows = sql.execute(sa.text(statement)).fetchall()
            found.append(Counter(tuple(numbers.get(value, value) for value in r) for r in rows))
    return found


def failed_sessions(instance: dg.DagsterInstance) -> int:
    found = get_and_update_asset_status_cache_value(instance, AssetKey("bars"), SESSIONS)
    assert found is not None
    return len(found.deserialize_failed_partition_subsets(SESSIONS))


def test_it_stores_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One by one, and in batches that end in the middle of an asset."""
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as stock:
        expected = [records(stock, run(stock)), records(stock, run(stock, fails=True))]
        rows, failed = index_rows(stock), failed_sessions(stock)
        partitions = stock.get_materialized_partitions(AssetKey("bars"))
    assert len(partitions) == 20
    # The UI shows sessions of a run that failed as failed, right after it.
    assert failed == 20
    for at_once in ("0", "7"):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", at_once)
        with shipped(tmp_path / at_once, monkeypatch) as instance:
            found = [records(instance, run(instance)), records(instance, run(instance, fails=True))]
            assert [sorted(f, key=str) for f in found] == [sorted(e, key=str) for e in expected]
            assert index_rows(instance) == rows
            assert instance.get_materialized_partitions(AssetKey("bars")) == partitions
            assert failed_sessions(instance) == failed


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


def tables(file: Path) -> list[tuple[object, ...]]:
    """The tables and indices of a database, and its revision."""
    with closing(sqlite3.connect(file)) as opened:
        made = opened.execute("select type, name, sql from sqlite_master order by 1, 2").fetchall()
        version = opened.execute("select version_num from alembic_version").fetchall()
        (kept,) = opened.execute("pragma journal_mode").fetchall()
    return [*made, *version, kept]


def test_the_file_of_a_run_begins_as_dagster_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also the second one, which is copied; and a file that was left behind empty is made whole."""
    (tmp_path / "stock").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "stock")) as stock:
        expected = tables(next((tmp_path / "stock").rglob(f"{run(stock)}.db")))
    with shipped(tmp_path / "home", monkeypatch) as instance:
        folder = tmp_path / "home" / "history" / "runs"
        made = [run(instance), run(instance)]
        assert [tables(folder / f"{one}.db") for one in made] == [expected, expected]
        assert len({len(instance.all_logs(one)) for one in made}) == 1
        log = instance.event_log_storage
        assert isinstance(log, PooledSqliteEventLog)
        assert sorted(log.get_all_run_ids()) == sorted(made)
        (folder / "killed.db").touch()
        assert log.get_logs_for_run("killed") == []
        assert tables(folder / "killed.db") == expected
    assert not [f.name for f in folder.iterdir() if f.name.startswith(f"{EMPTY}-")]


def test_a_run_that_another_process_has_begun_keeps_its_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Both found no file."""
    with shipped(tmp_path / "home", monkeypatch) as instance:
        run_id = run(instance)
        expected = records(instance, run_id)
    copy_empty(tmp_path / "home" / "history" / "runs" / f"{run_id}.db", pytest.fail)
    with shipped(tmp_path / "home", monkeypatch) as instance:
        assert records(instance, run_id) == expected


def test_where_files_cannot_be_linked_dagster_makes_each_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As on FAT, and on some shares of a network."""

    def refused(_draft: Path, file: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), file)

    monkeypatch.setattr(os, "link", refused)
    with shipped(tmp_path / "home", monkeypatch) as instance:
        folder = tmp_path / "home" / "history" / "runs"
        made = [tables(folder / f"{run(instance)}.db") for _ in range(2)]
    assert made[0] == made[1]
    assert not [f.name for f in folder.iterdir() if f.name.startswith(f"{EMPTY}-")]
