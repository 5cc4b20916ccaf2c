"""The one writer: a slice replaced in one transaction.

What belongs here: what a slice's replacement does to table, receipts and revisions.
What does not: connections (connection.py), which table (tables.py).

All of it commits together or not at all:

1. Advisory locks for the months of the slice, in order, so that overlapping writers take turns.
   Whoever writes only on what was read before is refused here where that has changed.
2. A receipt that says that exactly these rows were the last word on exactly this slice, and as many
   rows there: done. Rows that went without the writer (truncate, drop_chunks, half a restore) left
   their receipt behind.
3. An empty slice is filled by COPY; any other is staged, and only what differs is touched: rows
   that vanished or changed are deleted, new and changed ones inserted. An unchanged row stays as it
   is, so that nothing dead is left behind.
4. Whatever changed removes every receipt of its months, and gives the months a new revision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import polars as pl
import pyarrow as pa

from adapters.timescale.reading import SEPARATOR, Conditions, select_version
from adapters.timescale.tables import Table, columns_of, table_of
from market_data.datasets import Dataset
from market_data.errors import SliceChangedError

BATCH_ROWS = 16_384
"""The driver encodes a batch whole before it sends it: what the server does not wait for long."""

_STAGE = "emp_stage"
_ANALYSED_ROWS = 5_000


class Slice:
    """The rows that a slice shall hold.

    Args:
        dataset: where.
        rows: of the slice, sorted.
        sessions: first and last.
        symbols: of the slice.
    """

    def __init__(
        self,
        dataset: Dataset,
        rows: pl.DataFrame,
        sessions: tuple[date, date],
        symbols: Sequence[str],
    ) -> None:
        self.dataset = dataset
        self.rows = rows.rechunk()
        self.sessions = sessions
        self.symbols = sorted(set(symbols))
        self._digest = ""

    @property
    def table(self) -> Table:
        """Where it lies."""
        return table_of(self.dataset)

    @property
    def height(self) -> int:
        """How many rows it shall hold."""
        return self.rows.height

    def conditions(self) -> Conditions:
        """Which rows of the table belong to it."""
        found = Conditions()
        found.within(self.dataset, self.sessions)
        found.among(self.symbols)
        return found

    def months(self) -> list[date]:
        """The first days of its months."""
        first, last = self.sessions
        numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        return [date(n // 12, n % 12 + 1, 1) for n in numbers]

    def name(self) -> str:
        """A digest of its bounds."""
        bounds = SEPARATOR.join((*map(str, self.sessions), *self.symbols))
        return hashlib.sha256(bounds.encode()).hexdigest()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Its rows for the driver; a digest that is not known yet is made while they pass."""
        made = None if self._digest else hashlib.sha256(self.arrow_schema().serialize())
        for part in self.rows.iter_slices(BATCH_ROWS):
            for batch in _to_arrow(part).to_batches():
                if made is not None:
                    made.update(batch.serialize())
                yield batch
        if made is not None:
            self._digest = made.hexdigest()

    def arrow_schema(self) -> pa.Schema:
        """Of the batches."""
        return _to_arrow(self.rows.clear()).schema

    def digest(self) -> str:
        """A digest of its rows; equal rows may have several, different ones never the same."""
        if not self._digest:
            for _ in self.batches():
                pass
        return self._digest


def write(
    cursor: Any, slice_: Slice, *, unless_changed_since: str | None = None, again: bool = False
) -> bool:
    """Make the table hold exactly the slice's rows; the caller commits.

    Args:
        cursor: of a transaction that has read nothing yet.
        slice_: what to write.
        unless_changed_since: what `select_version` told of the slice, as its caller saw it.
        again: the same may have been committed by an attempt of which the server could not tell.

    Returns:
        Whether anything changed.

    Raises:
        SliceChangedError: the version is not `unless_changed_since`.
    """
    _lock(cursor, slice_)
    name, months = slice_.name(), slice_.months()
    known = _receipt(cursor, slice_.dataset, name)
    done = known is not None and known == slice_.digest()
    done = done and _held(cursor, slice_) == slice_.height
    if unless_changed_since is not None and not (again and done):
        _need_version(cursor, slice_, unless_changed_since)
    if done:
        return False
    changed = _fill(cursor, slice_)
    if changed:
        _revise(cursor, slice_.dataset, months)
    _sign(cursor, slice_.dataset, name, slice_.digest(), months)
    return changed


def _fill(cursor: Any, slice_: Slice) -> bool:
    if not _is_empty(cursor, slice_):
        return _replace_what_differs(cursor, slice_)
    if slice_.rows.is_empty():
        return False
    _ingest(cursor, slice_, slice_.table.name, schema=slice_.table.schema)
    return True


def _lock(cursor: Any, slice_: Slice) -> None:
    """Taken in the order of months by every writer, so that no two wait for each other."""
    cursor.execute(
        "select pg_advisory_xact_lock(hashtextextended($1 || m::date::text, 0)) from "
        "generate_series($2::date, $3::date, interval '1 month') as m",
        (f"emp {slice_.dataset.name} ", slice_.months()[0], slice_.months()[-1]),
    )
    cursor.fetchall()


def _need_version(cursor: Any, slice_: Slice, seen: str) -> None:
    months = slice_.months()
    cursor.execute(
        select_version("$1", "$2", "$3"), (slice_.dataset.name, months[0], slice_.sessions[1])
    )
    if str(cursor.fetchone()[0]) != seen:
        first, last = slice_.sessions
        raise SliceChangedError(
            f"{slice_.dataset.name}: another writer changed the months of {first} to {last} since "
            "they were read; nothing was written: read them again"
        )


def _receipt(cursor: Any, dataset: Dataset, name: str) -> str | None:
    cursor.execute(
        "select digest from emp.receipts where dataset = $1 and slice = $2", (dataset.name, name)
    )
    row = cursor.fetchone()
    return row[0] if row else None


def _is_empty(cursor: Any, slice_: Slice) -> bool:
    where = slice_.conditions()
    statement = f"select 1 from {slice_.table.quoted}{where.text} limit 1"  # noqa: S608
    cursor.execute(statement, tuple(where.values))
    return cursor.fetchone() is None


def _held(cursor: Any, slice_: Slice) -> int:
    where = slice_.conditions()
    statement = f"select count(*) from {slice_.table.quoted}{where.text}"  # noqa: S608
    return _number(cursor, statement, where.values)


def _to_arrow(rows: pl.DataFrame) -> pa.Table:
    # The driver does not know Arrow's string views.
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())


def _ingest(cursor: Any, slice_: Slice, table: str, *, schema: str | None = None) -> None:
    batches = pa.RecordBatchReader.from_batches(slice_.arrow_schema(), slice_.batches())
    if schema is None:
        cursor.adbc_ingest(table, batches, mode="append", temporary=True)
    else:
        cursor.adbc_ingest(table, batches, mode="append", db_schema_name=schema)


def _replace_what_differs(cursor: Any, slice_: Slice) -> bool:
    for statement in _staging(slice_):
        cursor.execute(statement)
    _ingest(cursor, slice_, _STAGE)
    if slice_.height >= _ANALYSED_ROWS:
        cursor.execute(f"analyze {_STAGE}")
    where = slice_.conditions()
    columns = columns_of(slice_.dataset)
    key = " and ".join(f's."{c}" = t."{c}"' for c in slice_.dataset.key)
    row = "({})".format
    ours = row(", ".join(f's."{c}"' for c in slice_.dataset.schema.names))
    theirs = row(", ".join(f't."{c}"' for c in slice_.dataset.schema.names))
    table = slice_.table.quoted
    held = _held(cursor, slice_)
    deleted = _changed_rows(
        cursor,
        f"delete from {table} t{where.text} and not exists "  # noqa: S608
        f"(select 1 from {_STAGE} s where {key} and {ours} is not distinct from {theirs})",
        where.values,
    )
    if held - deleted == slice_.height:
        # Every row that stayed equals a row of the slice, keys are unique: none is missing.
        return deleted > 0
    inserted = _changed_rows(
        cursor,
        f"insert into {table} ({columns}) select {columns} from {_STAGE} s "  # noqa: S608
        f"where not exists (select 1 from {table} t{where.text} and {key})",
        where.values,
    )
    return bool(deleted or inserted)


def _staging(slice_: Slice) -> Iterator[str]:
    yield f"drop table if exists pg_temp.{_STAGE}"
    yield f"create temporary table {_STAGE} (like {slice_.table.quoted}) on commit drop"


def _changed_rows(cursor: Any, statement: str, values: Sequence[Any]) -> int:
    """How many rows a statement changed, counted by the server itself."""
    counted = f"with changed as ({statement} returning 1) select count(*) from changed"  # noqa: S608
    return _number(cursor, counted, values)


def _number(cursor: Any, statement: str, values: Sequence[Any]) -> int:
    cursor.execute(statement, tuple(values))
    return int(cursor.fetchone()[0])


def _revise(cursor: Any, dataset: Dataset, months: Sequence[date]) -> None:
    cursor.execute(
        "insert into emp.months select $1, m::date, nextval('emp.revisions') from "
        "generate_series($2::date, $3::date, interval '1 month') as m "
        "on conflict (dataset, month) do update set revision = excluded.revision",
        (dataset.name, months[0], months[-1]),
    )
    cursor.execute(
        "delete from emp.receipts where dataset = $1 and first_month <= $2 and last_month >= $3",
        (dataset.name, months[-1], months[0]),
    )


def _sign(cursor: Any, dataset: Dataset, name: str, digest: str, months: Sequence[date]) -> None:
    cursor.execute(
        "insert into emp.receipts values ($1, $2, $3, $4, $5) "
        "on conflict (dataset, slice) do update set digest = excluded.digest",
        (dataset.name, name, digest, months[0], months[-1]),
    )
