"""Many evaluations of checks stored at once, for Dagster's event log on either database.

What belongs here: the rows by which Dagster knows the state of a check, written for all evaluations
of a batch with one statement. As shipped, each evaluation is a transaction of its own, and a run
over sixty sessions has six hundred of them per asset.
What does not: the events themselves (event_log.py, postgres_records.py), which evaluations there
are (emp_assets/check_states.py). tests/compat holds the rows to those of Dagster's own way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from dagster import DagsterEventType
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._serdes import serialize_value

if TYPE_CHECKING:
    from dagster import AssetCheckEvaluation, EventLogEntry

EVALUATION = DagsterEventType.ASSET_CHECK_EVALUATION
_TABLE = AssetCheckExecutionsTable
_KEY = ("asset_key", "check_name", "partition")


def store_evaluations(
    connection: sa.Connection, events: Sequence[EventLogEntry], numbers: Sequence[int]
) -> None:
    """Store the states that evaluations of one run give.

    A state that the run has already, planned or from an earlier attempt, is replaced.

    Args:
        connection: to the database of all runs, in a transaction.
        events: evaluations of one run.
        numbers: the events' own numbers in that database.
    """
    rows = {
        tuple(row[name] for name in _KEY): row
        for row in (_row(event, number) for event, number in zip(events, numbers, strict=True))
    }
    run, assets = events[0].run_id, {asset for asset, _, _ in rows}
    known = connection.execute(
        sa.select(*(_TABLE.c[name] for name in _KEY)).where(
            _TABLE.c.run_id == run, _TABLE.c.asset_key.in_(assets)
        )
    )
    for key in {tuple(found) for found in known} & rows.keys():
        row = rows.pop(key)
        same = [_TABLE.c[name].is_not_distinct_from(row[name]) for name in _KEY]
        connection.execute(_TABLE.update().where(_TABLE.c.run_id == run, *same).values(row))
    if rows:
        connection.execute(_TABLE.insert(), list(rows.values()))


def _row(event: EventLogEntry, number: int) -> Mapping[str, Any]:
    evaluation = cast("AssetCheckEvaluation", event.get_dagster_event().event_specific_data)
    status = AssetCheckExecutionRecordStatus
    target = evaluation.target_materialization_data
    return {
        "asset_key": evaluation.asset_key.to_string(),
        "check_name": evaluation.check_name,
        "partition": evaluation.partition,
        "run_id": event.run_id,
        "execution_status": (status.SUCCEEDED if evaluation.passed else status.FAILED).value,
        "evaluation_event": serialize_value(event),
        # The column has no time zone: UTC, as everywhere in Dagster's tables.
        "evaluation_event_timestamp": datetime.fromtimestamp(event.timestamp, UTC).replace(
            tzinfo=None
        ),
        "evaluation_event_storage_id": number,
        "materialization_event_storage_id": target.storage_id if target else None,
    }
