"""What Yahoo's way of writing a symbol says about the instrument.

What belongs here: the guess for a symbol that nobody configured, and Yahoo's name for one that
somebody did. A guess is marked as assumed; config/universe.yaml is where it is put right.
What does not: asking Yahoo (adapters/vendors/yahoo).
"""

from __future__ import annotations

import re

from market_data.universe import AssetClass, Instrument

_EXCHANGES = {
    "L": ("XLON", "GBP"),
    "T": ("XTKS", "JPY"),
    "DE": ("XETR", "EUR"),
    "F": ("XFRA", "EUR"),
    "PA": ("XPAR", "EUR"),
    "AS": ("XAMS", "EUR"),
    "BR": ("XBRU", "EUR"),
    "LS": ("XLIS", "EUR"),
    "MI": ("XMIL", "EUR"),
    "MC": ("XMAD", "EUR"),
    "VI": ("XWBO", "EUR"),
    "HE": ("XHEL", "EUR"),
    "IR": ("XDUB", "EUR"),
    "SW": ("XSWX", "CHF"),
    "ST": ("XSTO", "SEK"),
    "CO": ("XCSE", "DKK"),
    "OL": ("XOSL", "NOK"),
    "WA": ("XWAR", "PLN"),
    "PR": ("XPRA", "CZK"),
    "BD": ("XBUD", "HUF"),
    "IS": ("XIST", "TRY"),
    "TO": ("XTSE", "CAD"),
    "MX": ("XMEX", "MXN"),
    "SA": ("BVMF", "BRL"),
    "BA": ("XBUE", "ARS"),
    "SN": ("XSGO", "CLP"),
    "AX": ("XASX", "AUD"),
    "NZ": ("XNZE", "NZD"),
    "HK": ("XHKG", "HKD"),
    "SS": ("XSHG", "CNY"),
    "SZ": ("XSHG", "CNY"),
    "KS": ("XKRX", "KRW"),
    "TW": ("XTAI", "TWD"),
    "SI": ("XSES", "SGD"),
    "NS": ("XBOM", "INR"),
    "BO": ("XBOM", "INR"),
    "JK": ("XIDX", "IDR"),
    "KL": ("XKLS", "MYR"),
    "BK": ("XBKK", "THB"),
    "JO": ("XJSE", "ZAR"),
    "TA": ("XTAE", "ILS"),
}
"""Suffix to calendar and currency. Prices in pence, cents or agorot are in the vendor's unit; the
currency is the major one. Shenzhen keeps Shanghai's sessions, the NSE those of Bombay."""

_INDICES = {
    "^FTSE": ("XLON", "GBP"),
    "^FTMC": ("XLON", "GBP"),
    "^GDAXI": ("XETR", "EUR"),
    "^MDAXI": ("XETR", "EUR"),
    "^FCHI": ("XPAR", "EUR"),
    "^STOXX": ("XETR", "EUR"),
    "^STOXX50E": ("XETR", "EUR"),
    "^AEX": ("XAMS", "EUR"),
    "^IBEX": ("XMAD", "EUR"),
    "^SSMI": ("XSWX", "CHF"),
    "^N225": ("XTKS", "JPY"),
    "^HSI": ("XHKG", "HKD"),
    "^AXJO": ("XASX", "AUD"),
    "^GSPTSE": ("XTSE", "CAD"),
    "^BVSP": ("BVMF", "BRL"),
    "^KS11": ("XKRX", "KRW"),
    "^BSESN": ("XBOM", "INR"),
    "^NSEI": ("XBOM", "INR"),
}
"""Indices that are not of New York."""


def guess_instrument(vendor: str, vendor_symbol: str) -> Instrument:
    """The instrument that a Yahoo symbol most likely names.

    `XXXYYY=X` is FX, `XXX-YYY` with a currency behind the dash crypto, `^NAME` an index, `NAME=F`
    a future, a suffix such as `.L` names the exchange, and everything else trades in New York.
    """
    name = vendor_symbol.upper()
    if pair := re.fullmatch(r"([A-Z]{3})([A-Z]{3})?=X", name):
        # A single currency is quoted per dollar: JPY=X is USDJPY.
        base, quote = (pair[1], pair[2]) if pair[2] else ("USD", pair[1])
        return _assumed(vendor, name, f"{base}{quote}", AssetClass.FX, "fx", quote)
    if pair := re.fullmatch(r"([A-Z0-9]{1,10})-(USD|USDT|EUR|GBP|JPY|BTC|ETH|CAD|AUD)", name):
        return _assumed(vendor, name, pair[1] + pair[2], AssetClass.CRYPTO, "24/7", pair[2])
    if name.startswith("^"):
        calendar, currency = _INDICES.get(name, ("XNYS", "USD"))
        return _assumed(vendor, name, name[1:], AssetClass.INDEX, calendar, currency)
    if name.endswith("=F"):
        return _assumed(vendor, name, name, AssetClass.FUTURE, "CMES", "USD")
    calendar, currency = _EXCHANGES.get(name.rpartition(".")[2] if "." in name else "", _NEW_YORK)
    return _assumed(vendor, name, name, AssetClass.EQUITY, calendar, currency)


_NEW_YORK = ("XNYS", "USD")


def _assumed(
    vendor: str, name: str, symbol: str, asset_class: AssetClass, calendar: str, currency: str
) -> Instrument:
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        calendar=calendar,
        currency=currency,
        vendor_symbols={vendor: name},
        assumed=True,
    )


def yahoo_name(instrument: Instrument) -> str:
    """What Yahoo most likely calls a configured instrument."""
    symbol = instrument.symbol
    if instrument.asset_class is AssetClass.FX:
        return f"{symbol}=X"
    if instrument.asset_class is AssetClass.INDEX and not symbol.startswith("^"):
        return f"^{symbol}"
    if instrument.asset_class is AssetClass.CRYPTO and "-" not in symbol:
        base = symbol.removesuffix(instrument.currency)
        return f"{base}-{instrument.currency}"
    return symbol
