"""One invented market, told by Yahoo, Alpha Vantage, Coinbase and OANDA in their own shapes.

A share, a currency pair and a coin, one price a day. Each vendor lacks what a test takes away, and
one of them can be made to fail at random.

What belongs here: the market and its answers. What does not: assertions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import yaml

from market_data.calendars import trading_sessions
from tests.support.replay_server import (
    Asked,
    ReplayServer,
    Reply,
    cut_off,
    failing,
    html_page,
    json_body,
    too_many,
)
from tests.support.yahoo_replay import CHART, chart, serve_basics

SHARE, PAIR, COIN = "ACME", "EURUSD", "BTCUSD"
CALENDARS = {SHARE: "XNYS", PAIR: "fx", COIN: "24/7"}
_NEW_YORK = ZoneInfo("America/New_York")
_YAHOO_ZONES = {SHARE: "America/New_York", PAIR: "Europe/London", COIN: "UTC"}
_YAHOO_NAMES = {SHARE: "ACME", PAIR: "EURUSD=X", COIN: "BTC-USD"}

UNIVERSE = {
    "first_session": date(2023, 1, 1),
    "instruments": [
        {
            "symbol": SHARE,
            "asset_class": "equity",
            "calendar": "XNYS",
            "vendor_symbols": {"yahoo": "ACME", "alpha_vantage": "ACME"},
        },
        {
            "symbol": PAIR,
            "asset_class": "fx",
            "calendar": "fx",
            "vendor_symbols": {"yahoo": "EURUSD=X", "alpha_vantage": "EUR/USD", "oanda": "EUR_USD"},
        },
        {
            "symbol": COIN,
            "asset_class": "crypto",
            "calendar": "24/7",
            "vendor_symbols": {"yahoo": "BTC-USD", "coinbase": "BTC-USD"},
        },
    ],
    "vendors": [
        {"name": "yahoo", "reader": "yahoo", "timeframes": ["1d"]},
        {"name": "alpha_vantage", "reader": "alpha_vantage", "timeframes": ["1d"]},
        {"name": "coinbase", "reader": "coinbase", "timeframes": ["1d"]},
        {"name": "oanda", "reader": "oanda", "timeframes": ["1d"]},
    ],
    "priority": {
        "default": ["yahoo", "alpha_vantage"],
        "fx": ["oanda", "yahoo", "alpha_vantage"],
        "crypto": ["coinbase", "yahoo"],
    },
}


def price(symbol: str, day: date) -> float:
    """The one price of a day; currencies move so little that any cut of the day shows the same."""
    number = day.toordinal() % 1_000
    base = {SHARE: 100 + number * 0.01, PAIR: 1.1 + number * 1e-7, COIN: 40_000 + number}
    return round(base[symbol], 7)


@dataclass
class Market:
    """The market between two days.

    Attributes:
        first: first day.
        last: last day, included.
        lacks: days that a vendor does not have, by (vendor, symbol).
        broken: the vendor that fails on every second question, at random.
        seed: of that.
    """

    first: date
    last: date
    lacks: Mapping[tuple[str, str], set[date]] = field(default_factory=dict)
    broken: str = ""
    seed: int = 7

    def days(self, vendor: str, symbol: str) -> list[date]:
        """Days of which a vendor has a bar."""
        sessions = trading_sessions(CALENDARS[symbol], self.first, self.last)["session"]
        return [d for d in sessions if d not in self.lacks.get((vendor, symbol), set())]

    def serve(self, server: ReplayServer) -> None:
        """All four vendors under their paths."""
        serve_basics(server)
        for symbol, name in _YAHOO_NAMES.items():
            server.reply(CHART + name, self._failing_sometimes("yahoo", self._chart(symbol)))
        server.reply("/query", self._failing_sometimes("alpha_vantage", self._series))
        server.reply(
            "/products/BTC-USD/candles", self._failing_sometimes("coinbase", self._coinbase)
        )
        server.reply(
            "/v3/instruments/EUR_USD/candles", self._failing_sometimes("oanda", self._oanda)
        )

    def _failing_sometimes(
        self, vendor: str, answer: Callable[[Asked], Reply]
    ) -> Callable[[Asked], Reply]:
        if vendor != self.broken:
            return answer
        chance = random.Random(self.seed)

        def sometimes(asked: Asked) -> Reply:
            good = answer(asked)
            bad = (failing(500), failing(503), html_page(), cut_off(good), too_many(retry_after=0))
            return chance.choice(bad) if chance.random() < 0.5 else good

        return sometimes

    def _chart(self, symbol: str) -> Callable[[Asked], Reply]:
        zone = ZoneInfo(_YAHOO_ZONES[symbol])

        def answer(asked: Asked) -> Reply:
            begin, end = int(asked.query["period1"]), int(asked.query["period2"])
            told = {
                int(datetime.combine(d, time(), zone).timestamp()): price(symbol, d)
                for d in self.days("yahoo", symbol)
            }
            inside = {stamp: p for stamp, p in told.items() if begin <= stamp < end}
            return json_body(chart(list(inside), list(inside.values()), zone=zone.key))

        return answer

    def _series(self, asked: Asked) -> Reply:
        if asked.query["function"] == "TIME_SERIES_DAILY":
            lines = [
                f"{d},{p},{p},{p},{p},1000"
                for d in reversed(self.days("alpha_vantage", SHARE))
                for p in (price(SHARE, d),)
            ]
            head = "timestamp,open,high,low,close,volume"
            return Reply("\r\n".join([head, *lines, ""]).encode(), content_type="text/csv")
        names = ("1. open", "2. high", "3. low", "4. close")
        return json_body(
            {
                "Meta Data": {
                    "2. From Symbol": asked.query["from_symbol"],
                    "3. To Symbol": asked.query["to_symbol"],
                    "4. Output Size": "Full size",
                    "6. Time Zone": "GMT+8",
                },
                "Time Series FX (Daily)": {
                    str(d): dict.fromkeys(names, str(price(PAIR, d)))
                    for d in reversed(self.days("alpha_vantage", PAIR))
                },
            }
        )

    def _coinbase(self, asked: Asked) -> Reply:
        first, last = (datetime.fromisoformat(asked.query[n]) for n in ("start", "end"))
        found = [
            [int(at.timestamp()), *[price(COIN, at.date())] * 4, 12.5]
            for at in (
                datetime.combine(d, time(), UTC) for d in reversed(self.days("coinbase", COIN))
            )
            if first <= at <= last
        ]
        return json_body(found)

    def _oanda(self, asked: Asked) -> Reply:
        first, last = (datetime.fromisoformat(asked.query[n]) for n in ("from", "to"))
        candles = []
        for day in self.days("oanda", PAIR):
            at = datetime.combine(day - timedelta(days=1), time(17), _NEW_YORK).astimezone(UTC)
            if first <= at < last:
                told = dict.fromkeys("ohlc", str(price(PAIR, day)))
                stamp = f"{at:%Y-%m-%dT%H:%M:%S}.000000000Z"
                candles.append({"complete": True, "volume": 9, "time": stamp, "mid": told})
        return json_body({"instrument": "EUR_USD", "granularity": "D", "candles": candles})


def universe_yaml() -> str:
    """The text of config/universe.yaml for this market."""
    return yaml.safe_dump(UNIVERSE, sort_keys=False)
