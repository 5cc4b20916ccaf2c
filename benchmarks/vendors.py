"""Vendors' answers on their way into the raw log, against `json.loads` and pandas.

A million bars per vendor in the form of its answers (of FRED, which has one value a day, as many as
its oldest series, and no bar to hold); bars per second
from payload to raw log; and the time that this platform itself takes for a usual answer: from
payload to raw log, and from the question over HTTP on the loopback to the ledger. Nothing is asked
over the network. Run with `python -m benchmarks vendors`.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from adapters.stores.delta_raw_log import DeltaRawLog
from benchmarks.landing import landings
from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from benchmarks.vendor_ways import MANY, WAYS, Way, minutes
from market_data.calendars import with_session
from market_data.datasets import raw_bars
from market_data.schemas import RAW_BARS

FEW = 390
ROUNDS, LOG_ROUNDS = 3, 1


def raw(frame: pl.DataFrame, way: Way, fetch: int) -> pl.DataFrame:
    """Fetched bars as the log takes them."""
    at = datetime(2031, 1, 1, tzinfo=UTC) + timedelta(seconds=fetch)
    return RAW_BARS.conform(
        with_session(frame, way.calendar).with_columns(
            vendor=pl.lit(way.vendor),
            basis=pl.lit("raw|trade|USD|regular|"),
            known_at=pl.col("ts") + timedelta(minutes=1),
            fetched_at=pl.lit(at),
            fetch_id=pl.lit(f"fetch-{fetch}"),
        )
    )


def longest(way: Way, bars: pl.DataFrame, folder: Path) -> Ratio:
    """Reading a long answer, in turns with pandas; and bringing it to a new log.

    Some vendors cut their answers at some hundred or thousand bars: their form is held all the
    same, by a body that is longer than any of them.
    """
    content, times = way.written(bars.head(way.most)), Times()
    assert way.ours(content).height == len(way.naive(content)) == way.most
    steps = {"ours": partial(way.ours, content), "pandas": partial(way.naive, content)}
    for turn in range(ROUNDS):
        times.turn(steps, backwards=turn % 2 == 1)
    dataset = raw_bars(way.vendor, way.timeframe)
    for turn in range(LOG_ROUNDS):
        log = DeltaRawLog(folder / f"{way.vendor} {turn}")

        def land(log: DeltaRawLog = log) -> None:
            assert log.append(dataset, raw(way.ours(content), way, 0)).new == way.most

        times.turn({"payload to raw log": land})
    read, kept = (way.most / times.shortest(step) for step in ("ours", "payload to raw log"))
    return Ratio(
        f"{way.vendor}: answer of {way.most:,} bars, speed of pandas",
        times.ratio("pandas", "ours"),
        1.0 if way.most == MANY else 0.0,
        detail=f"{times.told('ours', 'pandas', 'payload to raw log')}; "
        f"{read:,.0f} bars a second read, {kept:,.0f} from payload to raw log",
    )


def usual(way: Way, bars: pl.DataFrame, folder: Path) -> Ratio:
    """Our own time for a few hundred bars, append included: the next session into a kept log."""
    log, dataset, times = DeltaRawLog(folder), raw_bars(way.vendor, way.timeframe), Times()
    count = min(FEW, way.most)
    for turn in range(8):
        content = way.written(bars.slice(turn * FEW, count))

        def land(content: bytes = content, turn: int = turn) -> None:
            frame = raw(way.ours(content), way, turn)
            assert log.append(dataset, frame).new == count

        times.turn({"payload to raw log": land})
    return Ratio(
        f"{way.vendor}: usual answer of {count} bars, milliseconds to the log",
        times.shortest("payload to raw log") * 1e3,
        50.0,
        higher_is_better=False,
        detail=times.told("payload to raw log"),
    )


def run() -> list[Ratio]:
    """Measure; some minutes."""
    bars = minutes(MANY)
    with tempfile.TemporaryDirectory() as folder:
        found = [longest(way, bars, Path(folder) / "longest") for way in WAYS]
        found += [usual(way, bars, Path(folder) / way.vendor) for way in WAYS]
        found += landings(Path(folder) / "landings")
    return found


if __name__ == "__main__":
    for measured in run():
        print(measured)
