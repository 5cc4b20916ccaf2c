"""What words on a command line mean, and what is registered for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.configuration import load_universe, register
from adapters.registration.entries import Registration, files_feed, network_feed
from adapters.registration.yahoo_symbols import guess_instrument, yahoo_name
from adapters.settings import Settings
from adapters.vendors.files.spec import load_format
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Universe

D1 = Timeframe.D1


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def universe(settings: Settings) -> Universe:
    return load_universe(settings)


@pytest.mark.parametrize(
    ("name", "symbol", "asset_class", "calendar", "currency"),
    [
        ("EURUSD=X", "EURUSD", "fx", "fx", "USD"),
        ("JPY=X", "USDJPY", "fx", "fx", "JPY"),
        ("ETH-USD", "ETHUSD", "crypto", "24/7", "USD"),
        ("VOD.L", "VOD.L", "equity", "XLON", "GBP"),
        ("7203.T", "7203.T", "equity", "XTKS", "JPY"),
        ("SAP.DE", "SAP.DE", "equity", "XETR", "EUR"),
        ("^GSPC", "GSPC", "index", "XNYS", "USD"),
        ("^N225", "N225", "index", "XTKS", "JPY"),
        ("ES=F", "ES=F", "future", "CMES", "USD"),
        ("BRK-B", "BRK-B", "equity", "XNYS", "USD"),
        ("NVDA", "NVDA", "equity", "XNYS", "USD"),
    ],
)
def test_a_yahoo_name_tells_the_instrument(
    name: str, symbol: str, asset_class: str, calendar: str, currency: str
) -> None:
    found = guess_instrument("yahoo", name)
    assert (found.symbol, found.asset_class, found.calendar, found.currency) == (
        symbol,
        asset_class,
        calendar,
        currency,
    )
    assert found.vendor_symbols == {"yahoo": name}
    assert found.assumed


def test_every_guessed_calendar_exists() -> None:
    from exchange_calendars import get_calendar_names

    from adapters.registration.yahoo_symbols import _EXCHANGES, _INDICES

    guessed = {calendar for calendar, _ in (*_EXCHANGES.values(), *_INDICES.values())}
    assert guessed - set(get_calendar_names()) == set()


def test_the_configured_yahoo_names_are_the_guessed_ones(universe: Universe) -> None:
    served = [i for i in universe.instruments if "yahoo" in i.vendor_symbols]
    assert len(served) >= 5
    assert [yahoo_name(i) for i in served] == [i.vendor_symbols["yahoo"] for i in served]


def test_vendor_names_and_platform_symbols_mean_the_same(universe: Universe) -> None:
    symbols, registration = network_feed(universe, "yahoo", D1, ["EURUSD=X", "EURUSD", "aapl"])
    assert symbols == ("EURUSD", "AAPL")
    assert not registration


def test_no_word_means_all_that_the_vendor_serves(universe: Universe) -> None:
    symbols, _ = network_feed(universe, "sample_a", D1, [])
    assert symbols == universe.symbols_of("sample_a")


def test_an_unknown_yahoo_name_is_registered_and_kept(
    settings: Settings, universe: Universe
) -> None:
    symbols, registration = network_feed(universe, "yahoo", D1, ["VOD.L"])
    assert symbols == ("VOD.L",)
    assert registration.told()["instruments"][0]["assumed"] is True
    assert not settings.registered_universe.exists()
    register(settings, instruments=registration.instruments, vendors=registration.vendors)
    assert "VOD.L" in load_universe(settings).symbols_of("yahoo")
    again, nothing = network_feed(load_universe(settings), "yahoo", D1, ["VOD.L"])
    assert again == symbols
    assert not nothing


@pytest.mark.parametrize("word", ["BTCUSD", "BTC-USD"])
def test_registered_in_memory_equals_registered_on_disk(
    settings: Settings, universe: Universe, word: str
) -> None:
    spec = load_format("lean_crypto_daily")
    _, registration = files_feed(universe, "gdax", spec, "lean_crypto_daily", [word])
    assert registration
    register(settings, instruments=registration.instruments, vendors=registration.vendors)
    assert registration.on_top_of(universe) == load_universe(settings)


def test_a_vendor_of_files_gets_another_timeframe(settings: Settings, universe: Universe) -> None:
    for name in ("lean_equity_daily", "lean_equity_hour"):
        spec = load_format(name)
        universe = load_universe(settings)
        _, registration = files_feed(universe, "lean", spec, name, ["AAPL"])
        register(settings, instruments=registration.instruments, vendors=registration.vendors)
        assert registration.on_top_of(universe) == load_universe(settings)
    assert load_universe(settings).vendor("lean").timeframes == (Timeframe.D1, Timeframe.H1)
    assert load_universe(settings).instrument("AAPL").vendor_symbols == {
        "yahoo": "AAPL",
        "alpha_vantage": "AAPL",
        "tws": "AAPL",
        "lean": "AAPL",
    }


def test_a_new_instrument_of_files_is_as_their_format_says(universe: Universe) -> None:
    spec = load_format("lean_forex_daily_oanda")
    symbols, registration = files_feed(universe, "dealer", spec, spec.name, ["NZDUSD"])
    (new,) = registration.instruments
    assert symbols == ("NZDUSD",)
    assert (new.asset_class, new.calendar, new.assumed) == (AssetClass.FX, "fx", True)


def test_what_a_vendor_cannot_serve_is_refused_with_what_it_can(universe: Universe) -> None:
    with pytest.raises(ConfigurationError, match="it serves: DEMO-ACME"):
        network_feed(universe, "sample_a", D1, ["AAPL"])
    with pytest.raises(ConfigurationError, match="it has: 1m, 1d"):
        network_feed(universe, "sample_a", Timeframe.H4, [])
    with pytest.raises(ConfigurationError, match="--vendor yahoo_files"):
        files_feed(universe, "yahoo", load_format("yahoo_csv"), "yahoo_csv", ["AAPL"])
    with pytest.raises(ConfigurationError, match="cannot be a symbol"):
        network_feed(universe, "yahoo", D1, ["a b"])


def test_two_instruments_never_share_a_symbol(universe: Universe) -> None:
    """^SPY would take the symbol of the fund SPY."""
    with pytest.raises(ConfigurationError, match=r"\^SPY would become SPY"):
        network_feed(universe, "yahoo", D1, ["^SPY"])


def test_nothing_new_changes_nothing(universe: Universe) -> None:
    assert Registration().on_top_of(universe) == universe


@pytest.mark.parametrize(
    ("vendor", "word", "name"),
    [
        ("alpha_vantage", "NVDA", "NVDA"),
        ("alpha_vantage", "nzdusd", "NZD/USD"),
        ("oanda", "NZDUSD", "NZD_USD"),
        ("coinbase", "ETHUSD", "ETH-USD"),
        ("alpha_vantage", "ETHUSD", "ETH/USD"),
    ],
)
def test_a_known_instrument_gets_the_name_that_follows_from_its_symbol(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, vendor: str, word: str, name: str
) -> None:
    monkeypatch.setenv("ALPHA_VANTAGE_API_KEY", "a-key")
    monkeypatch.setenv("OANDA_API_TOKEN", "a-token")
    known = ("NVDA", "NZDUSD=X", "ETH-USD")
    register(settings, instruments=[guess_instrument("yahoo", word) for word in known])
    symbols, registration = network_feed(load_universe(settings), vendor, D1, [word])
    (instrument,) = registration.instruments
    assert (symbols, instrument.vendor_symbols) == ((word.upper(),), {vendor: name})


@pytest.mark.parametrize(
    ("vendor", "word", "words"),
    [
        ("alpha_vantage", "BRK-B", "add that to the vendor_symbols of BRK-B"),
        ("alpha_vantage", "VOD.L", "add that to the vendor_symbols of VOD.L"),
        ("alpha_vantage", "GSPC", "add that to the vendor_symbols of GSPC"),
        ("coinbase", "NVDA", "add that to the vendor_symbols of NVDA"),
        ("oanda", "XYZ", "begins in config/universe.yaml, with oanda in its vendor_symbols"),
    ],
)
def test_a_name_that_nobody_can_tell_is_asked_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, vendor: str, word: str, words: str
) -> None:
    monkeypatch.setenv("ALPHA_VANTAGE_API_KEY", "a-key")
    monkeypatch.setenv("OANDA_API_TOKEN", "a-token")
    known = ("NVDA", "BRK-B", "VOD.L", "^GSPC")
    register(settings, instruments=[guess_instrument("yahoo", word) for word in known])
    with pytest.raises(ConfigurationError, match=words):
        network_feed(load_universe(settings), vendor, D1, [word])


def test_a_name_that_files_have_is_not_given_to_a_web_service(
    settings: Settings, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    settings = settings.model_copy(update={"config_dir": config})
    universe = config / "universe.yaml"
    universe.write_text("instruments: []\nvendors: []\n", encoding="utf-8")
    spec = load_format("lean_forex_daily_oanda")
    _, found = files_feed(load_universe(settings), "oanda", spec, spec.name, ["EURUSD"])
    register(settings, instruments=found.instruments, vendors=found.vendors)
    assert load_universe(settings).vendor("oanda").reader == "files"
    shipped = "instruments: []\nvendors: [{name: oanda, reader: oanda, timeframes: [1d]}]\n"
    universe.write_text(shipped, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="for instance oanda_web"):
        load_universe(settings)
