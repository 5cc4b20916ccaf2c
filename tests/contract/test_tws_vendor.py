"""The vendor contract on Interactive Brokers, against a gateway that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from market_data.basis import Adjustment, Basis, Side
from market_data.ports import FetchRequest, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.vendor_suite import VendorCase, VendorContract
from tests.support.ib_gateway import (
    AAPL,
    EURUSD,
    MSFT,
    IbGateway,
    days,
    minutes,
    recorded_minutes,
    tws_on,
)


def _wanted(symbol: str, tws: str, asset_class: AssetClass, calendar: str) -> SymbolRequest:
    return SymbolRequest(Instrument(symbol=symbol, asset_class=asset_class, calendar=calendar), tws)


UNKNOWN = _wanted("NOSUCH", "NOSUCH", AssetClass.EQUITY, "XNYS")


class TestMinutes(VendorContract):
    @pytest.fixture
    def case(self, test_data: Path) -> Iterator[VendorCase]:
        with IbGateway() as gateway:
            gateway.add(MSFT, recorded_minutes(test_data))
            gateway.add(EURUSD, minutes(datetime(2021, 1, 5, tzinfo=UTC), 900, volume="-1"))
            request = FetchRequest(
                (
                    _wanted("MSFT", "MSFT", AssetClass.EQUITY, "XNYS"),
                    _wanted("EURUSD", "EUR.USD", AssetClass.FX, "fx"),
                ),
                Timeframe.M1,
                datetime(2021, 1, 4, tzinfo=UTC),
                datetime(2021, 1, 7, tzinfo=UTC),
                datetime(2021, 2, 1, tzinfo=UTC),
            )
            yield VendorCase(
                vendor=tws_on(gateway),
                request=request,
                empty=(datetime(2019, 5, 1, tzinfo=UTC), datetime(2019, 5, 3, tzinfo=UTC)),
                unknown=UNKNOWN,
                asked=lambda: len(gateway.asked) + gateway.looked_up,
                golden={
                    # The first minute of the session: 9:30 in New York.
                    "MSFT": {
                        "ts": datetime(2021, 1, 5, 14, 30, tzinfo=UTC),
                        "open": 218.67,
                        "high": 219.17,
                        "low": 218.45,
                        "close": 218.77,
                        "volume": 212.0,
                        "vwap": 218.658,
                        "trades": 97,
                        "adj_close": None,
                    },
                    # Mid prices have no volume.
                    "EURUSD": {
                        "ts": datetime(2021, 1, 5, 0, 1, tzinfo=UTC),
                        "open": 100.01,
                        "close": 100.02,
                        "volume": None,
                        "vwap": None,
                        "trades": None,
                    },
                },
                bases={
                    "MSFT": Basis(Adjustment.SPLITS, Side.TRADE, "USD"),
                    "EURUSD": Basis(Adjustment.RAW, Side.MID, "USD"),
                },
                paged=replace(request, start=datetime(2020, 12, 20, tzinfo=UTC)),
            )


class TestDays(VendorContract):
    @pytest.fixture
    def case(self) -> Iterator[VendorCase]:
        with IbGateway() as gateway:
            for contract in (AAPL, MSFT):
                gateway.add(contract, days(datetime(2019, 11, 1, tzinfo=UTC), 600), "1 day")
            request = FetchRequest(
                (
                    _wanted("AAPL", "STK:AAPL:SMART:USD", AssetClass.EQUITY, "XNYS"),
                    _wanted("MSFT", "CONID:272093", AssetClass.EQUITY, "XNYS"),
                ),
                Timeframe.D1,
                datetime(2020, 1, 1, tzinfo=UTC),
                datetime(2021, 4, 1, tzinfo=UTC),
                datetime(2022, 1, 1, tzinfo=UTC),
            )
            yield VendorCase(
                vendor=tws_on(gateway),
                request=request,
                paged=request,
                empty=(datetime(2015, 5, 1, tzinfo=UTC), datetime(2015, 5, 9, tzinfo=UTC)),
                unknown=UNKNOWN,
                asked=lambda: len(gateway.asked) + gateway.looked_up,
            )
