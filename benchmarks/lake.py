"""The lake before and after `optimize`: one symbol's year out of a table that grew day by day.

Run with `python -m benchmarks.lake`. The table is what a foreign tool leaves that appends a file
per session and symbol bucket, its rows by time and not by symbol; the engine's z-order of the same
table stands beside ours.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path

import polars as pl

from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_change import Change
from adapters.stores.delta_table import DeltaFiles
from adapters.stores.units import split
from benchmarks.delta_store import BARS, MINUTES, PER_SESSION, bars, seconds
from benchmarks.ratio import Ratio
from market_data.ports.lake import Tended

SYMBOLS = [f"S{number:03d}" for number in range(16)]
ROUNDS = 9


def grown(root: Path) -> None:
    """A file per session and bucket, by time; one commit per month, as the time of reading asks."""
    table = DeltaFiles(root, MINUTES)
    frame = (
        bars(SYMBOLS).sort("ts", "symbol").with_columns(month=pl.col("session").dt.month_start())
    )
    for month in frame.partition_by("month", maintain_order=True, include_key=False):
        units = split(MINUTES.layout, month)

        def plan(_: object, units: dict[str, pl.DataFrame] = units) -> Change:
            days = [
                (unit, day)
                for unit, rows in units.items()
                for day in rows.partition_by("session", maintain_order=True)
            ]
            return Change(list(units), "append", [table.write(unit, day) for unit, day in days])

        table.change(list(units), plan)


def year(root: Path) -> float:
    """Median seconds of reading one symbol's year."""
    store = DeltaBarStore(root)

    def read() -> None:
        found = store.scan(MINUTES, symbols=["S007"])
        assert found.height == BARS

    read()
    return statistics.median(seconds(read) for _ in range(ROUNDS))


def run() -> list[Ratio]:
    """Before against after, and z-order against after; a temporary folder of half a gigabyte."""
    from deltalake import WriterProperties

    with tempfile.TemporaryDirectory() as name:
        root, other = Path(name) / "lake", Path(name) / "zorder"
        grown(root)
        shutil.copytree(root, other)
        before = year(root)
        tended: list[Tended] = []
        took = seconds(lambda: tended.append(DeltaBarStore(root).table(MINUTES).optimize()))
        after = year(root)
        zorder = DeltaFiles(other, MINUTES).opened()
        properties = WriterProperties(compression="ZSTD", max_row_group_size=16_384)
        ordering = seconds(
            lambda: zorder.optimize.z_order(["symbol", "ts"], writer_properties=properties)
        )
        ordered = year(other)
    files = f"{tended[0].before.files} files to {tended[0].after.files}"
    return [
        Ratio(
            "Symbol-year read before optimize, times of after",
            before / after,
            2.0,
            detail=f"{BARS} rows of {BARS * len(SYMBOLS)}, {PER_SESSION} a session, {files} in "
            f"{took:.1f} s: {before * 1e3:.1f} ms against {after * 1e3:.1f} ms",
        ),
        Ratio(
            "Symbol-year read after the engine's z-order, times of after optimize",
            ordered / after,
            1.0,
            detail=f"z-order took {ordering:.1f} s: {ordered * 1e3:.1f} ms against "
            f"{after * 1e3:.1f} ms",
        ),
    ]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
