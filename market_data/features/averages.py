"""Averages without end, along each symbol.

What belongs here: exponential averages and the value that they begin with. What does not: windows
(arrays.py), which averages there are (indicators.py).

An average is the sum of all values so far, each weighing a constant part of what the one after it
does. So it is a running sum of values that are multiplied with growing powers of that part, divided
by the power of its own bar, anew every 1024 bars. A row's bits depend on what lies before it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from market_data.features.arrays import Bars, Values

Runs = Sequence[tuple[int, int]]
"""First row of each symbol, and the one after its last."""
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
    powers = [_powers(bars, one.weight) for one in wanted]
    for row, one, (grown, shrunk) in zip(table, wanted, powers, strict=True):
        np.multiply(one.values, grown, out=row)
        row[bars.first(one.first)] = 0.0
        begins = np.array([i + one.first for i, end in bars.runs if i + one.first < end], np.intp)
        row[begins] = _begun(one, begins) / shrunk[begins]
    _accumulate(table, bars.runs, [one.weight for one in wanted])
    for row, (_, shrunk) in zip(table, powers, strict=True):
        np.multiply(row, shrunk, out=row)
    return [bars.since(one.first, row) for row, one in zip(table, wanted, strict=True)]


def _begun(one: Average, begins: NDArray[np.intp]) -> Values:
    """What averages begin with in some rows: the mean of the values that are there."""
    windows = one.values[begins[:, np.newaxis] - np.arange(one.length)]
    there = ~np.isnan(windows)
    count = there.sum(axis=1)
    total = np.where(there, windows, 0.0).sum(axis=1)
    return np.where(count > 0, total, np.nan) / (one.of or count)


def averaged_over_gaps(bars: Bars, one: Average) -> Values:
    """An average of what is there: a missing value leaves it as it was."""
    (found,) = averaged(bars, [one])
    missing = np.isnan(one.values)
    for first, end in bars.runs:
        begin = first + one.first
        if missing[begin:end].any():
            own = one.values[begin:end].copy()
            own[0] = _begun(one, np.array([begin]))[0]
            found[begin:end] = _over_gaps(own, one.weight)
    return found


def _over_gaps(own: Values, weight: float) -> Values:
    """The average of one symbol, whose values stand without gaps beside each other meanwhile."""
    known = ~np.isnan(own)
    there = own[known]
    if not there.size:
        return own
    run = [(0, there.size)]
    grown, shrunk = _laid(run, weight)
    row = there * grown
    row[0] = there[0]
    _accumulate(row[np.newaxis], run, [weight])
    row *= shrunk
    # Each row takes the newest value so far: none before the first.
    newest = np.cumsum(known) - 1
    return np.where(newest >= 0, row[newest], np.nan)


def _accumulate(table: Values, runs: Runs, weights: Sequence[float]) -> None:
    """Add to each value what is kept of all before it in its row and run, in place."""
    kept = (1 - np.array(weights)) ** _AT_ONCE
    for first, end in runs:
        for begin in range(first, end, _AT_ONCE):
            own = table[:, begin : min(begin + _AT_ONCE, end)]
            if begin > first:
                own[:, 0] += kept * table[:, begin - 1]
            np.add.accumulate(own, axis=1, out=own)


def _powers(bars: Bars, weight: float) -> tuple[Values, Values]:
    """Those of all rows, made once."""
    if weight not in bars.powers:
        bars.powers[weight] = _laid(bars.runs, weight)
    return bars.powers[weight]


def _laid(runs: Runs, weight: float) -> tuple[Values, Values]:
    """What values are multiplied with to weigh as much as later ones, and their sums to go back."""
    shrunk = (1 - weight) ** np.arange(_AT_ONCE, dtype=np.float64)
    both = np.stack([weight / shrunk, shrunk])
    found = np.empty((2, runs[-1][1]))
    for first, end in runs:
        for begin in range(first, end, _AT_ONCE):
            own = found[:, begin : min(begin + _AT_ONCE, end)]
            own[:] = both[:, : own.shape[1]]
    return found[0], found[1]
