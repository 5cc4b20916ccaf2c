"""How far a backfill reaches: all that it may change, beside its own sessions too.

What belongs here: from a plan to the slices of every stored dataset, none of them twice. What does
not: what it makes in its own sessions (scope.py), keeping and putting back (pipeline/rollback.py).

A bar is judged by those around it, so that flags and scores beside a range change with it. It has a
part in the features of bars after it and in the labels of bars before it, and what is made of these
follows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta

from market_data.backfill.plans import CURATED, BackfillPlan, Piece
from market_data.backfill.scope import Stored
from market_data.datasets import (
    FEATURES,
    FLAGS_DATASET,
    REGIME_STATS_DATASET,
    SCORES_DATASET,
    Dataset,
    curated_bars,
)
from market_data.datasets import STORED as KNOWN
from market_data.features.labels import FURTHEST
from market_data.features.registry import FEATURE_TIMEFRAMES, Kind, bar_groups, group_for
from market_data.features.windows import touched_until
from market_data.pipeline.feature_context import LONGEST_CLOSURE
from market_data.pipeline.surroundings import judged_beside
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)
_JUDGED_BESIDE = sum(judged_beside(Timeframe.D1), 2 * _DAY)
"""Flags lie no further away that change with bars: of long bars those that are judged by them, of
minutes those that are found anew as far as closes are read (`surroundings.closes_around`)."""
_Span = tuple[date, date]
Until = Callable[[Timeframe, Sequence[str], date], date]
"""The last session whose features bars of some symbols until a session have a part in."""


def without_holes(timeframe: Timeframe, symbols: Sequence[str], last: date) -> date:  # noqa: ARG001
    """That of symbols without holes of years, whoever they are."""
    return touched_until(timeframe, last)


def reach_of(plan: BackfillPlan, until: Until = without_holes) -> tuple[Stored, ...]:
    """Every slice that a backfill may change; each symbol and session of a dataset lies in one.

    A backfill of raw bars alone changes no stored dataset.

    Args:
        plan: of the backfill.
        until: how far its bars have a part in features; by the bars that are stored, see
            `market_data.pipeline.feature_reach`.
    """
    if plan.request.layer != CURATED:
        return ()
    return _merged(slice_ for piece in plan.pieces for slice_ in _reach(piece, until))


def _reach(piece: Piece, until: Until) -> Iterator[Stored]:
    made = (piece.timeframe, *piece.also)
    if piece.curated:
        for timeframe in made:
            yield Stored(curated_bars(timeframe), piece.symbols, (piece.first, piece.last))
        for dataset in (SCORES_DATASET, FLAGS_DATASET):
            span = piece.first - _JUDGED_BESIDE, piece.last + _JUDGED_BESIDE
            yield Stored(dataset, piece.symbols, span)
    yield from (Stored(dataset, piece.symbols, span) for dataset, span in _features(piece, until))


def _features(piece: Piece, until: Until) -> Iterator[tuple[Dataset, _Span]]:
    first, last = piece.first, piece.last
    any_made = False
    for timeframe in piece.featured:
        end = until(timeframe, piece.symbols, last)
        for group in bar_groups(timeframe):
            any_made = True
            labels = group.kind is Kind.LABELS
            begin = first - timedelta(days=FURTHEST[timeframe]) if labels else first
            yield FEATURES[group.key], (begin, last if labels else end)
    if any_made:
        ends = (until(timeframe, piece.symbols, last) for timeframe in FEATURE_TIMEFRAMES)
        end = max(ends) + LONGEST_CLOSURE
        yield FEATURES[group_for(Kind.CONFLUENCE).key], (first, end)
        yield REGIME_STATS_DATASET, (first - timedelta(days=max(FURTHEST.values())), end)
    if piece.curated and Timeframe.D1 in piece.featured:
        yield FEATURES[group_for(Kind.MACRO_CONTEXT).key], (first, last)


def _merged(slices: Iterable[Stored]) -> tuple[Stored, ...]:
    """The same symbols and sessions, none of them twice; those of the same sessions together."""
    days: dict[tuple[str, str], list[_Span]] = {}
    for slice_ in slices:
        for symbol in slice_.symbols:
            days.setdefault((slice_.dataset.name, symbol), []).append(slice_.sessions)
    whose: dict[tuple[str, _Span], list[str]] = {}
    for (name, symbol), spans in days.items():
        for span in _joined(spans):
            whose.setdefault((name, span), []).append(symbol)
    known = {dataset.name: dataset for dataset in KNOWN}
    return tuple(
        Stored(known[name], tuple(symbols), span) for (name, span), symbols in whose.items()
    )


def _joined(spans: Iterable[_Span]) -> list[_Span]:
    """Spans that overlap or follow each other as one."""
    found: list[_Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + _DAY:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found
