"""Currency units: prices in pence beside prices in pounds.

What belongs here: how many of one unit make another, where both are units of one currency. What
does not: which units there are (market_data/minor_units.py), exchange rates; two currencies never
meet.
"""

from __future__ import annotations

from market_data.minor_units import MINOR_UNITS


def divisor(unit: str, currency: str) -> float | None:
    """What prices in `unit` are divided by to be in `currency`, itself possibly a minor unit.

    An empty unit is the currency. None where the two are units of different currencies.
    """
    if unit in ("", currency):
        return 1.0
    own, parts = MINOR_UNITS.get(unit, (unit, 1.0))
    wanted, wanted_parts = MINOR_UNITS.get(currency, (currency, 1.0))
    return parts / wanted_parts if own == wanted else None
