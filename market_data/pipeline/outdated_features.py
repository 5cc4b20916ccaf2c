"""Which stored features another definition made than the one in force.

What belongs here: comparing the digests that rows keep. What does not: making them
(market_data/pipeline/features.py), definitions (market_data/features/registry.py), bars that are
out of date (outdated.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.datasets import FEATURES
from market_data.features.registry import bar_groups
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
