"""Dagster's records on PostgreSQL: what DAGSTER_EVENT_BATCH_SIZE does for a ranged run.

One run materialises an asset of three hundred daily partitions on the shipped instance
(docker/dagster.yaml), with events stored one by one and in batches; once as the UI launches it,
with a planned event per partition, and once with one planned event for the range, as Dagster's own
switch has it. Needs a server: EMP_OPERATIONS_URL, whose user may make databases; Dagster's
own user may not. Run with `python -m benchmarks dagster_storage`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from unittest.mock import patch

import dagster as dg

from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from tests.support.dagster_records import instance_on
from tests.support.servers import new_database

VARIABLE = "EMP_OPERATIONS_URL"
PARTITIONS = 300
ROUNDS = 3
FIRST = date(2024, 1, 1)
SIZE, SUBSET = "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"


@dg.asset(
    partitions_def=dg.DailyPartitionsDefinition(start_date=FIRST.isoformat()),
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def nothing() -> None:
    """An asset that costs nothing but its records."""


@contextmanager
def own_instance() -> Iterator[dg.DagsterInstance]:
    """The shipped instance on a new database."""
    with new_database(os.environ[VARIABLE]) as url, instance_on(url) as instance:
        yield instance


def materialise(instance: dg.DagsterInstance, *, batch: int, one_plan: bool) -> None:
    """One ranged run; every partition has a new materialisation then."""
    last = FIRST + timedelta(days=PARTITIONS - 1)
    tags = {
        "dagster/asset_partition_range_start": FIRST.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }
    job = dg.Definitions(assets=[nothing], executor=dg.in_process_executor)
    with patch.dict(os.environ, {SIZE: str(batch), SUBSET: str(one_plan).lower()}):
        result = job.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    of_type = dg.DagsterEventType.ASSET_MATERIALIZATION
    records = instance.get_records_for_run(result.run_id, of_type=of_type, limit=PARTITIONS + 1)
    assert len({r.partition_key for r in records.records}) == len(records.records) == PARTITIONS


def run() -> list[Ratio]:
    """Nothing where there is no server; about a minute."""
    if not os.environ.get(VARIABLE):
        print(f"dagster_storage: not measured, {VARIABLE} is not set", file=sys.stderr)
        return []
    times = Times()
    with own_instance() as instance:
        materialise(instance, batch=1000, one_plan=True)
        for turn in range(ROUNDS):
            times.turn(
                {
                    f"{plan}, {how}": lambda batch=batch, one_plan=one_plan: materialise(
                        instance, batch=batch, one_plan=one_plan
                    )
                    for plan, one_plan in (("plan per partition", False), ("one plan", True))
                    for how, batch in (("singly", 0), ("in batches", 1000))
                },
                backwards=turn % 2 == 1,
            )
    return [
        Ratio(
            f"Dagster ranged run in batches of events, times as fast as singly, {plan}",
            times.ratio(f"{plan}, singly", f"{plan}, in batches"),
            bar,
            detail=f"{PARTITIONS} partitions: "
            f"{times.told(f'{plan}, singly', f'{plan}, in batches')}",
        )
        for plan, bar in (("plan per partition", 1.5), ("one plan", 8.0))
    ]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
