"""Exports: Spark beside a bare Spark job, Polars beside Spark, and memory over fifty million rows.

Run with `python -m benchmarks.exports`. Each engine is measured in a process of its own, as people
meet it; what takes part in memory is what the system has counted at most for that process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from adapters.clock import SystemClock
from adapters.exports.engine import Engine
from adapters.exports.polars_engine import PolarsEngine
from adapters.exports.running import Exporter
from adapters.exports.settings import SparkSettings
from adapters.exports.sources import LakeReading, LakeSource
from adapters.exports.store import ExportStore
from adapters.stores.delta_bar_store import DeltaBarStore
from benchmarks.delta_store import SYMBOLS, bars
from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from market_data.exports.jobs import bars_job
from market_data.exports.marks import Verdicts
from market_data.timeframes import Timeframe
from tests.support.exports import Decided
from tests.support.memory import peak_bytes

JOB = bars_job(Timeframe.M1)
ROUNDS = 3
COPIES = 10
"""Of the five million bars, under other symbols: fifty million."""
GIB = 1 << 30


def make_lake(root: Path, copies: int = 1) -> None:
    """Five million bars so many times."""
    frame = bars()
    first, last = frame["session"].min(), frame["session"].max()
    store = DeltaBarStore(root)
    for copy in range(copies):
        named = frame.with_columns(symbol=pl.col("symbol") + f"-{copy}")
        symbols = [f"{symbol}-{copy}" for symbol in SYMBOLS]
        store.replace(JOB.dataset, named, sessions=(first, last), symbols=symbols)  # type: ignore[arg-type]


def exporter(root: Path, engine: Engine, name: str) -> Exporter:
    store = ExportStore(root / name, timedelta(0))
    said = Verdicts(DeltaBarStore(root), Decided())
    return Exporter(store, LakeSource(str(root), said), engine, SystemClock(), "1")


def quiet(_: str) -> None:
    """Nobody hears of progress."""


def with_polars(root: Path, rounds: int) -> dict[str, Any]:
    """Seconds of exports, and the most memory."""
    made = exporter(root, PolarsEngine(), "polars")
    taken = []
    for number in range(rounds):
        begin = time.perf_counter()
        manifest = made.run(JOB, None, f"run-{number}", quiet)
        taken.append(time.perf_counter() - begin)
    return {
        "seconds": taken,
        "rows": manifest.rows,
        "digest": manifest.digest,
        "bytes": peak_bytes(),
    }


def with_spark(root: Path, rounds: int) -> dict[str, Any]:
    """Seconds until the first export is there, of exports and of bare jobs in a warm session."""
    from pyspark.sql import functions as f

    from adapters.exports.opening import start
    from adapters.exports.spark_engine import SparkEngine
    from adapters.exports.spark_reading import spark_frame

    begin = time.perf_counter()
    settings = SparkSettings(
        master="local[2]", options="spark.driver.memory=2g spark.driver.host=127.0.0.1"
    )
    session = start(settings)
    made = exporter(root, SparkEngine(settings, lambda: session), "spark")
    first = made.run(JOB, None, "first", quiet)
    cold = time.perf_counter() - begin
    bare_folder = root / "bare"

    def export() -> None:
        made.run(JOB, None, "again", quiet)

    def bare() -> None:
        shutil.rmtree(bare_folder, ignore_errors=True)
        reading = made.source.read(JOB)
        assert isinstance(reading, LakeReading)
        units = JOB.units(*(reading.held() or (None, None)))  # type: ignore[arg-type]
        frame = spark_frame(session, settings, JOB, reading, units)
        assert frame is not None
        for name, form in (("year", "yyyy"), ("month", "MM")):
            frame = frame.withColumn(name, f.date_format("session", form))
        frame.write.partitionBy("year", "month").parquet(str(bare_folder))

    times = Times()
    for number in range(rounds):
        times.turn({"export": export, "bare": bare}, backwards=bool(number % 2))
    told = {
        "cold": cold,
        "ratio": times.ratio("export", "bare"),
        "told": times.told("export", "bare"),
        "export": times.shortest("export"),
        "digest": first.digest,
        "rows": first.rows,
    }
    session.stop()
    return told


def in_process(what: str, root: Path, rounds: int) -> dict[str, Any]:
    """One of the above in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.exports", what, str(root), str(rounds)],
        env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run() -> list[Ratio]:
    """Measure; without Java nothing is."""
    from adapters.exports.spark_session import java_version

    if java_version() is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_lake(root)
        polars, spark = in_process("polars", root, ROUNDS), in_process("spark", root, ROUNDS)
        assert polars["digest"] == spark["digest"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_lake(root, COPIES)
        large = in_process("polars", root, 1)
    return found(polars, spark, large)


def found(polars: dict[str, Any], spark: dict[str, Any], large: dict[str, Any]) -> list[Ratio]:
    """The ratios."""
    fast = min(polars["seconds"])
    rate = large["rows"] / large["seconds"][0] / 1e6
    return [
        Ratio("Spark export / bare Spark job", spark["ratio"], 1.3, False, spark["told"]),
        Ratio(
            "Spark local / Polars export, 5M rows",
            spark["cold"] / polars["seconds"][0],
            4.0,
            detail=f"with its session {spark['cold']:.1f} s, warm {spark['export']:.1f} s; "
            f"Polars first {polars['seconds'][0]:.2f} s, later {fast:.2f} s",
        ),
        Ratio(
            "memory of a Polars export of 50M rows, GiB",
            large["bytes"] / GIB,
            1.0,
            False,
            f"{large['rows']:,} rows in {large['seconds'][0]:.1f} s, {rate:.1f} Mrow/s",
        ),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        step = {"polars": with_polars, "spark": with_spark}[sys.argv[1]]
        print(json.dumps(step(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        for ratio in run():
            print(ratio)
