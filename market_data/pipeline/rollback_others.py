"""What others made since a snapshot within the reach of a backfill: found, left there, made anew.

What belongs here: which symbols and sessions these are, and their scores and features once the bars
are back. What does not: bars that others fetched within the backfill's own sessions, putting slices
back (rollback.py).

A backfill changes stored features beside its sessions and adds none, so a session that has some now
and had none at the time of the snapshot is another's. What others made stays where it is and is
made anew of the bars that are put back: the snapshot knows nothing of it, or what was before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial

import polars as pl

from market_data.backfill.plans import Span
from market_data.backfill.reach import reach_of
from market_data.backfill.records import Backfill
from market_data.backfill.scope import Scope, Stored
from market_data.datasets import FEATURES, FLAGS_DATASET, REGIME_STATS_DATASET, SCORES_DATASET
from market_data.features.registry import FEATURE_TIMEFRAMES, Kind, bar_groups, group_for
from market_data.pipeline.feature_context import (
    make_confluence,
    make_macro_context,
    make_regime_stats,
)
from market_data.pipeline.feature_reach import reached_until
from market_data.pipeline.features import make_features
from market_data.pipeline.outdated_features import with_features
from market_data.pipeline.platform import Platform, Progress
from market_data.pipeline.score import score_range
from market_data.ports import BarStore

_KEY = ["symbol", "session"]
_HOLIDAYS = timedelta(days=4)
_JUDGED = (SCORES_DATASET.name, FLAGS_DATASET.name)
_MADE = ("features/", "marts/")
"""Layers of what is made of bars."""


def in_spans(frame: pl.DataFrame, spans: Sequence[Span]) -> pl.DataFrame:
    """The rows of a frame with symbol and session that lie in any span, in their order.

    Args:
        frame: with these columns.
        spans: see `Span`.
    """
    schema = {"symbol": pl.String, "_first": pl.Date, "_last": pl.Date}
    inside = (
        frame.select(_KEY)
        .unique()
        .join(pl.DataFrame(spans, schema=schema, orient="row"), on="symbol")
        .filter(pl.col("session").is_between("_first", "_last"))
    )
    return frame.join(inside, on=_KEY, how="semi", maintain_order="left")


def made_by_others(
    platform: Platform,
    scope: Scope,
    slices: Sequence[Stored],
    kept: BarStore,
    since: datetime,
    runs: Collection[str],
    backfills: Iterable[Backfill],
) -> tuple[Span, ...]:
    """Symbols and sessions within the reach of a backfill of which others have changed something.

    Args:
        platform: configuration and ports.
        scope: of the backfill.
        slices: that the snapshot holds.
        kept: the snapshot.
        since: its moment.
        runs: of the backfill.
        backfills: others that were launched, or changed their state, since: whatever they reach.
    """
    reached = {(slice_.symbols, slice_.sessions) for slice_ in slices}
    found: set[Span] = set()
    for attempt in platform.journal.runs(since=since, limit=None):
        if attempt.run_id not in runs and attempt.new_rows > 0:
            found |= set(_cut(attempt.symbols, attempt.sessions, reached))
    for backfill in backfills:
        for other in reach_of(backfill.plan, partial(reached_until, platform)):
            found |= set(_cut(other.symbols, other.sessions, reached))
    own = _own(scope)
    for slice_ in slices:
        if slice_.dataset.name.startswith(_MADE) or slice_.dataset == SCORES_DATASET:
            new = _sessions(platform.store, slice_).join(
                _sessions(kept, slice_), on=_KEY, how="anti"
            )
            new = new.join(in_spans(new, own), on=_KEY, how="anti")
            found |= {(symbol, first, last) for symbol, first, last in _stretches(new)}
    return tuple(sorted(found))


def that_stay(
    scope: Scope, slice_: Stored, others: Sequence[Span], now: pl.DataFrame
) -> pl.DataFrame:
    """The rows of a slice that others made, which are not put back.

    Args:
        scope: of the backfill.
        slice_: of a dataset.
        others: of `made_by_others`.
        now: its rows in the store.
    """
    name = slice_.dataset.name
    if not name.startswith(_MADE) and name not in _JUDGED:
        return now.clear()
    theirs = in_spans(now, others)
    if name in _JUDGED:
        own = in_spans(theirs, _own(scope)).select(_KEY).unique()
        theirs = theirs.join(own, on=_KEY, how="anti", maintain_order="left")
    return theirs


def make_others_anew(
    platform: Platform, scope: Scope, spans: Sequence[Span], tell: Progress
) -> None:
    """Make stored scores and features of some symbols and sessions anew of the bars as they are.

    Args:
        platform: configuration and ports.
        scope: of the backfill; scores of its own sessions are made by others.
        spans: see `Span`.
        tell: hears of progress.
    """
    if not spans:
        return
    whole = Stored(
        SCORES_DATASET,
        tuple(sorted({symbol for symbol, *_ in spans})),
        (min(first for _, first, _ in spans), max(last for *_, last in spans)),
    )
    scores = in_spans(_sessions(platform.store, whole), spans)
    scores = scores.join(in_spans(scores, _own(scope)), on=_KEY, how="anti")
    for symbol, first, last in _stretches(scores):
        tell(f"{symbol} {first} to {last} was changed by others since: scored anew")
        score_range(platform, [symbol], first, last)
    for timeframe in FEATURE_TIMEFRAMES:
        stored = with_features(platform, whole.symbols, timeframe, whole.sessions)
        for symbol, first, last in _stretches(in_spans(stored, spans)):
            tell(f"features of {symbol} {timeframe} {first} to {last} are made anew")
            make_features(platform, bar_groups(timeframe), [symbol], first, last)
    for dataset, make in (
        (FEATURES[group_for(Kind.CONFLUENCE).key], make_confluence),
        (FEATURES[group_for(Kind.MACRO_CONTEXT).key], make_macro_context),
        (REGIME_STATS_DATASET, make_regime_stats),
    ):
        stored = _sessions(platform.store, Stored(dataset, whole.symbols, whole.sessions))
        for symbol, first, last in _stretches(in_spans(stored, spans)):
            make(platform, [symbol], first, last)


def _own(scope: Scope) -> list[Span]:
    return sorted({(symbol, *s.sessions) for s in scope.stored for symbol in s.symbols})


def _cut(
    symbols: Iterable[str],
    sessions: tuple[date, date],
    reached: Iterable[tuple[tuple[str, ...], tuple[date, date]]],
) -> Iterator[Span]:
    """The part of a range that lies in what a backfill reaches."""
    wanted = set(symbols)
    for of, (begin, end) in reached:
        first, last = max(begin, sessions[0]), min(end, sessions[1])
        if first <= last:
            yield from ((symbol, first, last) for symbol in of if symbol in wanted)


def _sessions(store: BarStore, slice_: Stored) -> pl.DataFrame:
    """Symbol and session of what is stored of a slice, each once."""
    return store.scan(
        slice_.dataset, symbols=slice_.symbols, sessions=slice_.sessions, columns=_KEY
    ).unique()


def _stretches(days: pl.DataFrame) -> Iterator[Span]:
    """Symbol-sessions as stretches, over weekends and holidays."""
    held: list[Span] = []
    for symbol, day in days.select(_KEY).unique().sort(_KEY).iter_rows():
        if held and held[-1][0] == symbol and day <= held[-1][2] + _HOLIDAYS:
            held[-1] = (symbol, held[-1][1], day)
        else:
            held.append((symbol, day, day))
    return iter(held)
