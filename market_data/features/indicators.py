"""Indicators with names, as TA-Lib computes them.

What belongs here: the columns of the group indicators. What does not: what follows from them
(regimes.py).

Averages begin as TA-Lib lets them begin: with the plain mean of the first values, MACD's two
averages at the same bar, the sums of the directional movement with 13 bars. Where a ratio has
nothing below its line TA-Lib says 0; here the cell is empty.
"""

from __future__ import annotations

import polars as pl

from market_data.features.grouping import (
    POSITION,
    along,
    before,
    highest,
    lowest,
    since,
    smoothed,
)

_N = 14
_WILDER = 1 / _N
_FAST, _SLOW, _SIGNAL = 12, 26, 9
_CCI = 20


def with_indicators(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the columns of the group indicators.

    Args:
        frame: columns of `market_data.features.series.SERIES`, with positions.
    """
    first = along(_with_steps(frame), _AVERAGES)
    second = along(first.with_columns(_ratios()), _OF_AVERAGES)
    return second.with_columns(_last()).drop("^_raw_.*$")


def with_true_range(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `_raw_range`, the true range; empty for the first bar of a symbol."""
    last = before("close", 1)
    reach = pl.max_horizontal("high", last) - pl.min_horizontal("low", last)
    return frame.with_columns(_raw_range=since(1, reach))


def _with_steps(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds what a bar says beside the one before, and the extremes of windows."""
    step = pl.col("close") - before("close", 1)
    up, down = pl.col("high") - before("high", 1), before("low", 1) - pl.col("low")
    return with_true_range(frame).with_columns(
        _raw_gain=step.clip(lower_bound=0),
        _raw_loss=(-step).clip(lower_bound=0),
        _raw_plus=pl.when((up > down) & (up > 0)).then(up).when(up.is_not_null()).then(0.0),
        _raw_minus=pl.when((down > up) & (down > 0)).then(down).when(up.is_not_null()).then(0.0),
        _raw_typical=(pl.col("high") + pl.col("low") + pl.col("close")) / 3,
        **{f"_raw_high_{n}": highest("high", n) for n in (9, 14, 26, 52)},
        **{f"_raw_low_{n}": lowest("low", n) for n in (9, 14, 26, 52)},
    )


def _wilder(column: str) -> pl.Expr:
    """Wilder's average: it begins with the mean of the first 14 steps."""
    return smoothed(column, _WILDER, _N, pl.col(column).rolling_mean(_N))


def _directed(column: str) -> pl.Expr:
    """Wilder's running sum over 14, which begins with 13 steps."""
    begin = pl.col(column).rolling_sum(_N - 1) / _N
    return smoothed(column, _WILDER, _N - 1, begin)


def _ema(column: str, bars: int, first: int) -> pl.Expr:
    return smoothed(column, 2 / (bars + 1), first, pl.col(column).rolling_mean(bars))


_AVERAGES = {
    "_raw_gains": _wilder("_raw_gain"),
    "_raw_losses": _wilder("_raw_loss"),
    "atr_14": _wilder("_raw_range"),
    "_raw_sum_range": _directed("_raw_range"),
    "_raw_sum_plus": _directed("_raw_plus"),
    "_raw_sum_minus": _directed("_raw_minus"),
    "_raw_fast": _ema("close", _FAST, _SLOW - 1),
    "_raw_slow": _ema("close", _SLOW, _SLOW - 1),
    "bb_middle": pl.col("close").rolling_mean(20),
    "_raw_deviation": pl.col("close").rolling_std(20, ddof=0),
    "sma_50": pl.col("close").rolling_mean(50),
    "_raw_typical_mean": pl.col("_raw_typical").rolling_mean(_CCI),
}
"""First round, along each symbol."""


def _ratio(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    return pl.when(below > 0).then(above / below)


def _ratios() -> list[pl.Expr]:
    plus = _ratio(pl.col("_raw_sum_plus"), pl.col("_raw_sum_range"))
    minus = _ratio(pl.col("_raw_sum_minus"), pl.col("_raw_sum_range"))
    gains, losses = pl.col("_raw_gains"), pl.col("_raw_losses")
    return [
        (100 * _ratio(gains, gains + losses)).alias("rsi_14"),
        (100 * since(_N, plus)).alias("plus_di_14"),
        (100 * since(_N, minus)).alias("minus_di_14"),
        (100 * since(_N, _ratio((plus - minus).abs(), plus + minus))).alias("_raw_directed"),
        (pl.col("_raw_fast") - pl.col("_raw_slow")).alias("_raw_macd"),
    ]


_OF_AVERAGES = {
    "adx_14": smoothed(
        "_raw_directed",
        _WILDER,
        2 * _N - 1,
        pl.col("_raw_directed").rolling_mean(_N, min_samples=1),
    ),
    "macd_signal": smoothed(
        "_raw_macd",
        2 / (_SIGNAL + 1),
        _SLOW + _SIGNAL - 2,
        pl.col("_raw_macd").rolling_mean(_SIGNAL),
    ),
}
"""Second round: averages of what the first one gives."""


def _last() -> list[pl.Expr]:
    close, middle = pl.col("close"), pl.col("bb_middle")
    macd = pl.when(pl.col("macd_signal").is_not_null()).then(pl.col("_raw_macd"))
    reach = pl.col("_raw_high_14") - pl.col("_raw_low_14")
    k = 100 * _ratio(close - pl.col("_raw_low_14"), reach)
    width = 2 * pl.when(_still("close", 20)).then(0.0).otherwise("_raw_deviation")
    tenkan, kijun, slow = (_middle(n) for n in (9, 26, 52))
    return [
        macd.alias("macd"),
        (macd - pl.col("macd_signal")).alias("macd_hist"),
        (middle + width).alias("bb_upper"),
        (middle - width).alias("bb_lower"),
        middle.alias("sma_20"),
        k.alias("stoch_k_14"),
        ((k + before(k, 1) + before(k, 2)) / 3).alias("stoch_d_3"),
        _cci().alias("cci_20"),
        (-100 * _ratio(pl.col("_raw_high_14") - close, reach)).alias("williams_r_14"),
        tenkan.alias("ichimoku_tenkan_9"),
        kijun.alias("ichimoku_kijun_26"),
        before((tenkan + kijun) / 2, 26).alias("ichimoku_senkou_a"),
        before(slow, 26).alias("ichimoku_senkou_b"),
    ]


def _middle(bars: int) -> pl.Expr:
    return (pl.col(f"_raw_high_{bars}") + pl.col(f"_raw_low_{bars}")) / 2


def _still(column: str, bars: int) -> pl.Expr:
    return highest(column, bars) == lowest(column, bars)


def _cci() -> pl.Expr:
    typical, mean = pl.col("_raw_typical"), pl.col("_raw_typical_mean")
    away = pl.sum_horizontal((typical.shift(n) - mean).abs() for n in range(_CCI)) / _CCI
    moved = ~_still("_raw_typical", _CCI)
    return pl.when(moved & (pl.col(POSITION) >= _CCI - 1)).then((typical - mean) / (0.015 * away))
