"""The vendor contract on Yahoo, against its recorded answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.vendors.yahoo.profile import PROFILE
from adapters.vendors.yahoo.vendor import YahooVendor
from market_data.basis import Adjustment, Basis, Side
from market_data.ports import FetchRequest, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.web_vendor_suite import Asking, WebCase, WebVendorContract
from tests.support.replay_server import ReplayServer, Reply, failing, too_many
from tests.support.yahoo_replay import (
    CHART,
    error_text,
    serve_minutes,
    serve_recordings,
    yahoo_on,
)

NOW = datetime(2025, 2, 20, tzinfo=UTC)


def _wanted(symbol: str, yahoo: str, asset_class: AssetClass, calendar: str) -> SymbolRequest:
    return SymbolRequest(
        Instrument(symbol=symbol, asset_class=asset_class, calendar=calendar), yahoo
    )


QQQ = _wanted("QQQ", "QQQ", AssetClass.EQUITY, "XNYS")


def _without_openings(content: bytes) -> bytes:
    answer = json.loads(content)
    for chart in answer["chart"]["result"] or []:
        for quote in chart["indicators"]["quote"]:
            quote["open"] = [None] * len(quote.get("open", []))
    return json.dumps(answer).encode()


class TestYahooVendor(WebVendorContract):
    @pytest.fixture
    def case(self, test_data: Path) -> Iterator[WebCase]:
        with ReplayServer() as server:
            serve_recordings(server, test_data)
            serve_minutes(server, "QQQ")

            def build(asking: Asking) -> YahooVendor:
                return yahoo_on(
                    server,
                    gate=asking.gate,
                    claims=PROFILE.claims(),
                    sleep=asking.sleep,
                    attempts=asking.attempts,
                    timeout=asking.timeout,
                )

            yield WebCase(
                vendor=yahoo_on(server),
                request=FetchRequest(
                    (
                        QQQ,
                        _wanted("EURUSD", "EURUSD=X", AssetClass.FX, "fx"),
                        _wanted("BTCUSD", "BTC-USD", AssetClass.CRYPTO, "24/7"),
                        _wanted("GOLD", "GC=F", AssetClass.FUTURE, "CMES"),
                    ),
                    Timeframe.D1,
                    datetime(2020, 1, 1, tzinfo=UTC),
                    datetime(2020, 1, 4, tzinfo=UTC),
                    NOW,
                ),
                empty=(datetime(2019, 5, 1, tzinfo=UTC), datetime(2019, 5, 3, tzinfo=UTC)),
                unknown=_wanted("NOSUCH", "NOSUCH", AssetClass.EQUITY, "XNYS"),
                asked=lambda: len(server.asked),
                golden={
                    "QQQ": {
                        "ts": datetime(2020, 1, 2, tzinfo=UTC),
                        "open": 214.39999389648438,
                        "close": 216.16000366210938,
                        "volume": 30969400.0,
                    },
                    "EURUSD": {
                        "ts": datetime(2020, 1, 1, tzinfo=UTC),
                        "open": 1.1220825910568237,
                        "volume": None,
                    },
                },
                bases={
                    "QQQ": Basis(Adjustment.SPLITS, unit="USD"),
                    "EURUSD": Basis(Adjustment.SPLITS, Side.MID, "USD", day="Europe/London 00:00"),
                    "BTCUSD": Basis(Adjustment.SPLITS, unit="USD"),
                    "GOLD": Basis(Adjustment.SPLITS, unit="USD"),
                },
                paged=FetchRequest(
                    (QQQ,), Timeframe.M1, NOW - timedelta(days=20), NOW - timedelta(days=2), NOW
                ),
                server=server,
                build=build,
                questions=CHART,
                spoil=_without_openings,
                claims=PROFILE.claims(),
                limited=[
                    too_many(),
                    Reply(error_text(test_data, "429_too_many_requests.txt"), 200, "text/plain"),
                ],
                unauthorised=[failing(401, b"Invalid Crumb"), failing(403)],
                troubles=[
                    (
                        Reply(error_text(test_data, "404_symbol_not_found.json"), 404),
                        Outcome.FAILED,
                    ),
                    (
                        Reply(error_text(test_data, "422_intraday_range_1m.json"), 422),
                        Outcome.UNAVAILABLE,
                    ),
                ],
            )
