"""Yahoo's recorded answers on the replay server.

What belongs here: how the recordings of payloads/yahoo become routes, and small invented charts.
What does not: assertions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from adapters.vendors.yahoo.vendor import YahooVendor
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body

CHART = "/v8/finance/chart/"

RECORDINGS = {
    "AAPL": "chart-AAPL-2020-08-31-to-2020-11-07.json",
    "EURUSD=X": "chart-EURUSD=X-2020-01-01-to-2020-01-03.json",
    "OCDO.L": "chart-OCDO.L-2020-01-01-to-2020-01-03.json",
    "BTC-USD": "chart-BTC-USD-2020-01-01-to-2020-01-03.json",
    "GC=F": "chart-GC=F-2020-01-01-to-2020-01-03.json",
    "QQQ": "chart-QQQ-2020-01-01-to-2020-01-03.json",
    "MSFT": "historical-via-chart-MSFT-dividends-2021-02-01-to-2022-01-31.csv.json",
}
EMPTY_1M = "chart-AAPL-2025-02-01-to-2025-02-02-includePrePost-false-interval-1m.json"


def recorded(data: Path, name: str) -> dict[str, Any]:
    """The body of a recorded answer."""
    text = (data / "payloads" / "yahoo" / name).read_text(encoding="utf-8")
    body: dict[str, Any] = json.loads(text)["response"]["bodyJson"]
    return body


def error_text(data: Path, name: str) -> bytes:
    """The body of an error."""
    return (data / "payloads" / "yahoo" / "errors" / name).read_bytes()


def without_bars(body: dict[str, Any]) -> dict[str, Any]:
    """The same answer for a range without bars and events."""
    bare = deepcopy(body)
    result = bare["chart"]["result"][0]
    result.pop("timestamp", None)
    result.pop("events", None)
    result["indicators"] = {"quote": [{}]}
    return bare


def chart(
    stamps: Sequence[int],
    closes: Sequence[float | None],
    *,
    zone: str = "America/New_York",
    currency: str = "USD",
    events: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An invented answer whose bars are flat at their close."""
    quote = {name: list(closes) for name in ("open", "high", "low", "close")}
    quote["volume"] = [None if c is None else 100 for c in closes]
    result: dict[str, Any] = {
        "meta": {"currency": currency, "exchangeTimezoneName": zone},
        "timestamp": list(stamps),
        "indicators": {"quote": [quote]},
    }
    if events:
        result["events"] = events
    return {"chart": {"result": [result], "error": None}}


def serve_basics(server: ReplayServer) -> None:
    """What yfinance asks before it asks for a chart."""
    server.reply("/", Reply(b"", content_type="text/html"))
    server.reply("/v1/test/getcrumb", Reply(b"a-crumb", content_type="text/plain"))


def serve_minutes(server: ReplayServer, symbol: str, *, every: int = 3600) -> None:
    """One-minute bars of any range, one in so many seconds; each price tells its time."""

    def minutes(asked: Asked) -> Reply:
        start, end = int(asked.query["period1"]), int(asked.query["period2"])
        stamps = range(start + -start % every, end, every)
        return json_body(chart(stamps, [stamp / 1e6 for stamp in stamps]))

    server.reply(CHART + symbol, minutes, interval="1m")


def serve_recordings(server: ReplayServer, data: Path) -> None:
    """Every recording at its symbol; no events after its range."""
    serve_basics(server)
    for symbol, name in RECORDINGS.items():
        body = recorded(data, name)
        server.reply(CHART + symbol, json_body(body), interval="1d")
        server.reply(CHART + symbol, json_body(without_bars(body)), interval="1mo")
    missing = error_text(data, "404_symbol_not_found.json")
    server.reply(CHART + "NOSUCH", Reply(missing, 404))


def yahoo_on(server: ReplayServer, **options: Any) -> YahooVendor:
    """A vendor that asks the server, without pauses; `waits` collects those it would make."""
    waits: list[float] = options.pop("waits", [])
    return YahooVendor(
        **{"base_url": server.url, "min_interval": 0.0, "sleep": waits.append, **options}
    )
