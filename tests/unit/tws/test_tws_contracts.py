"""Vendor symbols of Interactive Brokers, and which contract they mean."""

from __future__ import annotations

import pytest

from adapters.registration.vendor_names import name_at
from adapters.vendors.tws.contracts import Found, Wanted, parse, settle
from market_data.errors import UnknownSymbolError
from market_data.universe import AssetClass, Instrument

EQUITY, FX, CRYPTO, INDEX, FUTURE = (
    Instrument(symbol="X", asset_class=c, calendar="24/7")
    for c in (
        AssetClass.EQUITY,
        AssetClass.FX,
        AssetClass.CRYPTO,
        AssetClass.INDEX,
        AssetClass.FUTURE,
    )
)
APPLE = Found(265598, "STK", "AAPL", "SMART", "NASDAQ", "USD")


@pytest.mark.parametrize(
    ("text", "instrument", "wanted"),
    [
        ("AAPL", EQUITY, Wanted("STK", "AAPL", "SMART", "USD")),
        ("BRK B", EQUITY, Wanted("STK", "BRK B", "SMART", "USD")),
        ("STK:AAPL:SMART:USD", EQUITY, Wanted("STK", "AAPL", "SMART", "USD")),
        ("STK:VOD:LSE:GBP:LSE", EQUITY, Wanted("STK", "VOD", "LSE", "GBP", "LSE")),
        ("EURUSD", FX, Wanted("CASH", "EUR", "IDEALPRO", "USD")),
        ("EUR.USD", FX, Wanted("CASH", "EUR", "IDEALPRO", "USD")),
        ("CASH:USD.JPY:IDEALPRO", FX, Wanted("CASH", "USD", "IDEALPRO", "JPY")),
        ("FUT:ES:CME:202503", FUTURE, Wanted("FUT", "ES", "CME", "USD", expiry="202503")),
        ("FUT:ES:CME:20250321:USD", FUTURE, Wanted("FUT", "ES", "CME", "USD", expiry="20250321")),
        ("CRYPTO:BTC:PAXOS:USD", CRYPTO, Wanted("CRYPTO", "BTC", "PAXOS", "USD")),
        ("CRYPTO:BTC", CRYPTO, Wanted("CRYPTO", "BTC", "PAXOS", "USD")),
        ("IND:SPX:CBOE", INDEX, Wanted("IND", "SPX", "CBOE", "USD")),
        ("CONID:265598", EQUITY, Wanted(number=265598)),
        ("CONID:265598:SMART", EQUITY, Wanted(exchange="SMART", number=265598)),
    ],
)
def test_a_vendor_symbol_describes_a_contract(
    text: str, instrument: Instrument, wanted: Wanted
) -> None:
    assert parse(text, instrument) == wanted


@pytest.mark.parametrize(
    ("text", "instrument"),
    [
        ("", EQUITY),
        ("EUR/USD", FX),
        ("EURUSDX", FX),
        ("ES", FUTURE),
        ("BTC", CRYPTO),
        ("SPX", INDEX),
        ("FUT:ES:CME", FUTURE),
        ("FUT:ES:CME:March", FUTURE),
        ("IND:SPX", INDEX),
        ("CONID:Apple", EQUITY),
        ("CONID:0", EQUITY),
        ("CONID:99999999999", EQUITY),
        ("OPT:AAPL:SMART:USD", EQUITY),
        ("STK:AAPL:SMART:USD:NASDAQ:more", EQUITY),
        ("STK::SMART:USD", EQUITY),
        ("AA\0PL", EQUITY),
    ],
)
def test_what_no_contract_looks_like_is_refused(text: str, instrument: Instrument) -> None:
    with pytest.raises(UnknownSymbolError, match=r"names no contract|is no contract"):
        parse(text, instrument)


@pytest.mark.parametrize(
    ("symbol", "asset_class", "wanted"),
    [
        ("AAPL", "equity", Wanted("STK", "AAPL", "SMART", "USD")),
        ("GBPUSD", "fx", Wanted("CASH", "GBP", "IDEALPRO", "USD")),
    ],
)
def test_a_symbol_that_another_vendor_has_is_told_by_its_name(
    symbol: str, asset_class: str, wanted: Wanted
) -> None:
    instrument = Instrument(symbol=symbol, asset_class=asset_class, calendar="XNYS")
    name = name_at("tws", instrument)
    assert name is not None
    assert parse(name, instrument) == wanted


def test_the_only_contract_is_the_one() -> None:
    assert settle(Wanted("STK", "AAPL"), [APPLE], EQUITY) is APPLE
    assert APPLE.unit == "USD"


def test_several_contracts_are_named() -> None:
    other = Found(38708077, "STK", "AAPL", "SMART", "MEXI", "USD")
    with pytest.raises(UnknownSymbolError, match=r"2 contracts STK AAPL.*CONID:265598.*38708077"):
        settle(Wanted("STK", "AAPL"), [APPLE, other], EQUITY)


def test_contracts_of_another_kind_do_not_make_it_several() -> None:
    option = Found(1, "OPT", "AAPL", "SMART", "", "USD")
    assert settle(Wanted("STK", "AAPL"), [option, APPLE], EQUITY) is APPLE
    with pytest.raises(UnknownSymbolError, match="no contract STK AAPL"):
        settle(Wanted("STK", "AAPL"), [option], EQUITY)


def test_a_number_must_lead_to_the_kind_that_the_universe_has() -> None:
    with pytest.raises(UnknownSymbolError, match="class fx"):
        settle(Wanted(number=265598), [APPLE], FX)


def test_a_contract_in_another_currency_is_refused() -> None:
    peso = Found(38708077, "STK", "AAPL", "SMART", "MEXI", "MXN")
    with pytest.raises(UnknownSymbolError, match="quoted in MXN"):
        settle(Wanted(number=38708077), [peso], EQUITY)


def test_prices_times_a_hundred_are_in_the_minor_unit() -> None:
    pound = Instrument(symbol="VOD", asset_class="equity", calendar="XLON", currency="GBP")
    vodafone = Found(1, "STK", "VOD", "LSE", "LSE", "GBP", magnifier=100)
    assert settle(Wanted("STK", "VOD"), [vodafone], pound).unit == "GBp"
    cents = Found(1, "STK", "X", "NYSE", "NYSE", "USD", magnifier=100)
    with pytest.raises(UnknownSymbolError, match="prices times 100"):
        settle(Wanted("STK", "X"), [cents], EQUITY)
