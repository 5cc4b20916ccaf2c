"""Minor units: the hundredth parts of currencies in which some exchanges quote shares.

What belongs here: which there are. What does not: prices in them (market_data/curation/units.py).
"""

from __future__ import annotations

MINOR_UNITS = {
    "GBp": ("GBP", 100.0),
    "GBX": ("GBP", 100.0),
    "ZAc": ("ZAR", 100.0),
    "ILA": ("ILS", 100.0),
}
"""Unit to its currency and how many of it make one. Exchanges of London, Johannesburg and Tel Aviv
quote shares in the hundredth part."""
