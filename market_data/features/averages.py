"""Averages without end, along each symbol.

What belongs here: exponential averages and the value that they begin with. What does not: windows
(arrays.py), which averages there are (indicators.py).

An average is the sum of all values so far, each weighing a constant part of what the one after it
does. So it is a running sum of values that are multiplied with growing powers of that part, divided
by the power of its own bar, anew every 1024 bars. A row's bits depend on what lies before it alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from market_data.features.arrays import Bars, Values

_AT_ONCE = 1024
"""Bars of which one running sum is made: the powers of any weight up to a third are numbers yet."""


@dataclass(frozen=True)
class Average:
    """An average.

    Attributes:
        values: that it is made of.
        weight: of the newest, at most a third.
        first: bars before the one that it begins with.
        length: of the window whose mean it begins with; it ends with that bar.
        of: what the sum of that window is divided by; 0 for its length.
    """

    values: Values
    weight: float
    first: int
    length: int
    of: int = 0


def averaged(bars: Bars, wanted: Sequence[Average]) -> list[Values]:
    """Averages over all symbols; NaN before they begin. No value from there on may be missing."""
    table = np.empty((len(wanted), bars.bounds[-1]))
    for row, one in zip(table, wanted, strict=True):
        np.multiply(one.values, one.weight, out=row)
        row[bars.first(one.first)] = 0.0
        for first, end in bars.runs:
            if first + one.first < end:
                row[first + one.first] = _begun(one, first)
    _accumulate(table, bars.runs, tuple(one.weight for one in wanted))
    return [bars.since(one.first, row) for row, one in zip(table, wanted, strict=True)]


def _begun(one: Average, first: int) -> float:
    """What an average begins with: that of the values that are there."""
    last = first + one.first
    window = one.values[last - one.length + 1 : last + 1].tolist()
    there = [value for value in window if value == value]  # noqa: PLR0124  no NaN
    return math.fsum(there) / (one.of or len(there)) if there else math.nan


def averaged_over_gaps(bars: Bars, one: Average) -> Values:
    """An average of what is there: a missing value leaves it as it was."""
    table = (one.values * one.weight)[np.newaxis]
    runs = [(first + one.first, end) for first, end in bars.runs if first + one.first < end]
    for begin, _ in runs:
        table[0, begin] = _begun(one, begin - one.first)
    if runs:
        _accumulate(table, runs, (one.weight,))
    found = bars.since(one.first, table[0])
    missing = np.isnan(one.values)
    for begin, end in runs:
        if missing[begin:end].any():
            own = one.values[begin:end].copy()
            own[0] = _begun(one, begin - one.first)
            found[begin:end] = _over_gaps(own, one.weight)
    return found


def _over_gaps(own: Values, weight: float) -> Values:
    """The average of one symbol, whose values stand without gaps beside each other meanwhile."""
    known = ~np.isnan(own)
    there = own[known]
    if not there.size:
        return own
    table = there[np.newaxis] * weight
    table[0, 0] = there[0]
    _accumulate(table, [(0, there.size)], (weight,))
    # Each row takes the newest value so far: none before the first.
    newest = np.cumsum(known) - 1
    return np.where(newest >= 0, table[0][newest], np.nan)


def _accumulate(table: Values, runs: Sequence[tuple[int, int]], weights: tuple[float, ...]) -> None:
    """Add to each value what is kept of all before it in its row and run, in place.

    The same stretch of all runs is summed at once: few long steps instead of many short ones.
    """
    grown, shrunk = _powers(weights)
    held = np.empty((len(weights), len(runs), _AT_ONCE))
    for done in range(0, max(end - first for first, end in runs), _AT_ONCE):
        still = [(first + done, end) for first, end in runs if first + done < end]
        parts = [(n, begin, min(begin + _AT_ONCE, end)) for n, (begin, end) in enumerate(still)]
        longest = max(end - begin for _, begin, end in parts)
        for number, begin, end in parts:
            if done:
                table[:, begin] += shrunk[:, 1] * table[:, begin - 1]
            width = end - begin
            np.multiply(table[:, begin:end], grown[:, :width], out=held[:, number, :width])
            held[:, number, width:longest] = 0.0
        sums = held[:, : len(parts), :longest]
        np.add.accumulate(sums, axis=2, out=sums)
        for number, begin, end in parts:
            width = end - begin
            np.multiply(sums[:, number, :width], shrunk[:, :width], out=table[:, begin:end])


@lru_cache(maxsize=16)
def _powers(weights: tuple[float, ...]) -> tuple[Values, Values]:
    """What values are multiplied with to weigh as much as later ones, and back, row by row."""
    kept = 1 - np.array(weights)[:, np.newaxis]
    shrunk: Values = kept ** np.arange(_AT_ONCE, dtype=np.float64)
    return 1 / shrunk, shrunk
