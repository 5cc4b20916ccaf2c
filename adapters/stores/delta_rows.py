"""Rows of a snapshot of a Delta table, those that a reader asks for.

What belongs here: from a range to files, from files to sorted rows. What does not: which version is
read (delta_travel.py), rows that are replaced (delta_bar_store.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from adapters.stores.delta_snapshot import Snapshot
from adapters.stores.delta_table import DeltaFiles
from adapters.stores.slices import files_of, limit, overlaps, rows_of
from adapters.stores.units import may_hold
from market_data.errors import SchemaError
from market_data.ordering import sort_if_needed


def rows_in(
    table: DeltaFiles,
    snapshot: Snapshot | None,
    *,
    symbols: Sequence[str] | None = None,
    start: datetime | date | None = None,
    end: datetime | date | None = None,
    sessions: tuple[date, date] | None = None,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Rows sorted as the dataset is, see `BarStore.scan`.

    Args:
        table: where from.
        snapshot: of which version; None for the newest.
        symbols: only these.
        start: first bar start, included; a date is its midnight, UTC.
        end: end of the range, excluded.
        sessions: first and last, both included.
        columns: only these, in this order.

    Raises:
        SchemaError: a time limit without a zone, or a column that the dataset has not.
        TableDamagedError: a data file is gone or cannot be read; the message names it.
        VersionGoneError: files of a former version were removed by vacuum.
    """
    dataset = table.dataset
    time = dataset.time_column
    low, high = limit(dataset, start), limit(dataset, end)
    held = (table.snapshot() if snapshot is None else snapshot).files
    files = held.filter(
        files_of(sessions, symbols),
        overlaps(time, low, high),
        may_hold(dataset.layout, symbols),
    )
    rows = table.scan(files).filter(rows_of(sessions, symbols))
    if low is not None:
        rows = rows.filter(pl.col(time) >= low)
    if high is not None:
        rows = rows.filter(pl.col(time) < high)
    if columns is None:
        return sort_if_needed(table.collect(rows, files), dataset.sort)
    if unknown := [name for name in columns if name not in dataset.schema.names]:
        raise SchemaError(f"{dataset.name} has no column {', '.join(unknown)}")
    needed = list(dict.fromkeys([*columns, *dataset.sort]))
    found = table.collect(rows.select(needed), files)
    return sort_if_needed(found, dataset.sort).select(columns)
