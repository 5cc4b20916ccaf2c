"""Which files of a table are gone or cannot be read, and how that is told.

What belongs here: looking at data files, and the error that names them with the cure.
What does not: mending (delta_repair.py), a log that cannot be read (delta_place.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from adapters.stores.table_files import TableFiles
from market_data.errors import TableDamagedError, VersionGoneError

if TYPE_CHECKING:
    from adapters.stores.delta_place import TablePlace

GONE, SHORT, UNREADABLE = "gone", "of another size than written", "unreadable"


def lost_among(files: TableFiles, named: pl.DataFrame, *, thorough: bool) -> dict[str, str]:
    """Files of a snapshot whose rows cannot be read.

    Args:
        files: of the table.
        named: rows of `Snapshot.files`.
        thorough: read every file whole; else its size is looked at, and on a disk its footer.

    Returns:
        Path to what is wrong with it.
    """
    wrong: dict[str, str] = {}
    for path, size in named.select("path", "size").iter_rows():
        found = files.size(path)
        if found is None:
            wrong[path] = GONE
        elif found != size:
            wrong[path] = SHORT
        elif not _readable(files, path, whole=thorough):
            wrong[path] = UNREADABLE
    return wrong


def _readable(files: TableFiles, path: str, *, whole: bool) -> bool:
    try:
        if whole:
            pl.read_parquet(files.read(path), hive_partitioning=False)
        elif (local := files.local_path(path)) is not None:
            pl.read_parquet_schema(local)
    except (pl.exceptions.PolarsError, FileNotFoundError):
        return False
    return True


def damaged(place: TablePlace, named: pl.DataFrame, lost: Mapping[str, str]) -> TableDamagedError:
    """The error of a read that met lost files."""
    name, (path, what) = place.dataset.name, next(iter(lost.items()))
    others = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
    held = _held(named.filter(pl.col("path").is_in(list(lost))))
    return TableDamagedError(
        f"the table {name} is damaged: its data file {place.uri}/{path} is {what}{others}{held}. "
        f"Put the file back from a backup, or mend the table: 'emp lake repair {name}' says which "
        "rows are lost, and with --yes goes on without them"
    )


def vacuumed(place: TablePlace, lost: Mapping[str, str]) -> VersionGoneError:
    """The error of a read of a former version whose files are not there any more."""
    name = place.dataset.name
    return VersionGoneError(
        f"{name}: the version asked for cannot be read any more: {len(lost)} of its files are "
        f"gone, the first is {next(iter(lost))}; vacuum removes what no version of its retention "
        f"needs. Ask for a newer one: 'emp lake history {name}' lists them"
    )


def _held(files: pl.DataFrame) -> str:
    """What the log tells of some files: how many rows, of which symbols and sessions."""
    limits = {"min.symbol", "max.symbol", "min.session", "max.session"}
    if not limits <= set(files.columns) or files.select(pl.col(limits).is_null().any()).row(0) != (
        (False,) * len(limits)
    ):
        return ""
    low, high, first, last, rows = files.select(
        pl.col("min.symbol").min(),
        pl.col("max.symbol").max(),
        pl.col("min.session").min(),
        pl.col("max.session").max(),
        pl.col("rows").sum(),
    ).row(0)
    symbols = low if low == high else f"symbols from {low} to {high}"
    return f" (it held {rows} rows: {symbols}, sessions {first} to {last})"
