"""What a vendor most likely calls an instrument that the universe knows under another's name.

What belongs here: the names that follow from the symbol alone, without a guess that could mean
something else. What does not: instruments that nobody configured (yahoo_symbols.py).
"""

from __future__ import annotations

import re

from adapters.registration.yahoo_symbols import yahoo_name
from market_data.calendars import calendar_name
from market_data.universe import AssetClass, Instrument

_NEW_YORK = ("XNYS", "XNAS", "XASE", "ARCX")
_TICKER = re.compile(r"[A-Z]{1,5}")
_PAIRS = {
    ("alpha_vantage", AssetClass.FX): "/",
    ("alpha_vantage", AssetClass.CRYPTO): "/",
    ("coinbase", AssetClass.CRYPTO): "-",
    ("oanda", AssetClass.FX): "_",
    ("tws", AssetClass.FX): ".",
}
"""What stands between the two halves of a pair."""


def name_at(reader: str, instrument: Instrument) -> str | None:
    """The name of a configured instrument at the vendor of a reader; None where nobody can tell.

    A pair is split where the instrument's currency begins: BTCUSD is BTC-USD at Coinbase. A share
    of New York whose symbol is a plain ticker is called that everywhere; share classes and other
    exchanges are written differently by each vendor.

    Args:
        reader: of the vendor.
        instrument: a configured one.
    """
    if reader == "yahoo":
        return yahoo_name(instrument)
    between = _PAIRS.get((reader, instrument.asset_class))
    if between is not None:
        base = instrument.symbol.removesuffix(instrument.currency)
        whole = base.isalnum() and base != instrument.symbol
        return f"{base}{between}{instrument.currency}" if whole else None
    if reader in ("alpha_vantage", "tws") and instrument.asset_class is AssetClass.EQUITY:
        plain = (
            _TICKER.fullmatch(instrument.symbol) and calendar_name(instrument.calendar) in _NEW_YORK
        )
        return instrument.symbol if plain else None
    return None
