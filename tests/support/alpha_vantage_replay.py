"""Alpha Vantage's recorded answers on the replay server.

What belongs here: how the recordings of daily/, intraday/ and payloads/alpha_vantage become
answers. The CSV files were kept by somebody who called the first column `datetime`; otherwise they
are as they came. What does not: assertions.
"""

from __future__ import annotations

import json
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
    """The recorded rows of a share: daily, or of an interval of the vendor."""
    folder = f"intraday/alpha_vantage_{interval}" if interval else "daily/alpha_vantage"
    return (data / folder / f"{symbol}_{interval or 'daily'}.csv").read_bytes()


def serve(server: ReplayServer, data: Path) -> None:
    """Every recording under its question; unknown symbols are invalid calls."""

    def answer(asked: Asked) -> Reply:
        query = asked.query
        function = query["function"]
        if function in _PAYLOADS and query["from_symbol"] == "EUR":
            return Reply(payload(data, _PAYLOADS[function]))
        if query.get("symbol") not in ("AAPL", "MSFT", "SPY", "TSLA"):
            kind = "intraday" if function.endswith("INTRADAY") else "daily"
            return error(data, f"error_message_invalid_call_{kind}.json")
        body = recorded_csv(data, query["symbol"], query.get("interval", ""))
        head, *lines = body.splitlines(keepends=True)
        if month := query.get("month", "").encode():
            lines = [line for line in lines if line.startswith(month)]
        elif query["outputsize"] == "compact":
            lines = lines[:100]
        return Reply(head + b"".join(lines), content_type="application/x-download")

    server.reply("/query", answer)


def alpha_vantage_on(server: ReplayServer, **options: Any) -> AlphaVantageVendor:
    """A vendor that asks the server, without pauses."""
    patience = options.pop("patience", Patience(sleep=lambda _: None))
    return AlphaVantageVendor(KEY, base_url=server.url, patience=patience, **options)
