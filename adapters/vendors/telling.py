"""Which readers tell a symbol's splits along with its bars; apart, so that asking loads none.

What belongs here: the readers whose answers say every split from their first bar until now.
What does not: what follows from it (market_data/curation/split_evidence.py).
"""

from __future__ import annotations

from collections.abc import Set

# Alpha Vantage is none: its intraday answers tell nothing, and its prices are as traded.
TELLS_SPLITS: Set[str] = frozenset({"sample", "yahoo"})


def tells_splits(reader: str) -> bool:
    """Whether no split of a symbol is unknown once a reader has answered about it."""
    return reader in TELLS_SPLITS
