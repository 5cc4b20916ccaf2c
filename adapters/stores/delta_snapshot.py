"""What a version of a Delta table says about its files.

What belongs here: the files of a version as a frame, and the statistics that a new file is added
with, which later tell a reader what to leave out.
What does not: opening and committing (delta_table.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from adapters.stores.units import partition_columns
from market_data.datasets import Dataset

if TYPE_CHECKING:
    from deltalake import DeltaTable

STATISTICS = ("symbol", "ts", "session")
"""Columns whose smallest and largest value is kept per file, to leave files out of a read."""


@dataclass(frozen=True)
class Snapshot:
    """The files of one version.

    Attributes:
        version: version of the table, -1 where there is none yet.
        files: one row per file: unit, path, size, rows, and min.<column>, max.<column> of
            STATISTICS, the last three kinds where the writer noted them.
    """

    version: int
    files: pl.DataFrame

    def of(self, units: Sequence[str]) -> pl.DataFrame:
        """The files of some units."""
        return self.files.filter(pl.col("unit").is_in(units))


def noted(dataset: Dataset) -> list[str]:
    """The columns of STATISTICS that the dataset has and never leaves empty."""
    return [c.name for c in dataset.schema.columns if c.name in STATISTICS and not c.nullable]


def nothing(dataset: Dataset) -> Snapshot:
    """The snapshot of a table that is not there."""
    limits = {
        f"{side}.{name}": dataset.schema.dtypes[name]
        for name in noted(dataset)
        for side in ("min", "max")
    }
    schema = {"unit": pl.String(), "path": pl.String(), "size": pl.Int64(), "rows": pl.Int64()}
    return Snapshot(-1, pl.DataFrame(schema=schema | limits))


def files_frame(handle: DeltaTable, dataset: Dataset) -> pl.DataFrame:
    """The files of a version, see `Snapshot.files`."""
    empty = nothing(dataset).files
    actions = pl.DataFrame(pl.Series(handle.get_add_actions(flatten=True)).struct.unnest())
    if actions.is_empty():
        return empty
    parts = [
        pl.format(f"{name}={{}}", pl.col(f"partition.{name}"))
        for name in partition_columns(dataset.layout)
    ]
    return actions.select(
        pl.concat_str(parts, separator="/").alias("unit"),
        "path",
        pl.col("size_bytes").alias("size"),
        (pl.col("num_records") if "num_records" in actions.columns else pl.lit(None))
        .cast(pl.Int64)
        .alias("rows"),
        *(
            pl.col(name).cast(dtype) if name in actions.columns else pl.lit(None, dtype).alias(name)
            for name, dtype in empty.schema.items()
            if "." in name
        ),
    ).sort("unit", "path")


def statistics(frame: pl.DataFrame, names: Sequence[str]) -> str:
    """Statistics of a file as the Delta protocol words them; times in whole milliseconds."""
    limits = frame.select(
        *(pl.col(name).min().alias(f"min.{name}") for name in names),
        *(pl.col(name).max().alias(f"max.{name}") for name in names),
    ).row(0, named=True)
    return json.dumps(
        {
            "numRecords": frame.height,
            "minValues": {name: _worded(limits[f"min.{name}"]) for name in names},
            "maxValues": {name: _worded(limits[f"max.{name}"], up=True) for name in names},
            "nullCount": dict.fromkeys(names, 0),
        }
    )


def recorded(file: Mapping[str, Any], names: Sequence[str]) -> str:
    """The statistics of a file that a former version names, as far as it noted them.

    Args:
        file: a row of `Snapshot.files`.
        names: columns whose limits are kept.
    """
    known = [name for name in names if file[f"min.{name}"] is not None]
    words: dict[str, Any] = {
        "minValues": {name: _worded(file[f"min.{name}"]) for name in known},
        "maxValues": {name: _worded(file[f"max.{name}"], up=True) for name in known},
        "nullCount": dict.fromkeys(known, 0),
    }
    if file["rows"] is not None:
        words["numRecords"] = file["rows"]
    return json.dumps(words)


def _worded(value: str | date | datetime, *, up: bool = False) -> str:
    if isinstance(value, datetime):
        if up:  # the protocol keeps milliseconds; a limit must never be inside the data
            value += timedelta(microseconds=999)
        return (
            value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.")
            + f"{value.microsecond // 1000:03d}Z"
        )
    return value.isoformat() if isinstance(value, date) else value
