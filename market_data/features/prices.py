"""Price and volume features: returns, means, deviations, and how much is missing in a window.

What belongs here: the columns of the groups price and volume. What does not: oscillators and
averages with names (indicators.py).
"""

from __future__ import annotations

import polars as pl

from market_data.features.grouping import along, before, highest, lowest, since

_WINDOW = 20


def with_prices(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the columns of the group price, and sma_20.

    Args:
        frame: columns of `market_data.features.series.SERIES`, with positions.
    """
    close = pl.col("close")
    stepped = frame.with_columns(
        *((close / before("close", n) - 1).alias(f"ret_{n}") for n in (1, 5, 20)),
        *(
            since(n - 1, pl.col("missing").rolling_sum(n - 1)).alias(f"num_missing_in_window_{n}")
            for n in (5, 20)
        ),
    )
    averaged = along(
        stepped,
        {
            "ma_5": close.rolling_mean(5),
            "ma_20": close.rolling_mean(20),
            "vol_20": pl.col("ret_1").rolling_std(20),
        },
    )
    # Rounding along a series that stands still must not look like movement.
    still = highest("ret_1", 20) == lowest("ret_1", 20)
    return averaged.with_columns(vol_20=since(20, pl.when(still).then(0.0).otherwise("vol_20")))


def with_volumes(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the columns of the group volume.

    Args:
        frame: columns of `market_data.features.series.SERIES`, with positions.
    """
    volume = pl.col("volume")
    averaged = along(
        frame,
        {"vol_ma_20": volume.rolling_mean(_WINDOW), "_deviation": volume.rolling_std(_WINDOW)},
    )
    mean = pl.col("vol_ma_20")
    moved = highest("volume", _WINDOW) > lowest("volume", _WINDOW)
    not_above = pl.sum_horizontal(
        (volume.shift(n) <= volume).cast(pl.Int32) for n in range(_WINDOW)
    )
    return averaged.with_columns(
        vol_zscore_20=pl.when(moved).then((volume - mean) / pl.col("_deviation")),
        vol_percentile_20=pl.when(moved.is_not_null()).then(not_above / _WINDOW),
    ).drop("_deviation")
