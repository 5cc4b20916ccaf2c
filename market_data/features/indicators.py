"""Indicators with names, as TA-Lib computes them.

What belongs here: the columns of the group indicators. What does not: what follows from them
(regimes.py).

Averages begin as TA-Lib lets them begin: with the plain mean of the first values, MACD's two
averages at the same bar, the sums of the directional movement with 13 bars. Where a ratio has
nothing below its line TA-Lib says 0; here the cell is empty.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from market_data.features.arrays import Bars, Sums, Values, emptied, mean_distance, ratio
from market_data.features.averages import Average, averaged, averaged_over_gaps
from market_data.features.prices import means

_N = 14
_WILDER = 1 / _N
_FAST, _SLOW, _SIGNAL = 12, 26, 9
_WINDOW = 20


def indicators(bars: Bars) -> Iterator[dict[str, Values]]:
    """The columns of the group indicators, a few at a time."""
    yield momentum(bars)
    yield _bands(bars)
    yield _reaches(bars)
    yield _channel(bars)


def momentum(bars: Bars) -> dict[str, Values]:
    """Those that are made of averages without end."""
    close, high, low = bars.close, bars.high, bars.low
    last = bars.before(close, 1)
    step, up, down = bars.change(close), bars.change(high), -bars.change(low)
    reach = np.maximum(high, last) - np.minimum(low, last)
    plus, minus = up * ((up > down) & (up > 0)), down * ((down > up) & (down > 0))
    begun = _SLOW - 1
    # Wilder's averages begin with the mean of 14 steps, his running sums with 13 of them.
    gains, losses, atr, *sums, fast, slow = averaged(
        bars,
        [
            *(Average(v, _WILDER, _N, _N) for v in (np.maximum(step, 0), np.maximum(-step, 0))),
            Average(reach, _WILDER, _N, _N),
            *(Average(v, _WILDER, _N - 1, _N - 1, _N) for v in (reach, plus, minus)),
            *(Average(close, 2 / (n + 1), begun, n) for n in (_FAST, _SLOW)),
        ],
    )
    line = fast - slow
    begun += _SIGNAL - 1
    (signal,) = averaged(bars, [Average(line, 2 / (_SIGNAL + 1), begun, _SIGNAL)])
    return {
        "rsi_14": 100 * ratio(gains, gains + losses),
        "macd": bars.since(begun, line),
        "macd_signal": signal,
        "macd_hist": line - signal,
        "atr_14": atr,
        **_direction(bars, *sums),
    }


def _direction(bars: Bars, reach: Values, plus: Values, minus: Values) -> dict[str, Values]:
    plus, minus = ratio(plus, reach), ratio(minus, reach)
    apart = bars.since(_N, 100 * ratio(np.abs(plus - minus), plus + minus))
    return {
        "adx_14": averaged_over_gaps(bars, Average(apart, _WILDER, 2 * _N - 1, _N)),
        "plus_di_14": bars.since(_N, 100 * plus),
        "minus_di_14": bars.since(_N, 100 * minus),
    }


def _bands(bars: Bars) -> dict[str, Values]:
    middle, slow = means(bars, _WINDOW, 50)
    width = 2 * np.sqrt(bars.closes.squares(_WINDOW) / _WINDOW)
    return {
        "bb_upper": middle + width,
        "bb_middle": middle,
        "bb_lower": middle - width,
        "sma_20": middle,
        "sma_50": slow,
    }


def _reaches(bars: Bars) -> dict[str, Values]:
    """Where the close stands within the highest and lowest of the last bars."""
    lengths = (9, _N, 26, 52)
    highs = dict(zip(lengths, bars.highest(bars.high, *lengths), strict=True))
    lows = dict(zip(lengths, bars.lowest(bars.low, *lengths), strict=True))
    reach = highs[_N] - lows[_N]
    k = 100 * ratio(bars.close - lows[_N], reach)
    tenkan, kijun, slow = ((highs[n] + lows[n]) / 2 for n in (9, 26, 52))
    return {
        "stoch_k_14": k,
        "stoch_d_3": (k + bars.before(k, 1) + bars.before(k, 2)) / 3,
        "williams_r_14": -100 * ratio(highs[_N] - bars.close, reach),
        "ichimoku_tenkan_9": tenkan,
        "ichimoku_kijun_26": kijun,
        "ichimoku_senkou_a": bars.before((tenkan + kijun) / 2, 26),
        "ichimoku_senkou_b": bars.before(slow, 26),
    }


def _channel(bars: Bars) -> dict[str, Values]:
    typical = (bars.high + bars.low + bars.close) / 3
    mean = bars.since(_WINDOW - 1, Sums(typical).over(_WINDOW) / _WINDOW)
    away = mean_distance(typical, mean, _WINDOW)
    # Rounding along a series that stands still must not look like movement.
    found = emptied((typical - mean) / (0.015 * away), bars.still(typical, _WINDOW))
    return {"cci_20": found}
