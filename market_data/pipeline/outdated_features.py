"""Which stored features another definition made than the one in force, or will be made by bars.

What belongs here: comparing the digests that rows keep, and which bars stored features stand on.
What does not: making them (market_data/pipeline/features.py), definitions
(market_data/features/registry.py), bars that are out of date (outdated.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import cast

import polars as pl

from market_data.datasets import FEATURES
from market_data.features.labels import FURTHEST
from market_data.features.registry import bar_groups
from market_data.features.windows import touched_until
from market_data.pipeline.feature_reach import reached_by
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

_KEY = ["symbol", "session"]


def by_other_definitions(
    platform: Platform,
    symbols: Sequence[str],
    timeframe: Timeframe,
    sessions: tuple[date, date],
) -> pl.DataFrame:
    """Symbol-sessions of whose features any group was made by another definition.

    What was never made is not out of date.

    Args:
        platform: configuration and ports.
        symbols: whose.
        timeframe: of the bars.
        sessions: first and last session.

    Returns:
        Columns symbol, session, each pair once.
    """
    found = [pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})]
    for group in bar_groups(timeframe):
        rows = platform.store.scan(
            FEATURES[group.key],
            symbols=symbols,
            sessions=sessions,
            columns=[*_KEY, "definition"],
        )
        found.append(rows.filter(pl.col("definition") != group.definition).select(_KEY).unique())
    return pl.concat(found).unique()


def with_features(
    platform: Platform,
    symbols: Sequence[str],
    timeframe: Timeframe,
    sessions: tuple[date, date],
) -> pl.DataFrame:
    """Symbol-sessions of which features of any group are stored: symbol, session, each once."""
    found = [pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})]
    for group in bar_groups(timeframe):
        dataset = FEATURES[group.key]
        rows = platform.store.scan(dataset, symbols=symbols, sessions=sessions, columns=_KEY)
        found.append(rows.unique())
    return pl.concat(found).unique()


def under_features(
    platform: Platform, timeframe: Timeframe, sessions: pl.DataFrame
) -> pl.DataFrame:
    """Sessions whose bars have a part in stored features: those of the same and of later sessions.

    Labels of earlier sessions are told by them, too. It looks at the months that hold features of a
    symbol, and reads none; where the next of them lie far behind the last session, it counts the
    bars between.

    Args:
        platform: configuration and ports.
        timeframe: of the bars.
        sessions: symbol, session.

    Returns:
        Columns symbol, session, each once, in no order.
    """
    held = [
        counted.select("symbol", "month")
        for group in bar_groups(timeframe)
        if not (counted := platform.store.counts(FEATURES[group.key])).is_empty()
    ]
    days = sessions.select(_KEY).unique()
    if not held or days.is_empty():
        return days.clear()
    months = pl.concat(held).unique().with_columns(_end=pl.col("month").dt.month_end())
    begin = pl.col("session") - pl.duration(days=FURTHEST[timeframe])
    known = days["session"].unique()
    until = pl.DataFrame(
        {"session": known, "_until": [touched_until(timeframe, day) for day in known]},
        schema={"session": pl.Date, "_until": pl.Date},
    )
    following = (
        days.join(until, on="session")
        .with_columns(_begin=begin)
        .sort("_begin")
        # The first month that does not end before the session's labels begin.
        .join_asof(
            months.sort("_end"),
            left_on="_begin",
            right_on="_end",
            by="symbol",
            strategy="forward",
            check_sortedness=False,
        )
    )
    near = pl.col("month") <= pl.col("_until")
    behind = _behind_holes(platform, timeframe, following.filter(~near))
    return pl.concat([following.filter(near).select(_KEY), behind])


def _behind_holes(platform: Platform, timeframe: Timeframe, far: pl.DataFrame) -> pl.DataFrame:
    """Of each symbol the newest of some sessions, where it has a part in features far behind it.

    Args:
        platform: holds the bars.
        timeframe: of the bars.
        far: symbol, session, month: of the next stored features.
    """
    found = [pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})]
    last = far.sort("session").group_by("symbol").last()
    for (day,), some in last.group_by("session"):
        reached = reached_by(platform, timeframe, some["symbol"].to_list(), cast("date", day))
        ends = pl.DataFrame(
            {"symbol": list(reached), "_reached": list(reached.values())},
            schema={"symbol": pl.String, "_reached": pl.Date},
        )
        within = some.join(ends, on="symbol").filter(pl.col("month") <= pl.col("_reached"))
        found.append(within.select(_KEY))
    return pl.concat(found)
