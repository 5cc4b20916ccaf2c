"""What Dagster itself costs in a ranged run of 10,000 sessions, on PostgreSQL.

One asset that does nothing, on the shipped instance (docker/dagster.yaml) with its batches; beside
it Dagster's own storage, and Dagster's own switch that plans a run as one range
(DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS). Then a run whose second step fails: what the UI
says of every session right afterwards, which is what that switch costs. Needs a server:
EMP_OPERATIONS_URL, whose user may make databases. Run with `python -m benchmarks ranged_run`.

What belongs here: the cost of the run in its own process. What does not: the queue and the start of
a process (launch.py), runs that move data (files_to_scores.py).
"""

import os
import sys
from datetime import date, timedelta
from unittest.mock import patch

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from tests.support.dagster_records import instance_on
from tests.support.servers import new_database

VARIABLE = "EMP_OPERATIONS_URL"
SESSIONS = 10_000
STOCK_SESSIONS = 200
BAR_MS = 1.0
ROUNDS = 3
FIRST = date(1995, 1, 1)
SIZE, SUBSET = "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"
PARTITIONS = dg.DailyPartitionsDefinition(start_date=FIRST.isoformat())


@dg.asset(partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run())
def nothing() -> None:
    """An asset that costs nothing but its records."""


@dg.asset(partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[nothing])
def fails(context: dg.AssetExecutionContext) -> None:
    """An asset that gives up in the middle of its sessions."""
    for number, _ in enumerate(context.partition_keys):
        if number == SESSIONS // 2:
            raise dg.Failure("half way")


def run_of(
    instance: dg.DagsterInstance, sessions: int, selection: list[dg.AssetsDefinition]
) -> bool:
    """One ranged run; whether it succeeded."""
    tags = {
        "dagster/asset_partition_range_start": FIRST.isoformat(),
        "dagster/asset_partition_range_end": (FIRST + timedelta(days=sessions - 1)).isoformat(),
    }
    job = dg.Definitions(assets=selection, executor=dg.in_process_executor)
    return (
        job.resolve_implicit_global_asset_job_def()
        .execute_in_process(
            instance=instance,
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
        .success
    )


def states(instance: dg.DagsterInstance, asset: dg.AssetsDefinition) -> tuple[int, int]:
    """Sessions that the UI shows as made, and as failed."""
    found = get_and_update_asset_status_cache_value(instance, asset.key, PARTITIONS)
    if found is None:
        return 0, 0
    made = found.deserialize_materialized_partition_subsets(PARTITIONS)
    failed = found.deserialize_failed_partition_subsets(PARTITIONS)
    return len(made), len(failed)


def after_a_failure(url: str, *, one_plan: bool) -> tuple[int, int]:
    """Sessions of the step that was done, and of the one that failed, right after the run."""
    with instance_on(url) as instance, patch.dict(os.environ, {SUBSET: str(one_plan).lower()}):
        assert not run_of(instance, SESSIONS, [nothing, fails])
        return states(instance, nothing)[0], states(instance, fails)[1]


def measure(url: str, *, stock: bool, sessions: int, batch: int, one_plan: bool) -> float:
    """Seconds of one run, without those of opening the instance."""
    times = Times()
    how = {SIZE: str(batch), SUBSET: str(one_plan).lower()}
    with instance_on(url, stock=stock) as instance, patch.dict(os.environ, how):
        times.turn({"run": lambda: run_of(instance, sessions, [nothing])})
        assert states(instance, nothing)[0] >= sessions
    return times.shortest("run")


def run() -> list[Ratio]:
    """Nothing where there is no server; about a minute and a half."""
    if not os.environ.get(VARIABLE):
        print(f"ranged_run: not measured, {VARIABLE} is not set", file=sys.stderr)
        return []
    ours, switch, stock = [], [], []
    with new_database(os.environ[VARIABLE]) as url:
        for _ in range(ROUNDS):
            each = {"stock": False, "sessions": SESSIONS, "batch": 1000}
            ours.append(measure(url, one_plan=False, **each) / SESSIONS * 1e3)
            switch.append(measure(url, one_plan=True, **each) / SESSIONS * 1e3)
        small = measure(url, stock=True, sessions=STOCK_SESSIONS, batch=0, one_plan=False)
        stock.append(small / STOCK_SESSIONS * 1e3)
    with patch.dict(os.environ, {SIZE: "1000"}):
        with new_database(os.environ[VARIABLE]) as url:
            done, failed = after_a_failure(url, one_plan=False)
        with new_database(os.environ[VARIABLE]) as url:
            _, told_by_switch = after_a_failure(url, one_plan=True)
    rounds = " ".join(f"{value:.2f}" for value in ours)
    return [
        Ratio(
            "ranged run on PostgreSQL, ms of Dagster per session and asset",
            min(ours),
            BAR_MS,
            higher_is_better=False,
            detail=f"{SESSIONS} sessions, rounds {rounds}; Dagster's own storage {stock[0]:.1f} "
            f"({STOCK_SESSIONS} sessions); planned as one range {min(switch):.2f}",
        ),
        Ratio(
            "sessions with their state right after a run that failed half way",
            (done + failed) / (2 * SESSIONS),
            1.0,
            detail=f"{done} made by the first step, {failed} failed in the second; planned as one "
            f"range {told_by_switch} of the second are shown as failed",
        ),
    ]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
