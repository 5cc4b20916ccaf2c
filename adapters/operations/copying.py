"""Copying the tables of an operations database into another, of either engine.

What belongs here: which tables travel, reading them page by page, replacing one in one transaction,
digests of what each side reads back.
What does not: the order of parts and the rounds (market_data/pipeline/migration.py), statements of
the ports (one file per port).

A table's rows travel into a temporary table beside the target's own, so that the database itself
finds what differs: rows that vanished or changed go, new ones come, the others stay. Readers of the
target see the old rows until all of the new ones are there and have been read back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from adapters.operations.automation_models import (
    automation_state,
    failover_decisions,
    missed_slices,
)
from adapters.operations.database import reading, writing
from adapters.operations.frames import read_frame, storable_texts, write_frame
from adapters.operations.message_models import parked_messages, refresh_offsets
from adapters.operations.models import (
    Instant,
    LongText,
    ShortText,
    leases,
    metadata,
    outbox,
    reports,
)
from market_data.errors import CopyMismatchError, CopyRefusedError, StoreUnavailableError
from market_data.pipeline.migration import Compared, Outcome, Receipts, Tell
from market_data.quality.digest import RowsDigest, rows_digest
from market_data.schemas import UTC

PAGE_ROWS = 20_000
NOT_COPIED = (
    automation_state,
    failover_decisions,
    leases,
    missed_slices,
    outbox,
    parked_messages,
    refresh_offsets,
    reports,
)
"""Of one installation's own processes: what its schedules remember, what its warehouse missed, who
works, what waits for its brokers, how far it read what asks for a refresh, what it said of its
servers."""

TABLES = tuple(table for table in metadata.sorted_tables if table not in NOT_COPIED)
"""Every table that travels."""

_POLARS: tuple[tuple[type[sa.types.TypeEngine[Any]], pl.DataType], ...] = (
    (Instant, UTC),
    (sa.Date, pl.Date()),
    (sa.Boolean, pl.Boolean()),
    (sa.Integer, pl.Int64()),
    (sa.Double, pl.Float64()),
    (ShortText, pl.String()),
    (LongText, pl.String()),
    (sa.JSON, pl.String()),
)


class TableCopy:
    """A `Part`: one table in two operations databases.

    Args:
        table: which.
        source: is only read.
        target: is made to hold the same.
        receipts: what copies have read.
        overwrite: rows that only the target holds may go.
        page_rows: so many travel at once.
    """

    def __init__(
        self,
        table: sa.Table,
        source: Engine,
        target: Engine,
        receipts: Receipts,
        *,
        overwrite: bool = False,
        page_rows: int = PAGE_ROWS,
    ) -> None:
        self._table = table
        self._source = source
        self._target = target
        self._receipts = receipts
        self._overwrite = overwrite
        self._page_rows = page_rows
        self._read = RowsDigest()

    @property
    def name(self) -> str:
        """operations/<table>."""
        return f"operations/{self._table.name}"

    def compare(self, tell: Tell, *, thorough: bool) -> Outcome:  # noqa: ARG002  all is read
        """Read both sides and write nothing, see the port.

        Raises:
            StoreUnavailableError: a database did not answer.
        """
        tell(f"{self.name}: reading both sides")
        with typed_errors(), _snapshot(self._source) as source, _snapshot(self._target) as target:
            wanted, found = self._digest(source), self._digest(target)
        foreign = 0
        if wanted != found and found.rows and not self._receipts.knows(self.name, str(found)):
            with (
                typed_errors(),
                _snapshot(self._source) as source,
                writing(self._target) as target,
                self._staged(source, target) as stage,
            ):
                foreign = self._foreign(target, stage)
        return Outcome((self._compared(wanted, found, foreign),), 1)

    def copy(self, tell: Tell) -> Outcome:
        """Make the target's table hold what the source's holds, see the port.

        Raises:
            CopyRefusedError: the target holds rows of its own.
            CopyMismatchError: what was read back is not what was written; the table is as it was.
            StoreUnavailableError: a database did not answer.
        """
        with typed_errors(), _snapshot(self._source) as source:
            self._read = wanted = self._digest(source)
            # Noted before: a copy that dies in between leaves a target that the next may replace.
            self._receipts.note(self.name, str(wanted))
            with writing(self._target, alone="copy") as target:
                self._keep_writers_out(target)
                found = self._digest(target)
                if found == wanted:
                    tell(f"{self.name}: equal already")
                    return Outcome((self._compared(wanted, found),), 1)
                self._replace(source, target, found)
                made = self._digest(target)
                if made != wanted:
                    raise CopyMismatchError(
                        f"{self.name}: the source tells {wanted.rows} rows of digest {wanted}, "
                        f"the target would tell {made.rows} rows of digest {made}; it is as it was"
                    )
        tell(f"{self.name}: {wanted.rows} rows copied")
        return Outcome((self._compared(wanted, made),), 1, 1, wanted.rows)

    def changed(self) -> bool:
        """Whether the source tells something else than the last copy read."""
        with typed_errors(), _snapshot(self._source) as source:
            return self._digest(source) != self._read

    def _compared(self, wanted: RowsDigest, found: RowsDigest, foreign: int = 0) -> Compared:
        return Compared("", wanted.rows, found.rows, str(wanted), str(found), foreign)

    def _digest(self, connection: Connection) -> RowsDigest:
        pages = _pages(connection, self._table, self._page_rows)
        return sum((rows_digest(page) for page in pages), RowsDigest())

    def _keep_writers_out(self, target: Connection) -> None:
        if target.dialect.name == "postgresql":
            name = target.dialect.identifier_preparer.format_table(self._table)
            target.exec_driver_sql(f"lock table {name} in share row exclusive mode")

    def _replace(self, source: Connection, target: Connection, found: RowsDigest) -> None:
        table = self._table
        with self._staged(source, target) as stage:
            if not self._overwrite and not self._receipts.knows(self.name, str(found)):
                foreign = self._foreign(target, stage)
                if foreign:
                    raise CopyRefusedError(
                        f"{self.name}: the target holds {foreign} rows that the source does not, "
                        "or holds otherwise; if they may go, repeat with --overwrite"
                    )
            target.execute(sa.delete(table).where(~_same(stage, table)))
            held = table.alias()
            keys = [stage.c[c.name] == held.c[c.name] for c in table.primary_key]
            new = sa.select(*(_as(stage.c[c.name], c.type, target) for c in table.columns)).where(
                ~sa.exists(sa.select(1).select_from(held).where(*keys).correlate(stage))
            )
            names = [c.name for c in table.columns]
            target.execute(sa.insert(table).from_select(names, new, include_defaults=False))
        self._number_on(target)

    @contextmanager
    def _staged(self, source: Connection, target: Connection) -> Iterator[sa.Table]:
        """A temporary table of the target's connection that holds the source's rows."""
        stage = _stage_of(self._table)
        stage.drop(target, checkfirst=True)
        stage.create(target, checkfirst=False)
        for page in _pages(source, self._table, self._page_rows):
            write_frame(target, sa.insert(stage), page)
        if target.dialect.name == "postgresql":
            target.exec_driver_sql(f"analyze {stage.name}")
        yield stage
        stage.drop(target, checkfirst=False)

    def _foreign(self, target: Connection, stage: sa.Table) -> int:
        count = sa.select(sa.func.count()).select_from(self._table)
        return int(target.execute(count.where(~_same(stage, self._table))).scalar_one())

    def _number_on(self, target: Connection) -> None:
        """Let the next row that the database numbers come after those that were copied."""
        column = self._table.autoincrement_column
        if column is None or target.dialect.name != "postgresql":
            return
        sequence = sa.func.pg_get_serial_sequence(self._table.name, column.name)
        after = sa.func.greatest(
            sa.func.coalesce(sa.func.max(column), 1), sa.func.nextval(sequence)
        )
        target.execute(sa.select(sa.func.setval(sequence, after)).select_from(self._table))


def table_digest(engine: Engine, table: sa.Table) -> RowsDigest:
    """The digest of a table's rows, of one state of the database.

    Raises:
        StoreUnavailableError: the database did not answer.
    """
    with typed_errors(), _snapshot(engine) as connection:
        pages = _pages(connection, table, PAGE_ROWS)
        return sum((rows_digest(page) for page in pages), RowsDigest())


def _pages(connection: Connection, table: sa.Table, rows: int) -> Iterator[pl.DataFrame]:
    """A table's rows in the order of its key, at most so many at once."""
    key = list(table.primary_key)
    dtypes = {column.name: _dtype(column) for column in table.columns}
    query = sa.select(*(_text_of(column) for column in table.columns)).order_by(*key).limit(rows)
    page = read_frame(connection, query, dtypes)
    while not page.is_empty():
        yield storable_texts(page)
        if page.height < rows:
            return
        last = page.row(-1, named=True)
        after = sa.tuple_(*key) > sa.tuple_(*(sa.literal(last[c.name], c.type) for c in key))
        page = read_frame(connection, query.where(after), dtypes)


def _dtype(column: sa.Column[Any]) -> pl.DataType:
    return next(dtype for kind, dtype in _POLARS if isinstance(column.type, kind))


def _text_of(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A column as it travels: JSON as the text that it was written as."""
    return sa.cast(column, sa.Text()) if isinstance(column.type, sa.JSON) else column


def _as(column: sa.Column[Any], kind: Any, connection: Connection) -> sa.ColumnElement[Any]:
    """A column of the stage as the table wants it; SQLite keeps JSON as text anyway."""
    if isinstance(kind, sa.JSON) and connection.dialect.name == "postgresql":
        return sa.cast(column, sa.JSON())
    return column


def _stage_of(table: sa.Table) -> sa.Table:
    columns: list[sa.Column[Any]] = [
        sa.Column(
            c.name,
            sa.Text() if isinstance(c.type, sa.JSON) else c.type,
            primary_key=c.primary_key,
            autoincrement=False,
        )
        for c in table.columns
    ]
    return sa.Table(f"copied_{table.name}", sa.MetaData(), *columns, prefixes=["TEMPORARY"])


def _same(stage: sa.Table, table: sa.Table) -> sa.Exists:
    """Whether the stage holds a row of the table, every column alike."""
    alike = [
        stage.c[c.name] == c if c.primary_key else stage.c[c.name].is_not_distinct_from(_text_of(c))
        for c in table.columns
    ]
    return sa.exists(sa.select(1).select_from(stage).where(*alike).correlate(table))


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state throughout and, in PostgreSQL, cannot write."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    with reading(engine) as connection:
        yield connection


@contextmanager
def typed_errors() -> Iterator[None]:
    """Errors of drivers as errors of the platform, without the values and URLs that they name."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or type(error.orig).__name__
        raise StoreUnavailableError(
            f"an operations database failed with {state}: is the one of EMP_OPERATIONS_URL "
            "running, and may its user make temporary tables? The copy may be repeated"
        ) from None
