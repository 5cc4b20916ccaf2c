"""The vendor contract on Yahoo, against its recorded answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from market_data.ports import FetchRequest, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.vendor_suite import VendorCase, VendorContract
from tests.support.replay_server import ReplayServer
from tests.support.yahoo_replay import serve_recordings, yahoo_on


def _wanted(symbol: str, yahoo: str, asset_class: AssetClass, calendar: str) -> SymbolRequest:
    return SymbolRequest(
        Instrument(symbol=symbol, asset_class=asset_class, calendar=calendar), yahoo
    )


class TestYahooVendor(VendorContract):
    @pytest.fixture
    def case(self, test_data: Path) -> Iterator[VendorCase]:
        with ReplayServer() as server:
            serve_recordings(server, test_data)
            yield VendorCase(
                vendor=yahoo_on(server),
                request=FetchRequest(
                    (
                        _wanted("QQQ", "QQQ", AssetClass.EQUITY, "XNYS"),
                        _wanted("EURUSD", "EURUSD=X", AssetClass.FX, "fx"),
                        _wanted("BTCUSD", "BTC-USD", AssetClass.CRYPTO, "24/7"),
                        _wanted("GOLD", "GC=F", AssetClass.FUTURE, "CMES"),
                    ),
                    Timeframe.D1,
                    datetime(2020, 1, 1, tzinfo=UTC),
                    datetime(2020, 1, 4, tzinfo=UTC),
                    datetime(2025, 2, 20, tzinfo=UTC),
                ),
                empty=(datetime(2019, 5, 1, tzinfo=UTC), datetime(2019, 5, 3, tzinfo=UTC)),
                unknown=_wanted("NOSUCH", "NOSUCH", AssetClass.EQUITY, "XNYS"),
                asked=lambda: len(server.asked),
            )
