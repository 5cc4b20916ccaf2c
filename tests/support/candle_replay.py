"""Coinbase and OANDA on the replay server, in the shapes that they document.

Nobody recorded their answers. These are made of the real bars of crypto_1m_coinbase,
daily/crypto_coinbase, fx_1m_oanda and fx_1h_oanda: who asks for a range gets the candles of that
range, in the order, with the limits and the words of refusal of the real service.

What belongs here: real bars as candles. What does not: assertions.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.vendors.coinbase.vendor import CoinbaseVendor
from adapters.vendors.http import Patience
from adapters.vendors.oanda.vendor import OandaVendor
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body

TOKEN = "oanda-token-that-nobody-may-see"
PRODUCTS = "/products/"
INSTRUMENTS = "/v3/instruments/"
_NEW_YORK = ZoneInfo("America/New_York")
_GRANULARITIES = {
    "M1": 60,
    "M5": 300,
    "M15": 900,
    "M30": 1_800,
    "H1": 3600,
    "H4": 14_400,
    "D": 86_400,
}
Bar = tuple[int, list[float]]
"""Start in seconds since 1970, and numbers as the file has them."""


def _lines(path: Path) -> Iterator[list[str]]:
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as content:
        for line in content.read().decode().splitlines():
            yield line.split(",")


@cache
def _minutes(folder: Path) -> list[Bar]:
    """Bars of one zip per day, whose times are milliseconds of the day in UTC."""
    bars = []
    for path in sorted(folder.iterdir()):
        day = datetime.strptime(path.name[:8], "%Y%m%d").replace(tzinfo=UTC)
        for time, *numbers in _lines(path):
            bars.append((int(day.timestamp()) + int(time) // 1000, [float(n) for n in numbers]))
    return bars


@cache
def _stamped(path: Path) -> list[Bar]:
    """Bars of one zip with whole times in UTC."""
    return [
        (
            int(datetime.strptime(time, "%Y%m%d %H:%M").replace(tzinfo=UTC).timestamp()),
            [float(n) for n in numbers],
        )
        for time, *numbers in _lines(path)
    ]


def serve_coinbase(server: ReplayServer, data: Path) -> None:
    """Candles of BTC-USD: minutes and days; no other product is known."""

    def candles(asked: Asked) -> Reply:
        step = int(asked.query["granularity"])
        first, last = (
            datetime.fromisoformat(asked.query[name]).timestamp() for name in ("start", "end")
        )
        if (last - first) / step > 300:
            words = "granularity too small for the requested time range. Count of aggregations"
            return json_body({"message": f"{words} requested exceeds 300"}, 400)
        bars = (
            _minutes(data / "intraday" / "crypto_1m_coinbase" / "btcusd")
            if step == 60
            else _stamped(data / "daily" / "crypto_coinbase" / "btcusd_trade.zip")
        )
        found = [
            [start, low, high, opened, close, volume]
            for start, (opened, high, low, close, volume) in bars
            if first <= start <= last
        ]
        return json_body(found[::-1])

    server.reply(f"{PRODUCTS}BTC-USD/candles", candles)
    server.reply(f"{PRODUCTS}NO-SUCH/candles", json_body({"message": "NotFound"}, 404))


def serve_oanda(server: ReplayServer, data: Path, now: datetime) -> None:
    """Candles of EUR_USD: minutes, hours, and New York's days made of hours."""

    def candles(asked: Asked) -> Reply:
        query = asked.query
        first, last = (datetime.fromisoformat(query[name]) for name in ("from", "to"))
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return json_body({"errorMessage": "Insufficient authorization"}, 401)
        if last > now:
            words = "Invalid value specified for 'to'. Time is in the future"
            return json_body({"errorMessage": words}, 400)
        if (last - first).total_seconds() / _GRANULARITIES[query["granularity"]] > 5000:
            return json_body({"errorMessage": "Maximum value for 'count' exceeded"}, 400)
        bars = _oanda_bars(data, query["granularity"])
        found = [
            {
                "complete": True,
                "volume": 7,
                "time": f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%M:%S}.000000000Z",
                "mid": dict(zip("ohlc", (f"{price:.6f}" for price in prices), strict=True)),
            }
            for start, prices in bars
            if first.timestamp() <= start < last.timestamp()
        ]
        return json_body(
            {"instrument": "EUR_USD", "granularity": query["granularity"], "candles": found}
        )

    unknown = {"errorMessage": "Invalid value specified for 'instrument'"}
    server.reply(f"{INSTRUMENTS}EUR_USD/candles", candles)
    server.reply(f"{INSTRUMENTS}NO_SUC/candles", json_body(unknown, 400))


@cache
def _oanda_bars(data: Path, granularity: str) -> list[Bar]:
    """Mid prices: open, high, low, close."""
    if granularity == "M1":
        quoted = _minutes(data / "intraday" / "fx_1m_oanda" / "eurusd")
    else:
        quoted = _stamped(data / "intraday" / "fx_1h_oanda" / "eurusd.zip")
    mids = [(start, [(n[i] + n[i + 5]) / 2 for i in range(4)]) for start, n in quoted]
    return _days(mids) if granularity == "D" else mids


def _days(hours: list[Bar]) -> list[Bar]:
    """Bars from 17:00 to 17:00 in New York."""
    days: dict[int, list[float]] = {}
    for start, (opened, high, low, close) in hours:
        local = datetime.fromtimestamp(start, _NEW_YORK)
        rolled = (local.replace(tzinfo=None) - timedelta(hours=17)).date()
        begin = int(
            datetime(rolled.year, rolled.month, rolled.day, 17, tzinfo=_NEW_YORK).timestamp()
        )
        known = days.setdefault(begin, [opened, high, low, close])
        days[begin] = [known[0], max(known[1], high), min(known[2], low), close]
    return sorted(days.items())


def coinbase_on(server: ReplayServer, **options: object) -> CoinbaseVendor:
    """A vendor that asks the server, without pauses."""
    options = {"patience": Patience(sleep=lambda _: None), **options}
    return CoinbaseVendor(base_url=server.url, **options)  # type: ignore[arg-type]


def oanda_on(server: ReplayServer, **options: object) -> OandaVendor:
    """A vendor that asks the server, without pauses."""
    options = {"patience": Patience(sleep=lambda _: None), **options}
    return OandaVendor(TOKEN, base_url=server.url, **options)  # type: ignore[arg-type]
