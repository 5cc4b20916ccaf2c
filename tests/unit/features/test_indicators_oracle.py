"""Indicators against TA-Lib, on the series that a random walk gives."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import talib

from market_data.features.compute import compute
from market_data.features.registry import Kind, bar_groups, group_for
from market_data.timeframes import Timeframe
from tests.support.feature_series import bars_of, series_of, walk

TOLERANCE = 1e-8
D1 = Timeframe.D1


def oracle(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> dict[str, np.ndarray]:
    macd, signal, hist = talib.MACD(close, 12, 26, 9)
    upper, middle, lower = talib.BBANDS(close, 20, 2, 2)
    # TA-Lib keeps the first values of one line back until the other has some.
    k, _ = talib.STOCHF(high, low, close, 14, 1)
    _, d = talib.STOCHF(high, low, close, 14, 3)
    found = {
        "rsi_14": talib.RSI(close, 14),
        "macd": macd,
        "macd_signal": signal,
        "macd_hist": hist,
        "bb_upper": upper,
        "bb_middle": middle,
        "bb_lower": lower,
        "adx_14": talib.ADX(high, low, close, 14),
        "plus_di_14": talib.PLUS_DI(high, low, close, 14),
        "minus_di_14": talib.MINUS_DI(high, low, close, 14),
        "atr_14": talib.ATR(high, low, close, 14),
        "stoch_k_14": k,
        "stoch_d_3": d,
        "cci_20": talib.CCI(high, low, close, 20),
        "williams_r_14": talib.WILLR(high, low, close, 14),
        "sma_20": talib.SMA(close, 20),
        "sma_50": talib.SMA(close, 50),
    }
    middles = {n: (talib.MAX(high, n) + talib.MIN(low, n)) / 2 for n in (9, 26, 52)}
    found["ichimoku_tenkan_9"] = middles[9]
    found["ichimoku_kijun_26"] = middles[26]
    found["ichimoku_senkou_a"] = late((middles[9] + middles[26]) / 2, 26)
    found["ichimoku_senkou_b"] = late(middles[52], 26)
    return found


def late(values: np.ndarray, bars: int) -> np.ndarray:
    return np.concatenate([np.full(bars, np.nan), values[:-bars]])


@pytest.mark.parametrize(
    ("seed", "start", "step"),
    [(1, 100.0, 0.01), (2, 0.0004, 0.05), (3, 61_000.0, 0.002), (4, 1.0837, 0.0002)],
)
def test_every_indicator_equals_that_of_ta_lib(seed: int, start: float, step: float) -> None:
    """From the first value on: the averages begin alike."""
    frames = {s: walk(seed + n, 700, start, step) for n, s in enumerate(("AAA", "BBB"))}
    rows = compute(series_of(bars_of(frames)), bar_groups(D1))[Kind.INDICATORS]
    for symbol, (high, low, close) in frames.items():
        ours = rows.filter(pl.col("symbol") == symbol)
        theirs = oracle(high, low, close)
        assert theirs.keys() == set(group_for(Kind.INDICATORS, D1).names)
        for feature in group_for(Kind.INDICATORS, D1).features:
            mine = ours[feature.name].to_numpy()
            # Which cells are empty is part of what has to agree.
            assert np.isnan(mine[: feature.warm_up]).all(), feature.name
            assert not np.isnan(mine[feature.warm_up :]).any(), feature.name
            scale = start if feature.unit == "price" else 1.0
            np.testing.assert_allclose(
                mine / scale,
                theirs[feature.name] / scale,
                rtol=TOLERANCE,
                atol=TOLERANCE,
                err_msg=feature.name,
            )
