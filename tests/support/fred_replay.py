"""FRED on the replay server: recorded answers, and small invented ones in their form.

What belongs here: rows to routes. What does not: assertions.

    with ReplayServer() as server:
        serve_dates(server, {53: ["2024-07-25", "2024-08-29"]})
        serve_vintages(server, "GDP", [("2024-07-25", "2024-04-01", "28629.153")])
        source = FredSource(fred_on(server), {})
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.vendors.fred.client import FredClient
from adapters.vendors.http import Patience
from tests.support.replay_server import ReplayServer, Reply, json_body

KEY = "0123456789abcdef0123456789abcdef"
DATES, ONE_RELEASE = "/fred/releases/dates", "/fred/release/dates"
OBSERVATIONS = "/fred/series/observations"
NAMES = {
    10: "Consumer Price Index",
    50: "Employment Situation",
    53: "Gross Domestic Product",
    180: "Unemployment Insurance Weekly Claims Report",
}

Vintage = tuple[str, str, str]
"""First day of the value, period, value as text."""


def recorded(data: Path, name: str) -> bytes:
    """The body of a recorded answer."""
    path = data / "payloads" / "fred" / "20241103" / name
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def error(data: Path, name: str) -> Reply:
    """A recorded refusal."""
    body = (data / "payloads" / "fred" / "errors" / name).read_bytes()
    return Reply(body, 400, "text/xml" if name.endswith("xml") else "application/json")


def fred_on(server: ReplayServer, **patience: Any) -> FredClient:
    """A client that asks the server, without pauses."""
    waits: list[float] = patience.pop("waits", [])
    return FredClient(KEY, url=server.url, patience=Patience(sleep=waits.append, **patience))


def turn_on(monkeypatch: pytest.MonkeyPatch, server: ReplayServer) -> None:
    """The variables by which an installation asks the server."""
    monkeypatch.setenv("FRED_API_KEY", KEY)
    monkeypatch.setenv("FRED_URL", server.url)


def dates_body(rows: Sequence[Mapping[str, Any]], count: int | None = None) -> dict[str, Any]:
    """An answer about dates."""
    return {"count": len(rows) if count is None else count, "release_dates": list(rows)}


def serve_dates(server: ReplayServer, dates: Mapping[int, Sequence[str]]) -> None:
    """The dates of releases, in both of FRED's forms."""
    rows = [
        {"release_id": number, "release_name": NAMES[number], "date": day}
        for number, days in dates.items()
        for day in days
    ]
    server.reply(ONE_RELEASE, json_body(dates_body([])))
    server.reply(DATES, json_body(dates_body(sorted(rows, key=lambda r: str(r["date"])))))
    for number in dates:
        own = [{"release_id": r["release_id"], "date": r["date"]} for r in rows]
        wanted = [r for r in own if r["release_id"] == number]
        server.reply(ONE_RELEASE, json_body(dates_body(wanted)), release_id=str(number))


def observations_body(vintages: Sequence[Vintage], count: int | None = None) -> dict[str, Any]:
    """An answer with vintages."""
    rows = [
        {"realtime_start": seen, "realtime_end": "9999-12-31", "date": period, "value": value}
        for seen, period, value in vintages
    ]
    return {"count": len(rows) if count is None else count, "observations": rows}


def serve_vintages(server: ReplayServer, series: str, vintages: Sequence[Vintage]) -> None:
    """The vintages of a series."""
    server.reply(OBSERVATIONS, json_body(observations_body(vintages)), series_id=series)


def serve_nothing(server: ReplayServer) -> None:
    """Every series without a value, every release without a date."""
    server.reply(OBSERVATIONS, json_body(observations_body([])))
    server.reply(DATES, json_body(dates_body([])))
    server.reply(ONE_RELEASE, json_body(dates_body([])))


def as_vintages(body: bytes) -> list[Vintage]:
    """The rows of a recorded answer with observations."""
    return [(r["realtime_start"], r["date"], r["value"]) for r in json.loads(body)["observations"]]
