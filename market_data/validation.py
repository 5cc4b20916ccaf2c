"""Rules about the values of one row: which bars are refused, and why.

What belongs here: tests that need no other row, their reasons, and the split into good and bad.
Tests that need the calendar or other rows (curation/placement.py, contradictions) are handed in
as ready columns. What does not: what becomes of refused rows (market_data/quarantine.py).

Reasons: not_finite, not_positive, ohlc, price_range, negative_volume, future, and those handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Literal, NamedTuple

import polars as pl

from market_data.schemas import PRICES

REASONS = ("not_finite", "not_positive", "ohlc", "price_range", "negative_volume", "future")
"""Why a row is refused by itself, whatever is handed in."""
_INFINITY = float("inf")
_LONG = 1_000_000
"""Rows from which the streaming engine's start pays."""


class PriceRange(NamedTuple):
    """Lowest and highest price that a bar may hold; numbers, or a column each."""

    low: float | pl.Expr
    high: float | pl.Expr


@dataclass(frozen=True)
class Broken:
    """Rows that break a rule.

    Attributes:
        flags: true for each of them, as long as the rows that were judged.
        reasons: of each of them in order, every reason, sorted and comma-separated.
    """

    flags: pl.Series
    reasons: pl.Series


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
        The rows apart, each part in the order given. Without a bad row `good` is the frame itself.
    """
    broken = find_broken(bars, prices=prices, now=now, also=also)
    if broken is None:
        return Validated(bars, bars.clear().with_columns(reasons=pl.lit("")))
    return Validated(
        bars.filter(~broken.flags),
        bars.filter(broken.flags).with_columns(broken.reasons.alias("reasons")),
    )


def find_broken(
    bars: pl.DataFrame,
    *,
    prices: PriceRange,
    now: datetime,
    also: Mapping[str, pl.Series] | None = None,
    spared: pl.Series | None = None,
) -> Broken | None:
    """The rows that break a rule, and all the rules that each breaks; None where there is none.

    Args:
        bars: as for `validate_rows`.
        prices: bounds of every price, both included.
        now: a bar that starts after it is `future`.
        also: further reasons, each with a Boolean series as long as `bars`.
        spared: rows that are not judged at all.
    """
    also = also or {}
    found = list(also.values())
    tests = _tests(bars, prices, now)
    if not _all_hold(bars, tests):
        found.append(bars.select(~pl.all_horizontal(tests.values())).to_series())
    if not found:
        return None
    flags = reduce(or_, found)
    if spared is not None:
        flags = flags & ~spared
    if not flags.any():
        return None
    rows = bars.filter(flags).with_columns(s.filter(flags).alias(f"_{n}") for n, s in also.items())
    named = _reasons(rows, prices, now) | {name: pl.col(f"_{name}") for name in also}
    texts = [pl.when(named[name]).then(pl.lit(name)) for name in sorted(named)]
    reasons = rows.select(reasons=pl.concat_str(texts, separator=",", ignore_nulls=True))
    return Broken(flags, reasons.to_series())


def _all_hold(bars: pl.DataFrame, tests: Mapping[str, pl.Expr]) -> bool:
    """Whether every row passes every test."""
    passed = bars.lazy().select(t.all(ignore_nulls=False).alias(n) for n, t in tests.items())
    # Piece by piece a long column is read from memory once for all tests, not once for each.
    engine: Literal["streaming", "in-memory"] = "streaming" if bars.height >= _LONG else "in-memory"
    return all(passed.collect(engine=engine).row(0))


def _tests(bars: pl.DataFrame, prices: PriceRange, now: datetime) -> dict[str, pl.Expr]:
    """What holds for a good row, as few and as cheap comparisons as tell; never null.

    NaN is greater than every number in comparisons, so a NaN fails one of them: as high the upper
    bound, as open or close the high, as low the open.
    """
    low, high = pl.col("low"), pl.col("high")
    floor, ceiling = low >= prices.low, high <= prices.high
    # A bound that is a number says the rest by itself.
    if isinstance(prices.low, pl.Expr) or prices.low <= 0:
        floor = floor & (low > 0)
    if isinstance(prices.high, pl.Expr) or prices.high == _INFINITY:
        ceiling = ceiling & (high < _INFINITY)
    tests = {
        "floor": floor,
        "ceiling": ceiling,
        "low_open": low <= pl.col("open"),
        "low_close": low <= pl.col("close"),
        "open_high": pl.col("open") <= high,
        "close_high": pl.col("close") <= high,
        "past": pl.col("ts") <= now,
    }
    if any(bars.get_column(c).null_count() for c in (*PRICES, "ts")):
        tests = {name: test.fill_null(value=False) for name, test in tests.items()}
    for name in _amounts(bars):
        test = pl.col(name).is_between(0, _INFINITY, closed="left")
        tests[name] = test.fill_null(value=True) if bars.get_column(name).null_count() else test
    return tests


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
    counted = [(pl.col(c) < 0).fill_null(value=False) for c in _amounts(bars)]
    # A price that is not finite has that reason alone; the other tests would say nothing more.
    usable = pl.all_horizontal(c.is_finite().fill_null(value=False) for c in columns)
    ohlc = (high < pl.max_horizontal("open", "low", "close")) | (
        low > pl.min_horizontal("open", "high", "close")
    )
    in_range = pl.all_horizontal((c >= prices.low) & (c <= prices.high) for c in columns)
    positive = pl.all_horizontal((c > 0) | c.is_null() | c.is_nan() for c in columns)
    return {
        "not_finite": ~pl.all_horizontal(finite),
        "not_positive": ~positive,
        "ohlc": (ohlc & usable).fill_null(value=False),
        "price_range": (~in_range & usable).fill_null(value=False),
        "negative_volume": pl.any_horizontal(counted) if counted else pl.lit(value=False),
        "future": (pl.col("ts") > now).fill_null(value=False),
    }
