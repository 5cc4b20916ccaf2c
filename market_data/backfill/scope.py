"""What a backfill may change: slices of stored datasets, and what is asked of vendors.

What belongs here: from a plan to both. What does not: what changes beside its sessions (reach.py),
keeping and putting back what they hold (market_data/pipeline/rollback.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from market_data.backfill.plans import CURATED, BackfillPlan, Piece
from market_data.datasets import FEATURES, STORED, Dataset, Layout, curated_bars
from market_data.features.registry import bar_groups
from market_data.timeframes import Timeframe

_BARS = "curated/bars_"
_JUDGED = "quality/"
"""Datasets that are made anew with the bars which they speak of."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Stored:
    """A slice of a stored dataset."""

    dataset: Dataset
    symbols: tuple[str, ...]
    sessions: tuple[date, date]

    @property
    def timeframe(self) -> Timeframe | None:
        """Of curated bars; None of what speaks of them."""
        name = self.dataset.name.removeprefix(_BARS)
        return None if name == self.dataset.name else Timeframe(name)

    def meets(self, other: Stored) -> bool:
        """Whether both have a symbol-session of one dataset in common."""
        (first, last), (begin, end) = self.sessions, other.sessions
        return (
            self.dataset.name == other.dataset.name
            and first <= end
            and begin <= last
            and not set(self.symbols).isdisjoint(other.symbols)
        )

    def parts(self) -> Iterator[Stored]:
        """The slice cut as stores keep it: by months, or by years where rows are few."""
        first, last = self.sessions
        while first <= last:
            end = min(_last_day(first, self.dataset.layout), last)
            yield Stored(self.dataset, self.symbols, (first, end))
            first = end + _DAY


@dataclass(frozen=True)
class Asked:
    """Symbols and sessions that a vendor is asked for."""

    vendor: str
    timeframe: Timeframe
    symbols: tuple[str, ...]
    sessions: tuple[date, date]


@dataclass(frozen=True)
class Scope:
    """What a backfill may change.

    Attributes:
        stored: what it makes: slices of its own sessions.
        asked: what it asks vendors for.
    """

    stored: tuple[Stored, ...]
    asked: tuple[Asked, ...]

    def meets(self, other: Scope) -> bool:
        """Whether two backfills may change the same."""
        return any(mine.meets(theirs) for mine in self.stored for theirs in other.stored)


def scope_of(plan: BackfillPlan) -> Scope:
    """What a backfill may change.

    A backfill of raw bars alone changes no stored dataset.
    """
    curated = plan.request.layer == CURATED
    stored = [s for piece in plan.pieces for s in _stored(piece)] if curated else []
    asked = (
        Asked(vendor, piece.timeframe, tuple(symbols), (piece.first, piece.last))
        for piece in plan.pieces
        for vendor, symbols in piece.asked.items()
    )
    return Scope(tuple(dict.fromkeys(stored)), tuple(asked))


def _stored(piece: Piece) -> Iterator[Stored]:
    sessions = piece.first, piece.last
    for timeframe in (piece.timeframe, *piece.also):
        if piece.curated:
            yield Stored(curated_bars(timeframe), piece.symbols, sessions)
    for timeframe in piece.featured:
        for group in bar_groups(timeframe):
            yield Stored(FEATURES[group.key], piece.symbols, sessions)
    if not piece.curated:
        return
    for dataset in STORED:
        if dataset.name.startswith(_JUDGED):
            yield Stored(dataset, piece.symbols, sessions)


def _last_day(day: date, layout: Layout) -> date:
    if layout is Layout.YEAR:
        return date(day.year, 12, 31)
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - _DAY
