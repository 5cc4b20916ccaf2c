"""Stored features that the splits on record would make otherwise.

What belongs here: finding them where splits were told late and change no stored bar. What does
not: features of bars that changed (features_touched.py), making them anew (features.py).

Bars are kept as traded, so that a split told late may change none of them; windows over its ex-date
and labels before it change all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from market_data.datasets import FEATURES
from market_data.features.registry import bar_groups
from market_data.features.windows import touched_until
from market_data.pipeline.features import features_now
from market_data.pipeline.features_touched import Touched, touched
from market_data.pipeline.outdated import Outdated
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

_KEY = ["symbol", "ts"]
_CLOSED = timedelta(days=5)
"""The first session since an ex-date that is none begins within so many days."""


def stale_at_splits(
    platform: Platform, symbol: str, rebuilt: Iterable[Outdated] = ()
) -> list[Touched]:
    """Features of the sessions at splits that would be others now.

    To make them anew makes all those beside them anew in which the split has a part. Splits that
    were taken back are looked at, too.

    Args:
        platform: configuration and ports.
        symbol: of the universe.
        rebuilt: bars that are made anew with their features: where these reach is left out.

    Raises:
        StoreUnavailableError: the warehouse does not answer.
    """
    stated = platform.actions.history(symbols=[symbol])
    days = stated.filter(pl.col("kind") == "split")["ex_date"].unique().sort()
    spans = [(found.timeframe, found.first, _reached(found)) for found in rebuilt]
    stale = []
    for found in touched(platform, symbol, [(day, day) for day in days]):
        others = tuple(
            timeframe
            for timeframe in found.timeframes
            if not any(t is timeframe and a <= found.first <= b for t, a, b in spans)
            and _differs(platform, timeframe, symbol, (found.first, found.last + _CLOSED))
        )
        if others:
            stale.append(replace(found, timeframes=others))
    return stale


def _reached(found: Outdated) -> date:
    return touched_until(found.timeframe, found.last)


def _differs(
    platform: Platform, timeframe: Timeframe, symbol: str, sessions: tuple[date, date]
) -> bool:
    groups = bar_groups(timeframe)
    now = features_now(platform, groups, [symbol], *sessions)
    for group in groups:
        stored = platform.store.scan(FEATURES[group.key], symbols=[symbol], sessions=sessions)
        same = now[group.kind].join(stored, on=_KEY, how="semi", maintain_order="left")
        # Which definition made them is another question.
        if not same.drop("definition").equals(stored.drop("definition")):
            return True
    return False
