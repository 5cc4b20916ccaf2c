"""The embedded store against plain Parquet: five million bars in, a symbol's year out.

Run with `python -m benchmarks.delta_store`.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from adapters.stores.delta_bar_store import DeltaBarStore
from benchmarks.ratio import Ratio
from market_data.datasets import curated_bars
from market_data.timeframes import Timeframe

MINUTES = curated_bars(Timeframe.M1)
SYMBOLS = [f"S{number:03d}" for number in range(50)]
BARS = 100_000
PER_SESSION = 390
ROW_GROUP = 16_384
WRITERS, SLICES = 4, 24


def bars(symbols: list[str] = SYMBOLS, count: int = BARS) -> pl.DataFrame:
    """Random walks with prices in cents, sorted by (symbol, ts)."""
    number = pl.int_range(count, eager=True)
    days = pl.date_range(date(2024, 1, 1), date(2026, 1, 1), eager=True)
    weekdays = days.filter(days.dt.weekday() <= 5)
    session = weekdays.gather(number // PER_SESSION)
    start = session.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    frames = []
    for seed, symbol in enumerate(symbols):
        noise = number.sample(count, shuffle=True, seed=seed)
        close = (100 + ((noise % 21) - 10).cum_sum() / 1000).round(2)
        frames.append(
            pl.DataFrame(
                {"session": session, "start": start, "n": number % PER_SESSION}
            ).with_columns(
                symbol=pl.lit(symbol),
                ts=pl.col("start") + pl.duration(minutes=pl.col("n") + 870),
                open=close.shift(1, fill_value=100.0),
                high=close + 0.05,
                low=close - 0.05,
                close=close,
                volume=(noise % 5000).cast(pl.Float64),
                vwap=close + 0.01,
                trades=noise % 300,
                source=pl.lit("yahoo"),
                filled=pl.lit(""),
                final=pl.lit(value=True),
                dq_status=pl.lit("ok"),
                flags=pl.lit(""),
                rule_version=pl.lit("1"),
            )
        )
    return MINUTES.schema.conform(pl.concat(frames, rechunk=True))


def seconds(step: Callable[[], object]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def write_hive(frame: pl.DataFrame, folder: Path) -> None:
    """The best plain layout: a file per month, sorted, small row groups."""
    months = frame.with_columns(month=pl.col("session").dt.strftime("%Y-%m"))
    for key, part in months.partition_by("month", as_dict=True, include_key=False).items():
        target = folder / f"month={key[0]}" / "0.parquet"
        target.parent.mkdir(parents=True)
        part.write_parquet(target, compression="zstd", row_group_size=ROW_GROUP)


def write_ratio(frame: pl.DataFrame, folder: Path, rounds: int = 3) -> Ratio:
    """First load into an empty store against one plain zstd file, in turns."""
    sessions, plain, store = (frame["session"].min(), frame["session"].max()), [], []

    def load(lake: DeltaBarStore) -> None:
        lake.replace(MINUTES, frame, sessions=sessions, symbols=SYMBOLS)

    for number in range(rounds):
        plain.append(seconds(lambda: frame.write_parquet(folder / "one.parquet")))
        store.append(seconds(partial(load, DeltaBarStore(folder / f"lake{number}"))))
    fast, slow = statistics.median(plain), statistics.median(store)
    return Ratio(
        "Delta first load, speed of one zstd Parquet write",
        fast / slow,
        0.45,
        detail=f"{frame.height} rows: {slow:.2f} s against {fast:.2f} s",
    )


def read_ratio(frame: pl.DataFrame, lake: DeltaBarStore, folder: Path, rounds: int = 15) -> Ratio:
    """One symbol's year from the store against the best plain layout, in turns."""
    write_hive(frame, folder / "hive")
    pattern = str(folder / "hive" / "**" / "*.parquet")

    def plain() -> pl.DataFrame:
        return pl.scan_parquet(pattern).filter(pl.col("symbol") == "S007").collect()

    def store() -> pl.DataFrame:
        return lake.scan(MINUTES, symbols=["S007"])

    assert plain().height == store().height == BARS
    times = [(seconds(plain), seconds(store)) for _ in range(rounds)]
    fast, slow = (statistics.median(column) for column in zip(*times, strict=True))
    return Ratio(
        "Delta symbol-year read, time of the best hive Parquet",
        slow / fast,
        1.3,
        higher_is_better=False,
        detail=f"{BARS} rows: {slow * 1e3:.1f} ms against {fast * 1e3:.1f} ms",
    )


def _replace_slices(root: str, writer: int) -> None:
    store = DeltaBarStore(root)
    first = date(2024, 1, 1)
    frame = bars([f"W{writer}"], PER_SESSION * 260)
    for number in range(SLICES):
        days = (first + timedelta(days=15 * number), first + timedelta(days=15 * number + 14))
        part = frame.filter(pl.col("session").is_between(*days))
        store.replace(MINUTES, part, sessions=days, symbols=[f"W{writer}"])


def concurrency_ratio(folder: Path) -> Ratio:
    """Disjoint slices by several processes: rows kept of rows written, no conflict raised."""
    context = multiprocessing.get_context("spawn")
    root = str(folder / "shared")
    workers = [
        context.Process(target=_replace_slices, args=(root, number)) for number in range(WRITERS)
    ]
    took = seconds(lambda: ([w.start() for w in workers], [w.join() for w in workers]))
    failed = sum(worker.exitcode != 0 for worker in workers)
    last = date(2024, 1, 1) + timedelta(days=15 * SLICES - 1)
    expected = bars(["W0"], PER_SESSION * 260).filter(pl.col("session") <= last).height * WRITERS
    kept = DeltaBarStore(root).scan(MINUTES, columns=["symbol", "ts"]).unique().height
    return Ratio(
        "Delta rows kept of four writers' disjoint slices",
        0.0 if failed else kept / expected,
        1.0,
        detail=f"{WRITERS} x {SLICES} replaces in {took:.1f} s, {failed} writers failed, "
        f"{kept} of {expected} rows",
    )


def run() -> list[Ratio]:
    """All three, in a temporary folder of about a gigabyte."""
    with tempfile.TemporaryDirectory() as name:
        folder, frame = Path(name), bars()
        written = write_ratio(frame, folder)
        read = read_ratio(frame, DeltaBarStore(folder / "lake0"), folder)
        return [written, read, concurrency_ratio(folder)]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
