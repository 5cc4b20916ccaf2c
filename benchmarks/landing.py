"""Our own time for a usual answer, from the question to the ledger.

Some hundred daily bars of each vendor, planned, fetched over HTTP from a server on the loopback,
read, kept in the archive, appended to the raw log, told to ledger and journal. What the server
takes to hand the same answers to somebody who does nothing with them is taken off. Nothing is asked
over the network. Part of `python -m benchmarks vendors`.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import yaml

from adapters.backend import open_platform
from adapters.clock import FixedClock
from adapters.settings import PROJECT, Settings
from benchmarks.delta_store import seconds
from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.pipeline.platform import Platform
from market_data.ports import Vendor
from market_data.timeframes import Timeframe
from tests.support import fred_replay
from tests.support.alpha_vantage_replay import alpha_vantage_on, as_json
from tests.support.candle_replay import coinbase_on, oanda_on
from tests.support.four_vendors import COIN, PAIR, SHARE, UNIVERSE, Market, price
from tests.support.replay_server import Asked, ReplayServer, Reply
from tests.support.yahoo_replay import yahoo_on

MOST_MILLISECONDS = 50.0
TURNS = 8
FIRST = date(2008, 1, 1)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SERIES = "SP500"


@dataclass(frozen=True)
class Speaker:
    """A vendor on the loopback.

    Attributes:
        name: in the universe.
        symbol: that it is asked for.
        days: length of a question.
        on: makes the vendor that asks a server.
    """

    name: str
    symbol: str
    days: int
    on: Callable[[ReplayServer], Vendor]


def _fred_on(server: ReplayServer) -> Vendor:
    from adapters.vendors.fred.vendor import FredVendor

    return FredVendor(fred_replay.fred_on(server))


SPEAKERS = (
    Speaker("alpha_vantage", SHARE, 365, alpha_vantage_on),
    Speaker("yahoo", SHARE, 365, yahoo_on),
    Speaker("coinbase", COIN, 300, coinbase_on),
    Speaker("oanda", PAIR, 365, oanda_on),
    Speaker("fred", SHARE, 365, _fred_on),
)


def _serve(server: ReplayServer, first: date, last: date) -> None:
    """A year of every vendor."""
    market = Market(first, last)
    market.serve(server)

    def series(asked: Asked) -> Reply:
        told = ((d, price(SHARE, d)) for d in reversed(market.days("alpha_vantage", SHARE)))
        lines = [f"{d},{p},{p},{p},{p},1000" for d, p in told]
        table = "\n".join(["timestamp,open,high,low,close,volume", *lines, ""])
        return Reply(as_json(table.encode(), asked.query))

    server.reply("/query", series)
    values = [(str(d), str(d), f"{price(SHARE, d)}") for d in market.days("fred", SHARE)]
    fred_replay.serve_vintages(server, SERIES, values)


def usual(speaker: Speaker, folder: Path, configuration: Path) -> Ratio:
    """The time of a question, the next year's each time, into stores that are kept."""
    platform = _platform(folder / speaker.name, configuration)
    rehearsal = _platform(folder / f"{speaker.name} rehearsal", configuration)
    times, rows = Times(), 0
    for turn in range(TURNS):
        first = date(FIRST.year + turn, 1, 2)
        last = first + timedelta(days=speaker.days - 2)
        request = IngestRequest(speaker.name, Timeframe.D1, (speaker.symbol,), first, last)
        with ReplayServer() as server:
            _serve(server, first, last)
            server.remember()
            vendor = speaker.on(server)
            ingest(rehearsal, request, vendor)

            def land(vendor: Vendor = vendor, request: IngestRequest = request) -> None:
                nonlocal rows
                report = ingest(platform, request, vendor)
                assert not report.errors, report.errors
                rows = report.new_rows

            before, took = len(server.asked), seconds(land)
            again = partial(_ask_again, server, server.asked[before:])
            served = min(seconds(again) for _ in range(3))
            times.add("served", served)
            times.add("own", took - served)
        assert rows > 180
    return Ratio(
        f"{speaker.name}: usual answer of {rows} bars, milliseconds from question to ledger",
        times.shortest("own") * 1e3,
        MOST_MILLISECONDS,
        higher_is_better=False,
        detail=times.told("own", "served"),
    )


def _ask_again(server: ReplayServer, questions: Sequence[Asked]) -> None:
    """Put the same questions, and read the answers to their end."""
    for asked in questions:
        connection = HTTPConnection(urlsplit(server.url).netloc)
        connection.request("GET", f"{quote(asked.path)}?{urlencode(asked.query)}")
        connection.getresponse().read()
        connection.close()


def _configuration(folder: Path) -> Path:
    """The market's universe with FRED in it, and the platform's own rules."""
    shutil.copytree(PROJECT / "config", folder)
    universe: dict[str, Any] = copy.deepcopy(UNIVERSE)
    universe["first_session"] = FIRST
    universe["instruments"][0]["vendor_symbols"]["fred"] = SERIES
    universe["vendors"].append({"name": "fred", "reader": "fred", "timeframes": ["1d"]})
    (folder / "universe.yaml").write_text(yaml.safe_dump(universe))
    return folder


def _platform(folder: Path, configuration: Path) -> Platform:
    settings = Settings(data_dir=folder, config_dir=configuration)
    return open_platform(settings, clock=FixedClock(NOW))


def landings(folder: Path) -> list[Ratio]:
    """All vendors, into one installation."""
    configuration = _configuration(folder / "config")
    return [usual(speaker, folder, configuration) for speaker in SPEAKERS]
