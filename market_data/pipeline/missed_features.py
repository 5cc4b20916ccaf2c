"""Missed slices of features: what waits for what, comparing them, and making them without a graph.

What belongs here: the features of the bars of one timeframe with all that is made of them, as one
slice. What does not: bars, scores, events and tables (missed.py), runs of the graph
(jobs/failover.py).

Features are compared with what the stored bars, events and regimes give now. So a slice of them is
looked at once nothing is open any more that it is made of: of bars that are missing themselves no
features are missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import polars as pl

from market_data.datasets import FEATURES, MACRO_CALENDAR, REGIME_STATS_DATASET, Dataset
from market_data.failover.state import MissedSlice
from market_data.features.registry import FEATURE_TIMEFRAMES, Kind, bar_groups, group_for
from market_data.pipeline.curate import chunks, step_days
from market_data.pipeline.feature_context import (
    confluence_now,
    macro_context_now,
    make_confluence,
    make_macro_context,
    make_regime_stats,
    regime_stats_now,
)
from market_data.pipeline.features import features_now, make_features
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.quality.digest import RowsDigest, rows_digest
from market_data.timeframes import Timeframe

_PREFIX = "features/bars_"
_AT_ONCE = 64
"""Symbols that are compared together."""


def features_of(timeframe: Timeframe) -> str:
    """Name of the slice of a timeframe: its features, and what is made of them.

    That of 1d has the macro context, too, which each day has once.
    """
    return f"{_PREFIX}{timeframe}"


def is_features(dataset: str) -> bool:
    """Whether a slice is one of features."""
    return dataset.startswith(_PREFIX)


def timeframes_of(keys: Iterable[str]) -> list[Timeframe]:
    """Of which bars' slices some features are a part.

    Args:
        keys: layer/name of features and marts; others are left out.
    """
    names = {key.partition("/")[2] for key in keys if key.startswith(("features/", "marts/"))}
    found = [t for t in FEATURE_TIMEFRAMES if names & {g.key for g in bar_groups(t)}]
    daily = {group_for(Kind.MACRO_CONTEXT).key}
    # They are made with features of any timeframe; alone, with those of days.
    daily |= set() if found else {group_for(Kind.CONFLUENCE).key, "regime_stats"}
    return [Timeframe.D1, *found] if names & daily and Timeframe.D1 not in found else found


def waits(missed: MissedSlice, others: Iterable[MissedSlice]) -> bool:
    """Whether a slice of features is made of what is open itself.

    Args:
        missed: any slice; none but features wait.
        others: slices that are open.
    """
    if not is_features(missed.dataset):
        return False
    return any(
        (other.dataset == MACRO_CALENDAR.name and missed.timeframe is Timeframe.D1)
        or (
            other.dataset.startswith(("curated/bars_", "quality/scores"))
            and not set(missed.symbols).isdisjoint(other.symbols)
        )
        for other in others
    )


def compare_features(platform: Platform, missed: MissedSlice) -> tuple[RowsDigest, RowsDigest]:
    """The rows of a slice as they would be made now, and as they are stored; writes nothing.

    Raises:
        StoreUnavailableError: the warehouse does not answer.
    """
    anew, store = RowsDigest(), RowsDigest()
    timeframe = _timeframe(missed)
    for span in chunks(*missed.sessions, min(31, step_days(platform, timeframe))):
        for number in range(0, len(missed.symbols), _AT_ONCE):
            names = list(missed.symbols[number : number + _AT_ONCE])
            for dataset, rows in _now(platform, timeframe, names, span):
                stored = platform.store.scan(dataset, symbols=names, sessions=span)
                anew, store = anew + rows_digest(rows), store + rows_digest(stored)
    return anew, store


def make_missed_features(
    platform: Platform, missed: MissedSlice, progress: Progress = silent
) -> None:
    """Make a slice; the same again changes nothing.

    Raises:
        StoreUnavailableError: the warehouse does not answer.
    """
    timeframe, asked = _timeframe(missed), (list(missed.symbols), *missed.sessions)
    make_features(platform, bar_groups(timeframe), *asked, progress=progress)
    make_confluence(platform, *asked, progress=progress)
    make_regime_stats(platform, *asked, progress=progress)
    if timeframe is Timeframe.D1:
        make_macro_context(platform, *asked, progress=progress)


def _now(
    platform: Platform, timeframe: Timeframe, names: list[str], span: tuple[date, date]
) -> Iterator[tuple[Dataset, pl.DataFrame]]:
    """Each dataset of a slice with its rows as they would be now."""
    groups = bar_groups(timeframe)
    made = features_now(platform, groups, names, *span)
    for group in groups:
        yield FEATURES[group.key], made[group.kind]
    yield FEATURES[group_for(Kind.CONFLUENCE).key], confluence_now(platform, names, span)
    yield REGIME_STATS_DATASET, regime_stats_now(platform, names, span)
    if timeframe is Timeframe.D1:
        context = macro_context_now(platform, names, span)
        yield FEATURES[group_for(Kind.MACRO_CONTEXT).key], context


def _timeframe(missed: MissedSlice) -> Timeframe:
    if missed.timeframe is None:
        raise ValueError(f"{missed.dataset} is no slice of features")
    return missed.timeframe
