"""Regimes: whether a market trends or ranges, and how much it moves.

What belongs here: the columns of the group regime, from indicators. What does not: statistics of
regimes (market_data/features/regime_stats.py), the timeframes together (confluence.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from market_data.features.arrays import Bars, Values

TRENDING = 25.0
"""A directional index above this is a trend."""
VOLATILE = 0.02
LOW, MEDIUM = 0.01, 0.025
"""Average true range as a share of the close."""

UP, DOWN, UNDECIDED = "trending_up", "trending_down", "trending"
CHOP, QUIET = "volatile_chop", "quiet_range"
MADE_OF = ("ma_5", "ma_20", "atr_14", "adx_14")
"""Columns of other groups."""
WORDS = {
    "regime": (UP, DOWN, UNDECIDED, CHOP, QUIET),
    "volatility": ("low", "medium", "high"),
}
"""What the numbers of these columns stand for, from 0 on."""


def regimes(bars: Bars, known: Mapping[str, Values]) -> dict[str, Values]:
    """The columns of the group regime; those of WORDS as numbers.

    Args:
        bars: that they are of.
        known: the columns of MADE_OF.
    """
    import numpy as np

    from market_data.features.arrays import emptied

    trend = np.sign(known["ma_5"] - known["ma_20"])
    trend[bars.still(bars.close, 20)] = 0.0
    share, adx = known["atr_14"] / bars.close, known["adx_14"]
    # Numbers in the order of WORDS: a comparison that holds is 1, in a byte.
    up, down, trending, moving, low, medium = (
        held.view(np.int8)
        for held in (
            trend > 0, trend < 0, adx > TRENDING, share > VOLATILE, share < LOW, share < MEDIUM,
        )
    )  # fmt: skip
    regime = (2 - 2 * up - down) * trending + (4 - moving) * (1 - trending)
    volatility = 2 - medium - low
    unknown = np.isnan(adx) | np.isnan(trend) | np.isnan(share)
    return {
        "trend": trend,
        "atr_ratio": share,
        "regime": emptied(regime.astype(np.float64), unknown),
        "volatility": emptied(volatility.astype(np.float64), np.isnan(share)),
    }
