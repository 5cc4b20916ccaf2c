"""What Interactive Brokers' bars mean: volumes in lots, and days that nobody has defined."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from adapters.vendors.tws.profile import TwsSettings
from market_data.ports import FetchRequest, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.vendor_suite import outcomes_of, rows_of
from tests.support.ib_gateway import AAPL, Contract, IbGateway, days, minutes, tws_on

START = datetime(2021, 1, 5, 14, 30, tzinfo=UTC)
NOW = datetime(2021, 2, 1, tzinfo=UTC)
VOD = Contract(1, "VOD", exchange="LSE", primary="LSE")
ETH = Contract(2, "ETH", "CRYPTO", "PAXOS", "")

US = SymbolRequest(
    Instrument(symbol="AAPL", calendar="XNYS", asset_class=AssetClass.EQUITY), "AAPL"
)
LONDON = SymbolRequest(
    Instrument(symbol="VOD", calendar="XLON", asset_class=AssetClass.EQUITY), "STK:VOD:LSE:USD:LSE"
)
COIN = SymbolRequest(
    Instrument(symbol="ETHUSD", calendar="24/7", asset_class=AssetClass.CRYPTO),
    "CRYPTO:ETH:PAXOS:USD",
)


def asked(*wanted: SymbolRequest, timeframe: Timeframe = Timeframe.M1) -> FetchRequest:
    return FetchRequest(wanted, timeframe, START, START + timedelta(days=2), NOW)


@pytest.mark.parametrize(("unit", "expected"), [("shares", 100.0), ("lots", 10_000.0)])
def test_lots_are_a_hundred_shares_of_the_us_alone(unit: str, expected: float) -> None:
    with IbGateway() as gateway:
        gateway.add(AAPL, minutes(START, 10))
        gateway.add(VOD, minutes(START, 10))
        told = list(tws_on(gateway, volume_unit=unit).fetch(asked(US, LONDON)))
    rows = rows_of(told)
    volumes = {s: rows.filter(symbol=s)["volume"].unique().to_list() for s in ("AAPL", "VOD")}
    assert volumes == {"AAPL": [expected], "VOD": [100.0]}


def test_a_volume_comes_in_shares_or_in_lots() -> None:
    assert TwsSettings().volume_unit == "shares"
    with pytest.raises(ValidationError, match="volume_unit"):
        TwsSettings(volume_unit="hundreds")


def test_days_of_coins_are_not_asked_for_since_nobody_says_where_they_begin() -> None:
    with IbGateway() as gateway:
        gateway.add(ETH, minutes(START, 10))
        gateway.add(ETH, days(datetime(2021, 1, 1, tzinfo=UTC), 20), "1 day")
        vendor = tws_on(gateway)
        refused = outcomes_of(list(vendor.fetch(asked(COIN, timeframe=Timeframe.D1))))["ETHUSD"]
        assert refused.outcome is Outcome.UNAVAILABLE
        assert "made of its 1m bars" in refused.detail
        assert not gateway.asked
        assert rows_of(list(vendor.fetch(asked(COIN)))).height == 10
