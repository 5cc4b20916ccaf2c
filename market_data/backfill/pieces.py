"""Cutting sessions into ranges, each of which is one run.

What belongs here: from sessions and the bars that they hold to first and last sessions.
What does not: which sessions those are (market_data/pipeline/backfill.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

GAP = timedelta(days=31)
"""A run costs more than looking at a month that needs nothing: stretches this close are one."""


@dataclass(frozen=True)
class Day:
    """A session, and how many bars are expected of what is to be done in it."""

    session: date
    bars: int


def cut(days: Sequence[Day], *, bars_per_run: int, by_month: bool) -> list[tuple[date, date]]:
    """First and last session of each run, oldest first.

    A stretch is cut only where it holds more bars than a run may, and then at ends of months or
    years, since each run asks a vendor anew. A month, or year, that holds more is a run all the
    same.

    Args:
        days: sessions that need work, each once, sorted.
        bars_per_run: see `BackfillPolicy`.
        by_month: cut at ends of months; at ends of years otherwise.
    """
    return [
        (run[0].session, run[-1].session)
        for stretch in _stretches(days)
        for run in _runs(stretch, bars_per_run, by_month=by_month)
    ]


def _stretches(days: Sequence[Day]) -> Iterator[list[Day]]:
    stretch: list[Day] = []
    for day in days:
        if stretch and day.session - stretch[-1].session > GAP:
            yield stretch
            stretch = []
        stretch.append(day)
    if stretch:
        yield stretch


def _runs(stretch: list[Day], bars_per_run: int, *, by_month: bool) -> Iterator[list[Day]]:
    run: list[Day] = []
    held = 0
    for unit in _units(stretch, by_month=by_month):
        bars = sum(day.bars for day in unit)
        if run and held + bars > bars_per_run:
            yield run
            run, held = [], 0
        run += unit
        held += bars
    if run:
        yield run


def _units(stretch: list[Day], *, by_month: bool) -> Iterator[list[Day]]:
    """The days of each month, or year."""
    unit: list[Day] = []
    for day in stretch:
        if unit and _unit_of(day, by_month=by_month) != _unit_of(unit[-1], by_month=by_month):
            yield unit
            unit = []
        unit.append(day)
    yield unit


def _unit_of(day: Day, *, by_month: bool) -> tuple[int, int]:
    return day.session.year, day.session.month if by_month else 0
