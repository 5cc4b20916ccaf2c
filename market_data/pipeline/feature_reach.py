"""How far after a range its bars have a part in features, by the bars that are there.

What belongs here: the last session that averages reach from a bar. What does not: how many bars
they begin before (market_data/features/windows.py), making features anew (features.py).

A stretch of features begins WARM_UP bars before its first session, however far back these lie. So
the bars before a hole have a part in the features behind it, if the hole is of years.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from market_data.datasets import curated_bars
from market_data.features.registry import WARM_UP
from market_data.features.windows import LOOK_BACK, stretch_of, touched_until
from market_data.pipeline.feature_bars import FURTHEST_AT_ONCE, FeatureBars
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)
_AT_ONCE = 64
"""Symbols whose bars are counted together."""


def reached_until(
    platform: Platform, timeframe: Timeframe, symbols: Sequence[str], last: date
) -> date:
    """The last session whose features may be made of bars of some symbols until a session.

    It is that of `touched_until`, which holds WARM_UP bars of any market; where a symbol has fewer,
    it is the end of the stretch in which it has had as many.

    Args:
        platform: holds the bars.
        timeframe: of the bars.
        symbols: whose; those that are no longer in the universe reach no further than any.
        last: that session.

    Raises:
        StoreUnavailableError: the warehouse does not answer.
    """
    reached = reached_by(platform, timeframe, symbols, last)
    return max([touched_until(timeframe, last), *reached.values()])


def reached_by(
    platform: Platform, timeframe: Timeframe, symbols: Sequence[str], last: date
) -> dict[str, date]:
    """The same by symbol: of those that reach further than `touched_until` alone."""
    known = {instrument.symbol for instrument in platform.universe.instruments}
    wanted = [symbol for symbol in symbols if symbol in known]
    found: dict[str, date] = {}
    for number in range(0, len(wanted), _AT_ONCE):
        found |= _reached(platform, timeframe, wanted[number : number + _AT_ONCE], last)
    return found


def _reached(
    platform: Platform, timeframe: Timeframe, symbols: Sequence[str], last: date
) -> dict[str, date]:
    latest = platform.store.latest(curated_bars(timeframe), symbols=symbols)
    newest = dict(latest.select("symbol", "session").iter_rows())
    begin, until, reach = last + _DAY, touched_until(timeframe, last), LOOK_BACK[timeframe]
    # Nothing is read of those whose bars end within it: nothing lies beyond.
    lacking = {symbol: WARM_UP for symbol, day in newest.items() if day > until}
    found: dict[str, date] = {}
    while lacking:
        read = FeatureBars(platform, timeframe).read(sorted(lacking), begin, until)
        for symbol, count in read.group_by("symbol").len().iter_rows():
            lacking[symbol] -= count
        lacking = {s: n for s, n in lacking.items() if n > 0 and newest[s] > until}
        begin, until = until + _DAY, stretch_of(timeframe, until + reach)[1]
        found |= dict.fromkeys(lacking, until)
        reach = min(2 * reach, FURTHEST_AT_ONCE * LOOK_BACK[timeframe])
    return found
