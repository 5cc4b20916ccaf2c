"""Currency units: prices in pence beside prices in pounds.

What belongs here: how many of one unit make another, where both are units of one currency. What
does not: exchange rates; two currencies never meet.
"""

from __future__ import annotations

_MINOR = {
    "GBp": ("GBP", 100.0),
    "GBX": ("GBP", 100.0),
    "ZAc": ("ZAR", 100.0),
    "ILA": ("ILS", 100.0),
}
"""Unit to its currency and how many of it make one. Exchanges of London, Johannesburg and Tel Aviv
quote shares in the hundredth part."""


def divisor(unit: str, currency: str) -> float | None:
    """What prices in `unit` are divided by to be in `currency`, itself possibly a minor unit.

    An empty unit is the currency. None where the two are units of different currencies.
    """
    if unit in ("", currency):
        return 1.0
    own, parts = _MINOR.get(unit, (unit, 1.0))
    wanted, wanted_parts = _MINOR.get(currency, (currency, 1.0))
    return parts / wanted_parts if own == wanted else None
