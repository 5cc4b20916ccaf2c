"""Which stored features a change of bars, of splits or of decisions about sessions touches.

What belongs here: from a symbol and sessions to the ranges to make anew. What does not: making them
(market_data/pipeline/features.py), which rows another definition made (outdated_features.py).

Features that were never made are not out of date. It looks at the months that hold features of a
symbol, and reads none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from market_data.datasets import FEATURES
from market_data.features.labels import FURTHEST
from market_data.features.registry import FEATURE_TIMEFRAMES, bar_groups
from market_data.features.windows import touched_until
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

Sessions = tuple[date, date]


@dataclass(frozen=True)
class Touched:
    """Features to make anew: as one range, beside which they change what belongs to it.

    Attributes:
        symbol: whose.
        timeframes: of the bars.
        first: first session.
        last: last session, included.
    """

    symbol: str
    timeframes: tuple[Timeframe, ...]
    first: date
    last: date


def touched(platform: Platform, symbol: str, changed: Iterable[Sessions]) -> list[Touched]:
    """The stored features of a symbol in which some of its sessions have a part.

    Args:
        platform: configuration and ports.
        symbol: of the universe, or one that was.
        changed: first and last session of each range that is other than it was.

    Returns:
        One per range of sessions; a range of which no features are stored is cut to the nearest
        session that has some, as what lies beside a range is made anew with it.
    """
    found: dict[Sessions, list[Timeframe]] = {}
    spans = list(changed)
    for timeframe in FEATURE_TIMEFRAMES if spans else ():
        held = _held(platform, symbol, timeframe)
        if held is None:
            continue
        begin, end = held
        for first, last in spans:
            before = first - timedelta(days=FURTHEST[timeframe])
            if before <= end and touched_until(timeframe, last) >= begin:
                span = min(max(first, begin), end), max(min(last, end), begin)
                found.setdefault(span, []).append(timeframe)
    return [Touched(symbol, tuple(t), *span) for span, t in sorted(found.items())]


def _held(platform: Platform, symbol: str, timeframe: Timeframe) -> Sessions | None:
    """First and last day of the months that hold features of a symbol."""
    months = pl.concat(
        platform.store.counts(FEATURES[group.key])
        .filter(pl.col("symbol") == symbol)
        .select(pl.col("month").cast(pl.Date))
        for group in bar_groups(timeframe)
    )
    first, last = months.select(
        first=pl.col("month").min(), last=pl.col("month").dt.month_end().max()
    ).row(0)
    return None if first is None else (first, last)
