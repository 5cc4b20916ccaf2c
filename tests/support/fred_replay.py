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
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body

KEY = "0123456789abcdef0123456789abcdef"
DATES, ONE_RELEASE = "/fred/releases/dates", "/fred/release/dates"
OBSERVATIONS = "/fred/series/observations"
VINTAGE_DAYS = "/fred/series/vintagedates"
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


def fred_on(server: ReplayServer, key: str = KEY, **options: Any) -> FredClient:
    """A client that asks the server, without pauses unless told otherwise."""
    patience = options.pop("patience", Patience(sleep=lambda _: None))
    return FredClient(key, url=server.url, patience=patience, **options)


def turn_on(monkeypatch: pytest.MonkeyPatch, server: ReplayServer) -> None:
    """The variables by which an installation asks the server."""
    monkeypatch.setenv("FRED_API_KEY", KEY)
    monkeypatch.setenv("FRED_URL", server.url)


def refused(asked: Asked) -> Reply | None:
    """What FRED says to a wrong key."""
    if asked.query.get("api_key") == KEY:
        return None
    words = "Bad Request.  The value for variable api_key is not registered."
    return json_body({"error_code": 400, "error_message": words}, 400)


def echo(asked: Asked) -> dict[str, Any]:
    """What FRED says again of a question, with what it takes for what was not said."""
    told = {
        "realtime_start": "2024-10-30",
        "realtime_end": "2024-10-30",
        "observation_start": "1600-01-01",
        "observation_end": "9999-12-31",
        "output_type": "1",
        "sort_order": "asc",
        "limit": "1000",
        "offset": "0",
    }
    found = {name: asked.query.get(name, usual) for name, usual in told.items()}
    return found | {name: int(found[name]) for name in ("output_type", "limit", "offset")}


def answered(body: bytes, asked: Asked, **changed: Any) -> Reply:
    """A recorded answer as if it had been given to this question."""
    return json_body(json.loads(body) | echo(asked) | changed)


def too_many_vintages() -> Reply:
    """What FRED says where a real-time period holds too many days with changes."""
    words = (
        "Bad Request.  There are 2004 vintage dates in the specified real-time period. "
        "This exceeds the maximum number of vintage dates allowed (2000)."
    )
    return json_body({"error_code": 400, "error_message": words}, 400)


def page_of(asked: Asked, name: str, rows: Sequence[Any], most: int) -> Reply:
    """The page of some rows that a request asks for."""
    offset, limit = int(asked.query.get("offset", 0)), int(asked.query.get("limit", most))
    page = rows[offset : offset + min(limit, most)]
    return json_body(echo(asked) | {"count": len(rows), name: list(page)})


def serve_dates(
    server: ReplayServer, dates: Mapping[int, Sequence[str]], *, page: int = 1_000
) -> None:
    """The dates of releases, in both of FRED's forms, by pages."""
    rows = sorted(
        (
            {"release_id": number, "release_name": NAMES[number], "date": day}
            for number, days in dates.items()
            for day in days
        ),
        key=lambda row: str(row["date"]),
    )

    def answer(asked: Asked) -> Reply:
        first, last = asked.query["realtime_start"], asked.query["realtime_end"]
        wanted = [r for r in rows if first <= str(r["date"]) <= last]
        if number := asked.query.get("release_id"):
            wanted = [
                {"release_id": r["release_id"], "date": r["date"]}
                for r in wanted
                if str(r["release_id"]) == number
            ]
        return refused(asked) or page_of(asked, "release_dates", wanted, page)

    server.reply(DATES, answer)
    server.reply(ONE_RELEASE, answer)


def serve_vintages(
    server: ReplayServer,
    series: str,
    vintages: Sequence[Vintage],
    *,
    page: int = 100_000,
    most_days: int = 2_000,
) -> None:
    """A series with its vintages, as of any real-time period, by pages, and the days of these.

    As FRED does, a value's first day is cut off where the period that was asked for begins later,
    and a request that names no period is answered as of today.
    """

    def answer(asked: Asked) -> Reply:
        query = asked.query
        since = query.get("realtime_start", "9999-12-31")
        until = query.get("realtime_end", "9999-12-31")
        newest: dict[str, Vintage] = {}
        told: list[Vintage] = []
        for seen, period, value in sorted(vintages):
            if seen <= since:
                newest[period] = (since, period, value)
            elif seen <= until:
                told.append((seen, period, value))
        if len({seen for seen, *_ in told}) > most_days:
            return too_many_vintages()
        told += newest.values()
        low, high = query.get("observation_start", ""), query.get("observation_end", "9999")
        rows = [
            {"realtime_start": seen, "realtime_end": until, "date": period, "value": value}
            for seen, period, value in sorted(told, key=lambda v: (v[1], v[0]))
            if low <= period <= high
        ]
        return refused(asked) or page_of(asked, "observations", rows, page)

    def days(asked: Asked) -> Reply:
        since = asked.query["realtime_start"]
        found = sorted({seen for seen, *_ in vintages if seen >= since})
        return refused(asked) or page_of(asked, "vintage_dates", found, page)

    server.reply(OBSERVATIONS, answer, series_id=series)
    server.reply(VINTAGE_DAYS, days, series_id=series)


def observations_of(vintages: Sequence[Vintage]) -> dict[str, Any]:
    """An answer with all of some vintages."""
    rows = [
        {"realtime_start": seen, "realtime_end": "9999-12-31", "date": period, "value": value}
        for seen, period, value in vintages
    ]
    return {"count": len(rows), "observations": rows}


def serve_nothing(server: ReplayServer) -> None:
    """Every series without a value, every release without a date."""
    for path, name in (
        (OBSERVATIONS, "observations"),
        (DATES, "release_dates"),
        (ONE_RELEASE, "release_dates"),
    ):
        server.reply(path, lambda asked, name=name: refused(asked) or page_of(asked, name, [], 1))  # type: ignore[misc]


def as_vintages(body: bytes) -> list[Vintage]:
    """The rows of a recorded answer with observations."""
    return [(r["realtime_start"], r["date"], r["value"]) for r in json.loads(body)["observations"]]


def daily_values(data: Path, name: str) -> list[Vintage]:
    """A daily series of the real data, as if each value had been given on its own day."""
    lines = gzip.decompress((data / "daily" / "index_and_fred" / name).read_bytes()).decode()
    found = []
    for line in lines.splitlines()[1:]:
        text, value = line.split(",")
        month, number, year = text.split("/")
        day = f"{year}-{int(month):02}-{int(number):02}"
        found.append((day, day, value))
    return found
