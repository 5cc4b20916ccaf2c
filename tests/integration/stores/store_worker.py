"""A writer process for the tests beside it: `python store_worker.py WHAT ROOT [ARGUMENTS]`.

With EMP_TEST_DIE_AT=n it kills itself at the n-th boundary of its work: before and after every
file, in the middle of a file, before and after every commit to the log.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_change import Change
from adapters.stores.delta_handle import KeptHandle
from adapters.stores.delta_mending import Mending
from adapters.stores.delta_raw_log import DeltaRawLog
from adapters.stores.delta_table import DeltaFiles
from adapters.stores.object_settings import options_of
from adapters.stores.table_files import TableFiles
from market_data.datasets import curated_bars, raw_bars
from market_data.schemas import RAW_BARS, FrameSchema
from market_data.timeframes import Timeframe

BARS = curated_bars(Timeframe.D1)
MINUTES = curated_bars(Timeframe.M1)
RAW = raw_bars("yahoo", Timeframe.M1)
SYMBOLS = [f"S{number:02d}" for number in range(3)]
SESSIONS = [date(2024, 1, 1) + timedelta(days=3 * number) for number in range(40)]


def rows(schema: FrameSchema, sessions: list[date], close: float, minutes: int = 1) -> pl.DataFrame:
    """Bars of all symbols in some sessions, every price `close`."""
    price, text = pl.lit(close), pl.lit("")
    start = pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    frame = (
        pl.DataFrame({"symbol": SYMBOLS})
        .join(pl.DataFrame({"session": sessions}), how="cross")
        .join(pl.DataFrame({"minute": range(minutes)}), how="cross")
        .with_columns(ts=start + pl.duration(hours=15, minutes="minute"))
        .with_columns(
            *(price.alias(name) for name in ("open", "high", "low", "close")),
            *(text.alias(name) for name in ("filled", "flags", "source", "rule_version")),
            *(text.alias(name) for name in ("vendor", "vendor_symbol", "basis")),
            final=pl.lit(value=True),
            dq_status=pl.lit("ok"),
            known_at=pl.col("ts"),
            fetched_at=pl.lit(datetime(2024, 9, 1)).dt.replace_time_zone("UTC"),  # noqa: DTZ001
            fetch_id=pl.lit("f1"),
        )
    )
    return schema.conform(frame).sort("symbol", "ts")


def replace_each(root: str, close: str, first: str, step: str) -> None:
    """Replace every step-th session from the first one, one call each."""
    store = DeltaBarStore(root, options_of(root))
    for day in SESSIONS[int(first) :: int(step)]:
        frame = rows(BARS.schema, [day], float(close))
        store.replace(BARS, frame, sessions=(day, day), symbols=SYMBOLS)


def replace_same(root: str, close: str, rounds: str) -> None:
    """Replace one slice over months and buckets again and again, with rising values."""
    store = DeltaBarStore(root, options_of(root))
    for number in range(int(rounds)):
        frame = rows(MINUTES.schema, SESSIONS, float(close) + number)
        store.replace(MINUTES, frame, sessions=(SESSIONS[0], SESSIONS[-1]), symbols=SYMBOLS)


PARTS = (SESSIONS[:8], SESSIONS[8:14])
"""Two slices, which meet in January; the second reaches into February."""


def replace_parts(root: str, close: str) -> None:
    """Replace each of PARTS in one call."""
    store = DeltaBarStore(root, options_of(root))
    for days in PARTS:
        frame = rows(MINUTES.schema, days, float(close))
        store.replace(MINUTES, frame, sessions=(days[0], days[-1]), symbols=SYMBOLS)


def append_fetch(root: str, go: str) -> None:
    """Append one fetch in two slices, once the starting signal is there."""
    log = DeltaRawLog(root, options_of(root))
    while not Path(go).exists():
        time.sleep(0.001)
    for days in (SESSIONS[:20], SESSIONS[20:]):
        appended = log.append(RAW, rows(RAW_BARS, days, 1.0, minutes=20))
        print(appended.new, appended.revised)


def parted(root: str) -> None:
    """A table of two years, each of several files of other tools' making, and a former version."""
    store, table = DeltaBarStore(root), DeltaFiles(root, BARS)
    for close in (1.0, 2.0):
        store.replace(BARS, rows(BARS.schema, OLD, close), sessions=SPAN, symbols=SYMBOLS)
    for day in SESSIONS[:6]:
        frame = rows(BARS.schema, [day], 3.0)

        def plan(_: object, frame: pl.DataFrame = frame) -> Change:
            return Change(["year=2024"], "append", [table.write("year=2024", frame)])

        table.change(["year=2024"], plan)


OLD = [date(2023, 5, 1) + timedelta(days=number) for number in range(5)]
SPAN = (OLD[0], OLD[-1])


def optimize(root: str) -> None:
    """Compact and checkpoint."""
    DeltaBarStore(root).table(BARS).optimize()


def append_days(root: str, first: str, step: str) -> None:
    """Append every step-th session to the raw log, each by itself: a file or two more."""
    log = DeltaRawLog(root)
    for day in SESSIONS[int(first) :: int(step)]:
        log.append(RAW, rows(RAW_BARS, [day], 1.0))


def optimize_log(root: str, until: str) -> None:
    """Compact the raw log again and again until its rows are so many."""
    log = DeltaRawLog(root)
    while log.revisions(RAW).height < int(until):
        log.table(RAW).optimize()
    print(sum(v.operation == "compact" for v in log.history(RAW)))


def vacuum(root: str) -> None:
    """Remove every file that the newest version does not need."""
    DeltaBarStore(root).table(BARS).vacuum(timedelta(0), dry_run=False, force=True)


def restore(root: str, version: str) -> None:
    """Back to a version."""
    DeltaBarStore(root).table(BARS).restore(int(version), dry_run=False)


def repair_log(root: str) -> None:
    """Mend the raw log."""
    DeltaRawLog(root).table(RAW).repair()


def die_at(boundary: int) -> None:
    """Count boundaries from here on, and die at one of them as a power cut would have it."""
    from deltalake import DeltaTable

    passed = 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed == boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def stepped(*args: Any, **kwargs: Any) -> Any:
            step()
            result = original(*args, **kwargs)
            step()
            return result

        setattr(owner, name, stepped)

    write = TableFiles.write

    def half_written(self: TableFiles, path: str, frame: pl.DataFrame) -> int:
        size = write(self, path, frame)
        if passed + 1 == boundary:
            os.truncate(self._local / path, size // 2)
        step()
        return size

    TableFiles.write = half_written
    around(DeltaFiles, "write")
    around(DeltaTable, "create_write_transaction")
    around(DeltaTable, "create_checkpoint")
    around(DeltaTable, "vacuum")
    around(KeptHandle, "ready")
    around(Mending, "_put")
    around(Path, "replace")


if __name__ == "__main__":
    if number := os.environ.get("EMP_TEST_DIE_AT"):
        die_at(int(number))
    writing = (replace_each, replace_same, replace_parts, append_fetch, append_days)
    tending = (optimize, optimize_log, vacuum, restore, repair_log)
    tasks = {f.__name__: f for f in (*writing, *tending)}
    print("ready", flush=True)
    tasks[sys.argv[1]](*sys.argv[2:])
