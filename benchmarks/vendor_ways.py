"""Vendors' answers, and two ways to read them: this platform's, and `json.loads` or pandas alone.

What belongs here: the same bars as each vendor's answer, and its readers. What does not: measuring
(vendors.py).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from adapters.vendors.alpha_vantage import stamps
from adapters.vendors.alpha_vantage.answers import read_answer
from adapters.vendors.cells import TIME, read_cells
from adapters.vendors.coinbase import candles as coinbase
from adapters.vendors.fred.client import FredClient
from adapters.vendors.fred.vendor import FredVendor
from adapters.vendors.http import Answer
from adapters.vendors.oanda import candles as oanda
from adapters.vendors.yahoo.answers import read_answer as read_chart
from adapters.vendors.yahoo.chart import read_bars
from market_data.calendars import bar_starts
from market_data.ports import FetchRequest, Payload, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

MANY, DAYS = 1_000_000, 25_000
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
        most: bars of an answer: many, or as many as its vendor has.
        calendar: whose sessions its bars lie in.
        timeframe: of its bars.
        written: bars as its answer.
        ours: from bytes to FETCHED_BARS.
        naive: from bytes to a pandas frame with times in UTC, nothing checked.
    """

    vendor: str
    most: int
    written: Callable[[pl.DataFrame], bytes]
    ours: Callable[[bytes], pl.DataFrame]
    naive: Read
    calendar: str = "XNYS"
    timeframe: Timeframe = Timeframe.M1


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


def fred_bytes(bars: pl.DataFrame) -> bytes:
    """One value a day, always from the same day on."""
    first = date(1950, 1, 1)
    rows = [
        {
            "realtime_start": "2024-11-03",
            "realtime_end": "2024-11-03",
            "date": str(first + timedelta(days=place)),
            "value": str(close),
        }
        for place, close in enumerate(bars["close"])
    ]
    page = {"count": len(rows), "offset": 0, "limit": 100_000}
    return json.dumps({**page, "observations": rows}).encode()


def from_fred(content: bytes) -> pl.DataFrame:
    first = datetime(1950, 1, 1, tzinfo=UTC)
    asked = FetchRequest((SHARE,), Timeframe.D1, first, END, END)
    (found,) = FredVendor(FredClient("k" * 32)).reread([content], asked)
    return found.frame


def fred_in_pandas(content: bytes) -> Any:
    import pandas as pd

    frame = pd.DataFrame(json.loads(content)["observations"])
    value = pd.to_numeric(frame["value"])
    times = pd.DatetimeIndex(pd.to_datetime(frame["date"]), tz="UTC")
    return pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), value.array), index=times)


WAYS = (
    Way("alpha_vantage", MANY, alpha_vantage_csv, alpha_vantage, alpha_vantage_csv_in_pandas),
    Way(
        "alpha_vantage_json", MANY, alpha_vantage_json, alpha_vantage, alpha_vantage_json_in_pandas
    ),
    Way("yahoo", MANY, yahoo_bytes, yahoo, yahoo_in_pandas),
    Way("coinbase", MANY, coinbase_bytes, from_coinbase, coinbase_in_pandas),
    Way("oanda", MANY, oanda_bytes, from_oanda, oanda_in_pandas),
    Way("fred", DAYS, fred_bytes, from_fred, fred_in_pandas, "24/7", Timeframe.D1),
)
