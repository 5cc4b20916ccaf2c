"""Vendors' answers on their way into the raw log, against pandas reading the same bytes.

A million bars per vendor where an answer can hold so many, otherwise its longest page, which has no
bar to hold; bars per second from payload to raw log; and the
time that this platform itself takes for a usual answer, the append to the log included. Nothing is
asked over the network. Run with `python -m benchmarks vendors`.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from adapters.stores.delta_raw_log import DeltaRawLog
from adapters.vendors.alpha_vantage import stamps
from adapters.vendors.alpha_vantage.answers import read_answer
from adapters.vendors.cells import TIME, read_cells
from adapters.vendors.coinbase import candles as coinbase
from adapters.vendors.http import Answer
from adapters.vendors.oanda import candles as oanda
from adapters.vendors.yahoo.answers import read_answer as read_chart
from adapters.vendors.yahoo.chart import read_bars
from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from market_data.calendars import bar_starts, with_session
from market_data.datasets import raw_bars
from market_data.ports import Payload, SymbolRequest
from market_data.schemas import RAW_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

MANY, FEW = 1_000_000, 390
ROUNDS, LOG_ROUNDS = 7, 3
START, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
SHARE = SymbolRequest(
    Instrument(symbol="AAPL", asset_class=AssetClass.EQUITY, calendar="XNYS"), "AAPL"
)
NEW_YORK = "America/New_York"
Read = Callable[[bytes], Any]


@dataclass(frozen=True)
class Way:
    """One vendor's bytes, and two ways to read them.

    Attributes:
        vendor: whose.
        most: bars of its longest answer.
        written: bars as its answer.
        ours: from bytes to FETCHED_BARS.
        naive: from bytes to a pandas frame with times in UTC, nothing checked.
    """

    vendor: str
    most: int
    written: Callable[[pl.DataFrame], bytes]
    ours: Callable[[bytes], pl.DataFrame]
    naive: Read


def minutes(count: int) -> pl.DataFrame:
    """One-minute bars of New York's sessions: ts, prices in cents, volume."""
    days = timedelta(days=2 * count // 390 + 10)
    first = datetime(2010, 1, 4, tzinfo=UTC).date()
    starts = bar_starts("XNYS", Timeframe.M1, first, first + days).head(count)
    number = pl.int_range(count, eager=True)
    close = 100 + (number * 7919 % 2000) / 100
    return pl.DataFrame(
        {
            "ts": starts["ts"],
            "open": close.round(2),
            "high": (close + 0.11).round(2),
            "low": (close - 0.13).round(2),
            "close": (close + 0.05).round(2),
            "volume": number * 31 % 100_000,
        }
    )


def answer(content: bytes) -> Answer:
    return Answer(200, content, Payload(content, "benchmark"))


def in_new_york(bars: pl.DataFrame) -> pl.DataFrame:
    """The bars as Alpha Vantage lists them: newest first, times of New York as text."""
    local = pl.col("ts").dt.convert_time_zone(NEW_YORK).dt.to_string("%Y-%m-%d %H:%M:%S")
    return bars.with_columns(local).rename({"ts": "timestamp"}).reverse()


def alpha_vantage_csv(bars: pl.DataFrame) -> bytes:
    return in_new_york(bars).write_csv().encode()


def alpha_vantage_json(bars: pl.DataFrame) -> bytes:
    names = ("1. open", "2. high", "3. low", "4. close", "5. volume")
    rows = {
        time: dict(zip(names, map(str, values), strict=True))
        for time, *values in in_new_york(bars).iter_rows()
    }
    meta = {"2. Symbol": "AAPL", "4. Interval": "1min", "6. Time Zone": "US/Eastern"}
    return json.dumps({"Meta Data": meta, "Time Series (1min)": rows}).encode()


def alpha_vantage(content: bytes) -> pl.DataFrame:
    cells = read_answer(answer(content)).cells
    ts = stamps.starts(cells[TIME], Timeframe.M1, NEW_YORK, week=False, label="start")
    return read_cells(cells.with_columns(ts), SHARE, START, END)[0]


def alpha_vantage_csv_in_pandas(content: bytes) -> Any:
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(content), parse_dates=["timestamp"])
    local = frame["timestamp"].dt.tz_localize(NEW_YORK)
    return frame.assign(timestamp=local.dt.tz_convert("UTC")).iloc[::-1]


def alpha_vantage_json_in_pandas(content: bytes) -> Any:
    import pandas as pd

    rows = json.loads(content)["Time Series (1min)"]
    frame = pd.DataFrame(list(rows.values())).astype(float)
    local = pd.to_datetime(list(rows)).tz_localize(NEW_YORK)
    return frame.set_index(local.tz_convert("UTC")).iloc[::-1]


def yahoo_bytes(bars: pl.DataFrame) -> bytes:
    quote = {n: bars[n].to_list() for n in ("open", "high", "low", "close", "volume")}
    chart = {
        "meta": {"currency": "USD", "exchangeTimezoneName": NEW_YORK},
        "timestamp": bars["ts"].dt.epoch("s").to_list(),
        "indicators": {"quote": [quote]},
    }
    return json.dumps({"chart": {"result": [chart], "error": None}}).encode()


def yahoo(content: bytes) -> pl.DataFrame:
    chart = read_chart(200, content)
    return read_bars(chart or {}, SHARE, Timeframe.M1, START, END)[0]


def yahoo_in_pandas(content: bytes) -> Any:
    import pandas as pd

    chart = json.loads(content)["chart"]["result"][0]
    times = pd.to_datetime(chart["timestamp"], unit="s", utc=True)
    return pd.DataFrame(chart["indicators"]["quote"][0], index=times)


def coinbase_bytes(bars: pl.DataFrame) -> bytes:
    order = ("low", "high", "open", "close", "volume")
    rows = bars.select(pl.col("ts").dt.epoch("s"), *order).reverse().rows()
    return json.dumps(rows).encode()


def from_coinbase(content: bytes) -> pl.DataFrame:
    return read_cells(coinbase.read_candles(answer(content)), SHARE, START, END)[0]


def coinbase_in_pandas(content: bytes) -> Any:
    import pandas as pd

    names = ["time", "low", "high", "open", "close", "volume"]
    frame = pd.DataFrame(json.loads(content), columns=names)
    return frame.assign(time=pd.to_datetime(frame["time"], unit="s", utc=True)).iloc[::-1]


def oanda_bytes(bars: pl.DataFrame) -> bytes:
    rows = bars.with_columns(pl.col("ts").dt.to_string("%Y-%m-%dT%H:%M:%S.000000000Z"))
    candles = [
        {
            "complete": True,
            "volume": volume,
            "time": ts,
            "mid": {"o": f"{o:.5f}", "h": f"{h:.5f}", "l": f"{low:.5f}", "c": f"{c:.5f}"},
        }
        for ts, o, h, low, c, volume in rows.iter_rows()
    ]
    return json.dumps({"instrument": "EUR_USD", "candles": candles}).encode()


def from_oanda(content: bytes) -> pl.DataFrame:
    return read_cells(oanda.read_candles(answer(content)), SHARE, START, END)[0]


def oanda_in_pandas(content: bytes) -> Any:
    import pandas as pd

    candles = json.loads(content)["candles"]
    prices = pd.DataFrame([c["mid"] for c in candles]).astype(float)
    times = pd.to_datetime([c["time"] for c in candles], utc=True)
    return prices.assign(volume=[c["volume"] for c in candles]).set_index(times)


WAYS = (
    Way("alpha_vantage", MANY, alpha_vantage_csv, alpha_vantage, alpha_vantage_csv_in_pandas),
    Way(
        "alpha_vantage_json", 9_000, alpha_vantage_json, alpha_vantage, alpha_vantage_json_in_pandas
    ),
    Way("yahoo", MANY, yahoo_bytes, yahoo, yahoo_in_pandas),
    Way("coinbase", 300, coinbase_bytes, from_coinbase, coinbase_in_pandas),
    Way("oanda", 5_000, oanda_bytes, from_oanda, oanda_in_pandas),
)


def raw(frame: pl.DataFrame, vendor: str, fetch: int) -> pl.DataFrame:
    """Fetched bars as the log takes them."""
    at = datetime(2031, 1, 1, tzinfo=UTC) + timedelta(seconds=fetch)
    return RAW_BARS.conform(
        with_session(frame, "XNYS").with_columns(
            vendor=pl.lit(vendor),
            basis=pl.lit("raw|trade|USD|regular|"),
            known_at=pl.col("ts") + timedelta(minutes=1),
            fetched_at=pl.lit(at),
            fetch_id=pl.lit(f"fetch-{fetch}"),
        )
    )


def longest(way: Way, bars: pl.DataFrame, folder: Path) -> Ratio:
    """Reading the longest answer, in turns with pandas; and bringing it to a new log.

    A page of some hundred or thousand bars takes milliseconds either way: it has no bar to hold.
    """
    content, times = way.written(bars.head(way.most)), Times()
    assert way.ours(content).height == len(way.naive(content)) == way.most
    steps = {"ours": partial(way.ours, content), "pandas": partial(way.naive, content)}
    for turn in range(ROUNDS):
        times.turn(steps, backwards=turn % 2 == 1)
    dataset = raw_bars(way.vendor, Timeframe.M1)
    for turn in range(LOG_ROUNDS):
        log = DeltaRawLog(folder / f"{way.vendor} {turn}")

        def land(log: DeltaRawLog = log) -> None:
            assert log.append(dataset, raw(way.ours(content), way.vendor, 0)).new == way.most

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
    log, dataset, times = DeltaRawLog(folder), raw_bars(way.vendor, Timeframe.M1), Times()
    count = min(FEW, way.most)
    for turn in range(8):
        content = way.written(bars.slice(turn * FEW, count))

        def land(content: bytes = content, turn: int = turn) -> None:
            frame = raw(way.ours(content), way.vendor, turn)
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
    """Measure; about a minute."""
    bars = minutes(MANY)
    with tempfile.TemporaryDirectory() as folder:
        found = [longest(way, bars, Path(folder) / "longest") for way in WAYS]
        found += [usual(way, bars, Path(folder) / way.vendor) for way in WAYS]
    return found


if __name__ == "__main__":
    for measured in run():
        print(measured)
