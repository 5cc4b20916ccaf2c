"""Reads: whole ranges and newest rows as Arrow, and the version of a range.

What belongs here: select statements. What does not: connections (connection.py), writes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl

from adapters.stores.slices import LONGEST_OFFSET
from adapters.timescale.tables import columns_of, table_of
from market_data.datasets import Dataset
from market_data.errors import SchemaError

SEPARATOR = "\x1f"
"""Between the symbols of a bound list; no symbol holds it."""

_PLACE = re.compile(r"\$(\d+)")


class Conditions:
    """The where clause of a slice, with every value bound."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.values: list[Any] = []

    def add(self, text: str, value: object) -> None:
        """One more condition; its "{}" becomes the place of the value."""
        self.values.append(value)
        self._texts.append(text.format(f"${len(self.values)}"))

    def among(self, symbols: Sequence[str]) -> None:
        """Only these symbols."""
        wanted = list(dict.fromkeys(symbols))
        if any(SEPARATOR in symbol for symbol in wanted):
            raise SchemaError("a symbol holds a control character")
        if len(wanted) == 1:
            self.add("symbol = {}::text", wanted[0])
        elif not wanted:
            self._texts.append("false")
        else:
            self.add(
                f"symbol = any(string_to_array({{}}::text, chr({ord(SEPARATOR)})))",
                SEPARATOR.join(wanted),
            )

    def within(self, dataset: Dataset, sessions: tuple[date, date]) -> None:
        """Only these sessions, both included."""
        first, last = sessions
        self.add("session >= {}::date", first)
        self.add("session <= {}::date", last)
        if dataset.time_column == "ts":
            # Says nothing new about the rows, but lets the server leave chunks out.
            if first - date.min >= LONGEST_OFFSET:
                self.add("ts >= {}::timestamptz", _midnight(first - LONGEST_OFFSET))
            if date.max - last >= LONGEST_OFFSET:
                self.add("ts < {}::timestamptz", _midnight(last + LONGEST_OFFSET))

    @property
    def text(self) -> str:
        """The clause; empty where nothing is limited."""
        return f" where {' and '.join(self._texts)}" if self._texts else ""


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def fetch(cursor: Any, dataset: Dataset, statement: str, values: Sequence[Any]) -> pl.DataFrame:
    """Rows of a select of some of a dataset's columns, in their types."""
    cursor.execute(_written_out(cursor, statement, values))
    frame = pl.DataFrame(cursor.fetch_arrow_table())
    dtypes = dataset.schema.dtypes
    return frame.select(pl.col(name).cast(dtypes[name]) for name in frame.columns)


def _written_out(cursor: Any, statement: str, values: Sequence[Any]) -> str:
    """The statement with its values in it, as the server itself quotes them.

    Of a statement without parameters the driver reads the rows as a stream, while the server still
    makes the next; of one with parameters it waits for the last before it looks at the first.
    """
    if not values:
        return statement
    template = _PLACE.sub(r"%\1$L", statement)
    places = ", ".join(f"${number + 2}" for number in range(len(values)))
    cursor.execute(f"select format($1::text, {places})", (template, *values))
    return str(cursor.fetchone()[0])


def select_range(dataset: Dataset, conditions: Conditions, columns: Sequence[str] | None) -> str:
    """The statement of a scan, ordered as the dataset is."""
    listed = columns_of(dataset) if columns is None else ", ".join(f'"{c}"' for c in columns)
    order = ", ".join(f'"{name}"' for name in dataset.sort)
    return f"select {listed} from {table_of(dataset).quoted}{conditions.text} order by {order}"


def select_latest(dataset: Dataset, conditions: Conditions, rows: int) -> str:
    """The statement of the newest rows of each symbol, one short index scan per symbol."""
    table = table_of(dataset).quoted
    order = ", ".join(f'n."{name}"' for name in dataset.sort)
    back = ", ".join(f'b."{name}" desc' for name in dataset.sort if name != "symbol")
    columns = ", ".join(f'n."{name}"' for name in dataset.schema.names)
    known = (
        f"with recursive s as ((select symbol from {table} order by symbol limit 1) union all "
        f"select (select t.symbol from {table} t where t.symbol > s.symbol order by symbol limit 1)"
        " from s where s.symbol is not null)"
    )
    return (
        f"{known} select {columns} from (select symbol from s{conditions.text}) w "
        f"cross join lateral (select * from {table} b where b.symbol = w.symbol "
        f"order by {back} limit {int(rows)}) n order by {order}"
    )


def select_counts(dataset: Dataset) -> str:
    """The statement of the rows per symbol and month of sessions."""
    return (
        "select symbol, date_trunc('month', session)::date as month, count(*) as rows "
        f"from {table_of(dataset).quoted} group by 1, 2 order by 1, 2"
    )


def select_version(dataset: str, first: str, last: str) -> str:
    """The statement of the version of a range, without where the server is.

    The database's number and the store's name tell a copy, made again or in another place, apart.

    Args:
        dataset: the place of the dataset's name: "%s" or "$1".
        first: of the first day of the first month.
        last: of a day of the last month.
    """
    return (
        "select concat_ws(':', (select oid from pg_database where datname = current_database()), "
        "(select string_agg(store, ',' order by store) from emp.identity), "
        "coalesce(sum(revision), 0), count(*)) from emp.months "
        f"where dataset = {dataset} and month >= {first}::date and month <= {last}::date"
    )
