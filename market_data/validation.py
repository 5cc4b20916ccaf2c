"""Rules about the values of one row: which bars are refused, and why.

What belongs here: tests that need no other row, their reasons, and the split into good and bad.
Tests that need the calendar or other rows (market_data/placement.py, contradictions) are handed in
as ready columns. What does not: what becomes of refused rows (market_data/refusals.py).

Reasons: not_finite, not_positive, ohlc, price_range, negative_volume, future, and those handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import polars as pl

from market_data.schemas import PRICES

_INFINITY = float("inf")


class PriceRange(NamedTuple):
    """Lowest and highest price that a bar may hold; numbers, or a column each."""

    low: float | pl.Expr
    high: float | pl.Expr


@dataclass(frozen=True)
class Validated:
    """Rows apart: `good` as they were, `bad` with the column `reasons` more."""

    good: pl.DataFrame
    bad: pl.DataFrame


def validate_rows(
    bars: pl.DataFrame,
    *,
    prices: PriceRange,
    now: datetime,
    also: Mapping[str, pl.Series] | None = None,
) -> Validated:
    """Take out the rows that no reader may see.

    Args:
        bars: ts, open, high, low, close, and where present volume, vwap and trades.
        prices: bounds of every price, both included.
        now: a bar that starts after it is `future`.
        also: further reasons, each with a Boolean series as long as `bars`.

    Returns:
        The rows apart, each part in the order given. `reasons` holds every reason of a row,
        sorted and comma-separated. Without a bad row `good` is the frame itself.
    """
    also = also or {}
    if not also and _all_good(bars, prices, now):
        return Validated(bars, bars.clear().with_columns(reasons=pl.lit("")))
    given = bars.with_columns(flags.alias(f"_{name}") for name, flags in also.items())
    broken = _reasons(bars, prices, now) | {name: pl.col(f"_{name}") for name in also}
    bad = given.select(pl.any_horizontal(broken.values())).to_series()
    named = [pl.when(broken[name]).then(pl.lit(name)).otherwise(None) for name in sorted(broken)]
    refused = given.filter(bad).with_columns(
        reasons=pl.concat_str(named, separator=",", ignore_nulls=True)
    )
    return Validated(bars.filter(~bad), refused.select(*bars.columns, "reasons"))


def _all_good(bars: pl.DataFrame, prices: PriceRange, now: datetime) -> bool:
    """One pass that tells whether any row breaks any rule.

    NaN is greater than every number in comparisons, so a NaN breaks one of them: as high the
    upper bound, as open or close the high, as low the open.
    """
    if any(bars.get_column(c).null_count() for c in (*PRICES, "ts")):
        return False
    low, high = pl.col("low"), pl.col("high")
    tests = [
        low >= prices.low,
        low > 0,
        high <= prices.high,
        high < _INFINITY,
        low <= pl.col("open"),
        low <= pl.col("close"),
        pl.col("open") <= high,
        pl.col("close") <= high,
        pl.col("ts") <= now,
    ]
    tests += [pl.col(c).is_between(0, _INFINITY, closed="left") for c in _amounts(bars)]
    return all(bars.select(test.all().alias(str(i)) for i, test in enumerate(tests)).row(0))


def _amounts(bars: pl.DataFrame) -> list[str]:
    """Columns other than prices that hold something to test."""
    return [
        name
        for name in ("volume", "vwap", "trades")
        if name in bars.columns and bars.get_column(name).null_count() < bars.height
    ]


def _reasons(bars: pl.DataFrame, prices: PriceRange, now: datetime) -> dict[str, pl.Expr]:
    """Reason to an expression that is never null."""
    columns = [pl.col(c) for c in PRICES]
    high, low = pl.col("high"), pl.col("low")
    finite = [c.is_finite().fill_null(value=False) for c in columns]
    weights = [pl.col(c) for c in _amounts(bars) if c != "trades"]
    finite += [c.is_finite().fill_null(value=True) for c in weights]
    counted = [(pl.col(c) < 0).fill_null(value=False) for c in _amounts(bars) if c != "vwap"]
    priced = [*columns, *(w for w in weights if w.meta.output_name() == "vwap")]
    # A price that is not finite has that reason alone; the other tests would say nothing more.
    usable = pl.all_horizontal(c.is_finite().fill_null(value=False) for c in columns)
    ohlc = (high < pl.max_horizontal("open", "low", "close")) | (
        low > pl.min_horizontal("open", "high", "close")
    )
    in_range = pl.all_horizontal((c >= prices.low) & (c <= prices.high) for c in columns)
    positive = pl.all_horizontal((c > 0) | c.is_null() | c.is_nan() for c in priced)
    return {
        "not_finite": ~pl.all_horizontal(finite),
        "not_positive": ~positive,
        "ohlc": (ohlc & usable).fill_null(value=False),
        "price_range": (~in_range & usable).fill_null(value=False),
        "negative_volume": pl.any_horizontal(counted) if counted else pl.lit(value=False),
        "future": (pl.col("ts") > now).fill_null(value=False),
    }
