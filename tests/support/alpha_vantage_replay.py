"""Alpha Vantage's recorded answers on the replay server.

What belongs here: how the recordings of daily/, intraday/ and payloads/alpha_vantage become
answers. The CSV files were kept by somebody who called the first column `datetime` and did without
the end of the last line; otherwise they are as they came. Who asks for JSON gets their rows in the
shape of the recorded JSON. What does not: assertions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.vendors.alpha_vantage.vendor import AlphaVantageVendor
from adapters.vendors.http import Patience
from tests.support.replay_server import Asked, ReplayServer, Reply

KEY = "av-key-that-nobody-may-see"
PREMIUM = (
    "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe to any of "
    "the premium plans at https://www.alphavantage.co/premium/ to instantly unlock all premium "
    "endpoints"
)
WHOLE_HISTORY = (
    "Thank you for using Alpha Vantage! The outputsize=full parameter value is a premium feature "
    "for the TIME_SERIES_DAILY endpoint. You may subscribe to any of the premium plans at "
    "https://www.alphavantage.co/premium/ to instantly unlock all premium features"
)
_PAYLOADS = {
    "FX_DAILY": "FX_DAILY_EURUSD_2026-01_2rows.json",
    "FX_INTRADAY": "FX_INTRADAY_EURUSD_5min_2026-01_2rows.json",
}


def information(words: str, key: str = "Information") -> Reply:
    """A sentence in place of data."""
    return Reply(json.dumps({key: words}).encode())


def payload(data: Path, name: str) -> bytes:
    """A recorded body, of payloads/alpha_vantage."""
    return (data / "payloads" / "alpha_vantage" / name).read_bytes()


def error(data: Path, name: str) -> Reply:
    """A recorded refusal."""
    return Reply(payload(data, f"errors/{name}"))


def recorded_csv(data: Path, symbol: str, interval: str = "") -> bytes:
    """The recorded rows of a share as CSV: daily, or of an interval of the vendor."""
    folder = f"intraday/alpha_vantage_{interval}" if interval else "daily/alpha_vantage"
    return (data / folder / f"{symbol}_{interval or 'daily'}.csv").read_bytes() + b"\n"


def as_json(csv: bytes, query: Mapping[str, str]) -> bytes:
    """A table about a share as the JSON answer to a question.

    Args:
        csv: the table.
        query: of the question; its symbol, interval and outputsize come back in the meta data.
    """
    titles, *lines = (line.split(",") for line in csv.decode().splitlines())
    named = [f"{place}. {title.replace('_', ' ')}" for place, title in enumerate(titles)][1:]
    interval = query.get("interval", "")
    said = {
        "Information": f"{interval or 'Daily'} prices and volumes",
        "Symbol": query["symbol"],
        **({"Interval": interval} if interval else {}),
        "Output Size": "Full size" if query["outputsize"] == "full" else "Compact",
        "Time Zone": "US/Eastern",
    }
    meta = {f"{place}. {name}": value for place, (name, value) in enumerate(said.items(), 1)}
    rows = {time: dict(zip(named, cells, strict=True)) for time, *cells in lines}
    name = f"Time Series ({interval or 'Daily'})"
    return json.dumps({"Meta Data": meta, name: rows}).encode()


def serve(server: ReplayServer, data: Path) -> None:
    """Every recording under its question; unknown symbols are invalid calls."""

    def answer(asked: Asked) -> Reply:
        query = asked.query
        function = query["function"]
        if function in _PAYLOADS and query["from_symbol"] == "EUR":
            return Reply(_of_size(payload(data, _PAYLOADS[function]), query["outputsize"]))
        if query.get("symbol") not in ("AAPL", "MSFT", "SPY", "TSLA"):
            kind = "intraday" if function.endswith("INTRADAY") else "daily"
            return error(data, f"error_message_invalid_call_{kind}.json")
        body = recorded_csv(data, query["symbol"], query.get("interval", ""))
        head, *lines = body.splitlines(keepends=True)
        if month := query.get("month", "").encode():
            lines = [line for line in lines if line.startswith(month)]
        elif query["outputsize"] == "compact":
            lines = lines[:100]
        return Reply(as_json(head + b"".join(lines), query))

    server.reply("/query", answer)


def _of_size(body: bytes, size: str) -> bytes:
    """The recorded rows of currencies, told as the answer to either size."""
    told = json.loads(body)
    key = next(key for key in told["Meta Data"] if key.endswith("Output Size"))
    told["Meta Data"][key] = "Full size" if size == "full" else "Compact"
    return json.dumps(told).encode()


def alpha_vantage_on(server: ReplayServer, **options: Any) -> AlphaVantageVendor:
    """A vendor that asks the server, without pauses."""
    patience = options.pop("patience", Patience(sleep=lambda _: None))
    return AlphaVantageVendor(KEY, base_url=server.url, patience=patience, **options)
