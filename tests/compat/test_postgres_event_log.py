"""The storage of docker/dagster.yaml keeps what Dagster's own keeps, row by row.

Written against Dagster 1.13.27, of which it uses members that are not public: whoever updates
Dagster runs this first.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from resources.postgres_records import PooledPostgresEventLog
from tests.support.dagster_records import instance_on
from tests.support.servers import new_database, server_url

SESSIONS = dg.DailyPartitionsDefinition("2024-01-01")
DAYS = [f"2024-01-{day:02d}" for day in range(1, 9)]
TAGS = {
    "dagster/asset_partition_range_start": DAYS[0],
    "dagster/asset_partition_range_end": DAYS[-1],
}
ONE_RUN = dg.BackfillPolicy.single_run()
KEYS = [dg.AssetKey(name) for name in ("bars", "half", "late", "scores")]
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dg.asset(
    partitions_def=SESSIONS,
    backfill_policy=ONE_RUN,
    check_specs=[
        dg.AssetCheckSpec("fits", asset="bars"),
        dg.AssetCheckSpec("daily", asset="bars", partitions_def=SESSIONS),
    ],
)
def bars(context: dg.AssetExecutionContext) -> Iterator[Any]:
    yield dg.MaterializeResult(
        metadata={"rows": 3},
        check_results=[
            dg.AssetCheckResult(check_name="fits", passed=True),
            dg.AssetCheckResult(check_name="daily", passed=context.run.tags.get("fails") is None),
        ],
    )


@dg.asset(partitions_def=SESSIONS, backfill_policy=ONE_RUN, deps=[bars])
def half(context: dg.AssetExecutionContext) -> None:
    if context.run.tags.get("fails"):
        for day in context.partition_keys[:4]:
            context.log_event(dg.AssetMaterialization("half", partition=day))
        raise dg.Failure("in the middle of its sessions")


@dg.asset(
    partitions_def=SESSIONS, backfill_policy=ONE_RUN, retry_policy=dg.RetryPolicy(max_retries=1)
)
def late(context: dg.AssetExecutionContext) -> None:
    if context.retry_number == 0:
        raise dg.Failure("the first attempt")


@dg.asset(partitions_def=SESSIONS, backfill_policy=ONE_RUN, deps=[half])
def scores() -> None: ...


def run(instance: dg.DagsterInstance, selection: list[Any], **how: Any) -> dg.DagsterRun:
    how.setdefault("tags", TAGS)
    result = dg.materialize(
        [bars, half, late, scores],
        selection=selection,
        instance=instance,
        raise_on_error=False,
        run_config=QUIET,
        **how,
    )
    found = instance.get_run_by_id(result.run_id)
    assert found is not None
    return found


def runs_of_every_kind(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """A success, one that fails half way, what mends a part of it, a retry, one session alone."""
    wanted = [bars, half, scores]
    short = {**TAGS, "dagster/asset_partition_range_end": DAYS[2]}
    return [
        run(instance, wanted),
        run(instance, wanted, tags={**TAGS, "fails": "yes"}),
        run(instance, wanted, tags=short),
        run(instance, [late]),
        run(instance, wanted, tags={}, partition_key=DAYS[6]),
    ]


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[dg.DagsterInstance, dg.DagsterInstance]]:
    """Dagster's own, and ours with batches that end in the middle of an asset."""
    server = server_url("EMP_OPERATIONS_URL")
    with (
        pytest.MonkeyPatch.context() as patch,
        new_database(server) as one,
        new_database(server) as other,
        instance_on(one, stock=True) as stock,
        instance_on(other) as ours,
    ):
        assert type(ours.event_log_storage) is PooledPostgresEventLog
        assert not isinstance(stock.event_log_storage, PooledPostgresEventLog)
        patch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
        runs_of_every_kind(stock)
        patch.setenv("DAGSTER_EVENT_BATCH_SIZE", "7")
        runs_of_every_kind(ours)
        yield stock, ours


def rows(instance: dg.DagsterInstance, statement: str) -> Counter[tuple[Any, ...]]:
    """Rows of a statement, with runs numbered in their order in place of their ids."""
    runs = [run.run_id for run in reversed(instance.get_runs())]
    numbers = {run_id: number for number, run_id in enumerate(runs)}
    with instance.event_log_storage.index_connection() as sql:  # type: ignore[attr-defined]
        found = sql.execute(sa.text(statement)).fetchall()
    return Counter(tuple(numbers.get(value, value) for value in row) for row in found)


@pytest.mark.parametrize(
    "statement",
    [
        "select run_id, dagster_event_type, asset_key, partition, step_key from event_logs",
        "select asset_key, last_run_id, last_materialization is null, wipe_timestamp, tags"
        " from asset_keys",
        "select asset_key, check_name, partition, run_id, execution_status"
        " from asset_check_executions",
        "select e.run_id, t.asset_key, t.key from asset_event_tags t"
        " join event_logs e on e.id = t.event_id",
        "select r.run_id, r.status, t.key, t.value from runs r join run_tags t using (run_id)"
        " where t.key not like '.dagster%'",
    ],
)
def test_the_rows_are_the_same(
    both: tuple[dg.DagsterInstance, dg.DagsterInstance], statement: str
) -> None:
    stock, ours = (rows(instance, statement) for instance in both)
    assert ours == stock
    assert stock


def test_an_assets_row_tells_of_its_newest_event(
    both: tuple[dg.DagsterInstance, dg.DagsterInstance],
) -> None:
    told = []
    for instance in both:
        newest = {r.asset_entry.asset_key: r.asset_entry for r in instance.get_asset_records(KEYS)}
        entries = {key: newest[key].last_materialization for key in KEYS}
        told.append({k: e.get_dagster_event().partition if e else None for k, e in entries.items()})
    assert told[0] == told[1]
    assert told[1][KEYS[0]] == DAYS[6]


def test_the_states_of_sessions_are_the_same(
    both: tuple[dg.DagsterInstance, dg.DagsterInstance],
) -> None:
    told = []
    for instance in both:
        states = {}
        for key in KEYS:
            found = get_and_update_asset_status_cache_value(instance, key, SESSIONS)
            assert found is not None
            failed = found.deserialize_failed_partition_subsets(SESSIONS)
            states[key] = (
                sorted(instance.get_materialized_partitions(key)),
                sorted(failed.get_partition_keys()),
            )
        told.append(states)
    assert told[1] == told[0]
    half_way = told[1][dg.AssetKey("half")]
    # The first run made all of them; of the second four were left, one of which was mended since.
    assert half_way == (DAYS, [DAYS[4], DAYS[5], DAYS[7]])
    assert told[1][dg.AssetKey("late")] == (DAYS, [])


@pytest.fixture
def ours() -> Iterator[dg.DagsterInstance]:
    with new_database(server_url("EMP_OPERATIONS_URL")) as url, instance_on(url) as instance:
        yield instance


def test_a_batch_that_fails_is_stored_once(
    ours: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    log = ours.event_log_storage
    real, calls = log._store_asset_event, []

    def fails_once(*given: Any) -> None:
        calls.append(given)
        if len(calls) == 1:
            raise RuntimeError("the server went away")
        real(*given)

    monkeypatch.setattr(log, "_store_asset_event", fails_once)
    made = run(ours, [scores])
    planned = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    records = ours.get_records_for_run(made.run_id, of_type=planned).records
    assert sorted(r.partition_key or "" for r in records) == DAYS
    assert made.is_success


def test_connections_stay_open_and_are_replaced_where_the_server_closed_them(
    ours: dg.DagsterInstance,
) -> None:
    opened: list[object] = []
    engine = ours.event_log_storage._engine
    sa.event.listen(engine, "connect", lambda *given: opened.append(given))
    report = dg.AssetMaterialization("bars", partition=DAYS[0])
    ours.report_runless_asset_event(report)
    before = len(opened)
    for _ in range(10):
        ours.report_runless_asset_event(report)
    assert len(opened) == before
    with sa.create_engine(engine.url, isolation_level="AUTOCOMMIT").connect() as other:
        other.execute(
            sa.text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        )
    ours.report_runless_asset_event(report)
    assert len(opened) > before
    assert len(ours.fetch_materializations(dg.AssetKey("bars"), limit=100).records) == 12


def test_threads_do_not_wait_for_each_others_connections(ours: dg.DagsterInstance) -> None:
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for day in DAYS:
                ours.report_runless_asset_event(dg.AssetMaterialization("bars", partition=day))
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert len(ours.fetch_materializations(dg.AssetKey("bars"), limit=100).records) == 48
    # What is over the one that is kept was closed again.
    assert ours.event_log_storage._engine.pool.checkedin() == 1
