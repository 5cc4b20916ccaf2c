"""Dagster's records on PostgreSQL, over connections that stay open, with planned events in batches.

What belongs here: two changes to Dagster's own storage, named in docker/dagster.yaml. As shipped,
it connects anew for every statement, and stores the planned events of a ranged run one by one
before the run begins: 88 % of what such a run costs Dagster.
What does not: what is stored. tests/compat holds both storages to the same records; it is what has
to pass before Dagster is updated, since members are used here that are Dagster's own.

Dagster batches nothing unless DAGSTER_EVENT_BATCH_SIZE is set in the process that makes the run:
webserver and daemon as much as the run itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from dagster import DagsterEventType
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres import (
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import (
    create_pg_engine,
    get_token_provider_from_config,
    pg_config,
    pg_url_from_config,
)

from resources.check_evaluations import EVALUATION, store_evaluations
from resources.takes_evaluations import TakesEvaluations

if TYPE_CHECKING:
    from dagster import EventLogEntry

KEPT = 1
"""Connections that each of the three storages keeps open in a process. A second thread, or a
statement within a statement, opens one more and closes it: a bound would make threads that hold one
wait for each other."""

_MADE = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
}
_INSERT = SqlEventLogStorageTable.insert().returning(
    SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
)


class _KeptOpen:
    """One of Dagster's storages on PostgreSQL, over connections that stay open."""

    postgres_url: str
    _engine: sa.Engine
    _token_provider: Any

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._engine.dispose()
        self._engine = create_pg_engine(
            self.postgres_url,
            self._token_provider,
            isolation_level="AUTOCOMMIT",
            pool_size=KEPT,
            max_overflow=-1,
            pool_pre_ping=True,
        )

    def optimize_for_webserver(self, *given: Any, **named: Any) -> None:
        """Dagster's own pool, which ends statements that take too long."""
        self._engine.dispose()
        super().optimize_for_webserver(*given, **named)  # type: ignore[misc]

    def dispose(self) -> None:
        """Close what is open."""
        super().dispose()  # type: ignore[misc]
        self._engine.dispose()


class PooledPostgresRuns(_KeptOpen, PostgresRunStorage):
    """Runs."""


class PooledPostgresSchedules(_KeptOpen, PostgresScheduleStorage):
    """Ticks of schedules and sensors."""


class PooledPostgresEventLog(TakesEvaluations, _KeptOpen, PostgresEventLogStorage):
    """Events, of which those of a batch are written with one statement."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of a run.

        A batch is sorted by asset, so that runs which plan the same assets lock them in one order.
        """
        made = [e for e in events if e.dagster_event_type in _MADE]
        if made:
            self._store_made(made)
        checked = [e for e in events if e.dagster_event_type == EVALUATION]
        if checked:
            with self.index_transaction() as connection:
                store_evaluations(connection, checked, self._insert(connection, checked))
        others = [e for e in events if e.dagster_event_type not in {*_MADE, EVALUATION}]
        if others:
            super().store_event_batch(others)

    def _store_made(self, events: Sequence[EventLogEntry]) -> None:
        # One transaction: where it fails, Dagster stores the same events again one by one.
        with self.index_transaction() as connection:
            numbers = self._insert(connection, events)
            self._store_asset_event_tags(connection, events, numbers)
            # An asset's row tells of its newest event alone.
            newest = {
                event.get_dagster_event().asset_key: (event, number)
                for event, number in zip(events, numbers, strict=True)
            }
            for event, number in newest.values():
                self._store_asset_event(connection, event, number)

    def _insert(self, connection: sa.Connection, events: Sequence[EventLogEntry]) -> list[int]:
        """Store events; their numbers, in the same order."""
        # Compiled once; Dagster's own statement has every value in it and is compiled every time.
        numbers = connection.execute(_INSERT, [self._event_to_row(event) for event in events])
        return [int(number) for (number,) in numbers]


class PooledPostgresStorage(DagsterStorage, ConfigurableClass):
    """The three of them, as `storage.custom` of dagster.yaml names them."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
        token_provider: Any = None,
    ) -> None:
        how = {"token_provider": token_provider}
        self._inst_data = inst_data
        self._runs = PooledPostgresRuns(postgres_url, should_autocreate_tables, **how)
        self._events = PooledPostgresEventLog(postgres_url, should_autocreate_tables, **how)
        self._schedules = PooledPostgresSchedules(postgres_url, should_autocreate_tables, **how)
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What dagster.yaml says of it."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Any:
        """As of Dagster's own: postgres_url or postgres_db."""
        return pg_config()

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledPostgresStorage:
        """Built by Dagster from dagster.yaml."""
        return cls(
            pg_url_from_config(config_value),
            config_value.get("should_autocreate_tables", True),
            inst_data,
            get_token_provider_from_config(config_value),
        )

    @property
    def event_log_storage(self) -> PooledPostgresEventLog:
        """Events of runs."""
        return self._events

    @property
    def run_storage(self) -> PooledPostgresRuns:
        """Runs."""
        return self._runs

    @property
    def schedule_storage(self) -> PooledPostgresSchedules:
        """Ticks of schedules and sensors."""
        return self._schedules
