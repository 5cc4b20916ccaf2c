"""Price and volume features: returns, means, deviations, and how much is missing in a window.

What belongs here: the columns of the groups price and volume. What does not: oscillators and
averages with names (indicators.py).
"""

from __future__ import annotations

import numpy as np

from market_data.features.arrays import Bars, Sums, Values, emptied, share_not_above

_WINDOW = 20


def prices(bars: Bars) -> dict[str, Values]:
    """The columns of the group price."""
    found = {f"ret_{n}": bars.growth(bars.close, n) for n in (1, 5, 20)}
    found["ma_5"], found["ma_20"] = means(bars, 5, 20)
    squares = bars.since(_WINDOW, Sums(found["ret_1"]).squares(_WINDOW))
    found["vol_20"] = np.sqrt(squares / (_WINDOW - 1))
    missing = Sums(bars.missing)
    for n in (5, 20):
        found[f"num_missing_in_window_{n}"] = bars.since(n - 1, missing.over(n - 1))
    return found


def means(bars: Bars, *lengths: int) -> list[Values]:
    """The mean of the last closes, for each of some lengths."""
    return [bars.since(n - 1, bars.closes.over(n) / n) for n in lengths]


def volumes(bars: Bars) -> dict[str, Values]:
    """The columns of the group volume."""
    volume = bars.volume
    mean = bars.since(_WINDOW - 1, bars.volumes.over(_WINDOW) / _WINDOW)
    deviation = np.sqrt(bars.volumes.squares(_WINDOW) / (_WINDOW - 1))
    # Rounding along a volume that stands still must not look like movement.
    score = emptied((volume - mean) / deviation, bars.still(volume, _WINDOW))
    share = emptied(share_not_above(volume, _WINDOW), np.isnan(mean))
    return {"vol_ma_20": mean, "vol_zscore_20": score, "vol_percentile_20": share}
