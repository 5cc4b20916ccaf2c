"""The columns of every group of features: what each means, where its formula comes from.

What belongs here: one tuple of `Feature` per group. What does not: the arithmetic (the modules
beside this one), which groups there are of which timeframe (registry.py).

Prices are those of usable bars, adjusted for splits to the session of the row; n bars are n usable
bars of the row's timeframe, the row's own included.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from market_data.schemas import UTC

S2 = "TWS ingestion and feature runbook"
S3 = "lakehouse pipeline"
WILDER = "Wilder, New Concepts in Technical Trading Systems (1978)"
PRICE, SHARE, PERCENT, BARS, UNITS, SCORE = (
    "price",
    "share",
    "percent",
    "bars",
    "traded units",
    "number",
)


@dataclass(frozen=True)
class Feature:
    """One column of a group.

    Attributes:
        name: of the column.
        text: what it says, in one sentence or two.
        source: where the formula comes from.
        warm_up: earlier bars that the first value needs; before them the cell is empty.
        unit: what the number counts; "price" is the instrument's currency on the basis of the
            row's session.
        dtype: Polars type.
    """

    name: str
    text: str
    source: str
    warm_up: int
    unit: str
    dtype: pl.DataType = field(default_factory=pl.Float64)


PRICES = (
    *(Feature(f"ret_{n}", f"close / close {n} bars before - 1", S2, n, SHARE) for n in (1, 5, 20)),
    *(Feature(f"ma_{n}", f"mean of the last {n} closes", S2, n - 1, PRICE) for n in (5, 20)),
    Feature("vol_20", "sample standard deviation of the last 20 ret_1", S2, 20, SHARE),
    *(
        Feature(
            f"num_missing_in_window_{n}",
            f"bars that the calendar expects between the first of the last {n} bars and this one, "
            "and that are not there or cannot be used",
            S2,
            n - 1,
            BARS,
            pl.Int64(),
        )
        for n in (5, 20)
    ),
)

VOLUMES = (
    Feature("vol_ma_20", "mean of the last 20 volumes", S2, 19, UNITS),
    Feature(
        "vol_zscore_20",
        "(volume - mean) / sample standard deviation of the last 20 volumes; empty where they are "
        "all equal",
        S2,
        19,
        SCORE,
    ),
    Feature(
        "vol_percentile_20",
        "share of the last 20 volumes that are not above this one",
        S2,
        19,
        SHARE,
    ),
)

INDICATORS = (
    Feature(
        "rsi_14",
        "relative strength index of 14 bars, Wilder's smoothing; empty while no close has moved",
        WILDER,
        14,
        "0 to 100",
    ),
    Feature("macd", "EMA 12 - EMA 26 of the close", "Appel; TA-Lib MACD", 33, PRICE),
    Feature("macd_signal", "EMA 9 of macd", "Appel; TA-Lib MACD", 33, PRICE),
    Feature("macd_hist", "macd - macd_signal", "Appel; TA-Lib MACD", 33, PRICE),
    Feature(
        "bb_upper",
        "bb_middle + 2 population standard deviations of the last 20 closes",
        "Bollinger",
        19,
        PRICE,
    ),
    Feature("bb_middle", "mean of the last 20 closes", "Bollinger", 19, PRICE),
    Feature(
        "bb_lower",
        "bb_middle - 2 population standard deviations of the last 20 closes",
        "Bollinger",
        19,
        PRICE,
    ),
    Feature(
        "adx_14",
        "average directional index of 14 bars, Wilder's smoothing; a bar without direction leaves "
        "it as it was",
        WILDER,
        27,
        "0 to 100",
    ),
    Feature("plus_di_14", "positive directional indicator of 14 bars", WILDER, 14, "0 to 100"),
    Feature("minus_di_14", "negative directional indicator of 14 bars", WILDER, 14, "0 to 100"),
    Feature("atr_14", "average true range of 14 bars, Wilder's smoothing", WILDER, 14, PRICE),
    Feature(
        "stoch_k_14",
        "100 * (close - lowest low) / (highest high - lowest low) of 14 bars; empty where these "
        "are equal",
        "Lane; TA-Lib STOCHF",
        13,
        "0 to 100",
    ),
    Feature("stoch_d_3", "mean of the last 3 stoch_k_14", "Lane; TA-Lib STOCHF", 15, "0 to 100"),
    Feature(
        "cci_20",
        "(typical price - its mean) / (0.015 * its mean absolute deviation) of 20 bars, typical "
        "price = (high + low + close) / 3; empty where that stands still",
        "Lambert; TA-Lib CCI",
        19,
        SCORE,
    ),
    Feature(
        "williams_r_14",
        "-100 * (highest high - close) / (highest high - lowest low) of 14 bars; empty where these "
        "are equal",
        "Williams; TA-Lib WILLR",
        13,
        "-100 to 0",
    ),
    *(
        Feature(
            f"ichimoku_{name}_{n}",
            f"middle of the highest high and lowest low of {n} bars",
            "Hosoda",
            n - 1,
            PRICE,
        )
        for name, n in (("tenkan", 9), ("kijun", 26))
    ),
    Feature(
        "ichimoku_senkou_a",
        "mean of tenkan and kijun as they were 26 bars before",
        "Hosoda",
        51,
        PRICE,
    ),
    Feature(
        "ichimoku_senkou_b",
        "middle of the highest high and lowest low of 52 bars as it was 26 bars before",
        "Hosoda",
        77,
        PRICE,
    ),
    *(Feature(f"sma_{n}", f"mean of the last {n} closes", S3, n - 1, PRICE) for n in (20, 50)),
)
"""Without the lagging span: it is the close 26 bars ahead."""

REGIMES = (
    Feature(
        "trend",
        "1 where the mean of the last 5 closes is above that of the last 20, -1 where it is below, "
        "0 where they are equal",
        S3,
        19,
        "sign",
        pl.Int64(),
    ),
    Feature("atr_ratio", "atr_14 / close", S3, 14, SHARE),
    Feature(
        "regime",
        "trending_up or trending_down where adx_14 is above 25, by trend (trending where that is "
        "0); else volatile_chop where atr_ratio is above 0.02, else quiet_range",
        S3,
        27,
        "word",
        pl.String(),
    ),
    Feature(
        "volatility",
        "low where atr_ratio is below 0.01, medium where it is below 0.025, else high",
        S3,
        14,
        "word",
        pl.String(),
    ),
)

LABELS = tuple(
    column
    for n in (1, 5, 20)
    for column in (
        Feature(
            f"fwd_ret_{n}",
            f"close {n} bars later / close - 1, on the basis of the row's session; empty until "
            "that bar is there, and where its session is further than 60 days away (1h: 30, 15m, "
            "5m, 1m: 14)",
            S2,
            0,
            SHARE,
        ),
        Feature(
            f"fwd_end_{n}",
            f"when the bar {n} bars later ended: no sooner is fwd_ret_{n} known",
            S2,
            0,
            "UTC",
            UTC,
        ),
    )
)

CONFLUENCE_WEIGHTS = {"1d": 40.0, "4h": 25.0, "1h": 15.0, "15m": 10.0, "5m": 5.0, "1m": 5.0}
"""Points of each timeframe; they make 100."""
CONFLUENCE_LIMIT = 60.0
"""More points than these on one side are a signal."""

CONFLUENCE = (
    Feature(
        "base",
        "the shortest timeframe of which the session has bars: the row is one of these",
        S3,
        0,
        "word",
        pl.String(),
    ),
    *(
        Feature(
            f"direction_{timeframe}",
            f"1 (trending_up), -1 (trending_down) or 0 of the newest {timeframe} bar that had "
            "ended when the row's bar ended; empty where that has no regime yet or is older than "
            "the session before",
            S3,
            0,
            "sign",
            pl.Int64(),
        )
        for timeframe in CONFLUENCE_WEIGHTS
    ),
    Feature("points_up", "weights of the timeframes that point up", S3, 0, "points of 100"),
    Feature("points_down", "weights of the timeframes that point down", S3, 0, "points of 100"),
    Feature("points_known", "weights of the timeframes that are known", S3, 0, "points of 100"),
    Feature(
        "signal",
        "up or down where that side has more than 60 points, else none; empty where no more than "
        "60 are known: nothing could have been a signal",
        S3,
        0,
        "word",
        pl.String(),
    ),
)

MACRO_CONTEXT = (
    Feature(
        "hours_since_release",
        "hours since the newest release in a currency of the instrument, of the last 30 days; one "
        "whose value came late counts from when it could be known",
        "own",
        0,
        "hours",
    ),
    Feature(
        "hours_since_high",
        "hours since the newest release of high importance in a currency of the instrument, of the "
        "last 30 days",
        "own",
        0,
        "hours",
    ),
    Feature("releases_1d", "releases of the 24 hours before", "own", 0, "releases", pl.Int64()),
    Feature("releases_5d", "releases of the 5 days before", "own", 0, "releases", pl.Int64()),
    Feature(
        "importance_5d",
        "importance of the releases of the 5 days before: high 1, medium 0.65, low 0.4, each",
        "alignment brief of September 2025",
        0,
        SCORE,
    ),
)
