"""Dagster's event log on SQLite, with connections that stay open.

What belongs here: one change to Dagster's own storage, named in dagster.yaml. As shipped, it opens
a connection and compiles its statements anew for every event, and the close of the last connection
folds the write-ahead log into the database: about 25 ms per materialisation. A range of 23 years of
sessions is 34,000 events. Kept connections and one flush per checkpoint make it about 6 ms, and the
events of a batch (DAGSTER_EVENT_BATCH_SIZE) share one transaction per database. The file of a run
begins as a copy of an empty one (run_files.py), and goes with the run.
What does not: what is stored. tests/compat holds both storages to the same records.

`synchronous = NORMAL` keeps the database whole through a crash of the process; after a power cut
the newest events may be missing, which the ledger, not the event log, decides about.
"""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from dagster import DagsterEventType, Field, StringSource
from dagster._core.storage.event_log import SqlEventLogStorageTable, SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

from resources.check_evaluations import EVALUATION, store_evaluations
from resources.run_files import copy_empty, is_made
from resources.takes_evaluations import TakesEvaluations

if TYPE_CHECKING:
    from dagster import EventLogEntry

BUSY_SECONDS = 60
KEPT_ENGINES = 4
"""Databases kept open: the index, and those of the newest runs."""

_MADE = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
}
_INSERT = SqlEventLogStorageTable.insert()


class PooledSqliteEventLog(TakesEvaluations, SqliteEventLogStorage):
    """The same files as Dagster's SQLite event log, through connections that are kept."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """The folder of the instance: by default that of DAGSTER_HOME.

        Tools that load dagster.yaml without a home, to validate definitions, get a passing one.
        """
        return {"home": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledSqliteEventLog:
        """Built by Dagster from dagster.yaml."""
        home = config_value.get("home") or os.environ.get("DAGSTER_HOME")
        # The events lie where Dagster keeps them by default.
        folder = Path(home or tempfile.mkdtemp(prefix="dagster-")) / "history" / "runs"
        return cls(str(folder), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _initdb(self, engine: sa.Engine, for_index_shard: bool = False) -> None:
        """Make Dagster's tables in a database that has none."""
        file = Path(str(engine.url.database))
        if for_index_shard:
            super()._initdb(engine, for_index_shard)
            return
        if not file.exists():
            copy_empty(file, super()._initdb)
        if not is_made(engine, file):
            super()._initdb(engine)

    def _engine(self, shard: str) -> sa.Engine:
        """The engine of a database file; called under the lock."""
        if shard not in self._engines:
            engine = sa.create_engine(
                self.conn_string_for_shard(shard),
                pool_size=1,
                connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            )
            sa.event.listen(engine, "connect", _tune)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > KEPT_ENGINES:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of a run; those of a kind that comes in thousands in one transaction."""
        if len({e.run_id for e in events}) != 1:
            return super().store_event_batch(events)
        made = [e for e in events if e.dagster_event_type in _MADE]
        checked = [e for e in events if e.dagster_event_type is EVALUATION]
        others = [e for e in events if e.dagster_event_type not in {*_MADE, EVALUATION}]
        for together in (made, checked):
            if together:
                self._store_together(together)
        if others:
            super().store_event_batch(others)
        return None

    def _store_together(self, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(_INSERT, rows)
        # The index has its own numbers, by which an asset's row and tags name an event.
        with self.index_transaction() as connection:
            numbers = [_number(connection.execute(_INSERT, row)) for row in rows]
            if events[0].dagster_event_type is EVALUATION:
                store_evaluations(connection, events, numbers)
                return
            self._store_asset_event_tags(connection, events, numbers)
            newest = {
                event.get_dagster_event().asset_key: (event, number)
                for event, number in zip(events, numbers, strict=True)
            }
            for event, number in newest.values():
                self._store_asset_event(connection, event, number)

    def delete_events(self, run_id: str) -> None:
        """Remove the events of a run, and the file that held them."""
        super().delete_events(run_id)
        with self._db_lock:
            if (engine := self._engines.pop(run_id, None)) is not None:
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            file = Path(self.path_for_shard(run_id))
            for path in (file, *(Path(f"{file}{ending}") for ending in ("-wal", "-shm"))):
                path.unlink(missing_ok=True)

    def dispose(self) -> None:
        """Close what is open."""
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()
        super().dispose()


def _number(result: sa.CursorResult[Any]) -> int:
    """Of the event that a statement has stored."""
    (number,) = result.inserted_primary_key or (0,)
    return int(number)


def _tune(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
