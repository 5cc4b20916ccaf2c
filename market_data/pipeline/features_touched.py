"""Which stored features a change of bars, of splits or of decisions about sessions touches.

What belongs here: from a symbol and sessions to the ranges to make anew. What does not: making them
(market_data/pipeline/features.py), which rows another definition made (outdated_features.py).

Features that were never made are not out of date.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from market_data.datasets import FEATURES
from market_data.features.labels import FURTHEST
from market_data.features.registry import FEATURE_TIMEFRAMES, bar_groups
from market_data.pipeline.curate import chunks
from market_data.pipeline.feature_reach import reached_until
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

Sessions = tuple[date, date]
_FINE = 60
"""Minutes of a bar: of shorter ones features are looked for month by month."""


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
        newest = _newest(platform, symbol, timeframe)
        for first, last in spans if newest else ():
            until = reached_until(platform, timeframe, [symbol], last)
            since = first - timedelta(days=FURTHEST[timeframe])
            held = _held(platform, symbol, timeframe, (since, min(until, max(newest))))
            if held is not None:
                begin, end = held
                span = min(max(first, begin), end), max(min(last, end), begin)
                found.setdefault(span, []).append(timeframe)
    return [Touched(symbol, tuple(t), *span) for span, t in sorted(found.items())]


def _newest(platform: Platform, symbol: str, timeframe: Timeframe) -> list[date]:
    """The newest session of each group of features that a symbol has."""
    store = platform.store
    newest = (store.latest(FEATURES[g.key], symbols=[symbol]) for g in bar_groups(timeframe))
    return [day for rows in newest for day in rows["session"]]


def _held(
    platform: Platform, symbol: str, timeframe: Timeframe, within: Sessions
) -> Sessions | None:
    """First and last session within a range of which features are stored."""
    days = 31 if timeframe.minutes < _FINE else 366
    pieces = list(chunks(*within, days))
    first = next(filter(None, (_sessions(platform, symbol, timeframe, p) for p in pieces)), None)
    if first is None:
        return None
    last = next(filter(None, (_sessions(platform, symbol, timeframe, p) for p in pieces[::-1])))
    return min(first), max(last)


def _sessions(platform: Platform, symbol: str, timeframe: Timeframe, piece: Sessions) -> list[date]:
    for group in bar_groups(timeframe):
        rows = platform.store.scan(
            FEATURES[group.key], symbols=[symbol], sessions=piece, columns=["session"]
        )
        if not rows.is_empty():
            return rows["session"].unique().to_list()
    return []
