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
    found = [np.empty_like(one.values) for one in wanted]
    weights = tuple(one.weight for one in wanted)
    for first, end in bars.runs:
        table = np.empty((len(wanted), end - first))
        for row, one in zip(table, wanted, strict=True):
            np.multiply(one.values[first:end], one.weight, out=row)
            row[: one.first] = 0.0
            if one.first < len(row):
                row[one.first] = _begun(one, first)
        _accumulate(table, weights)
        for values, row, one in zip(found, table, wanted, strict=True):
            row[: one.first] = np.nan
            values[first:end] = row
    return found


def _begun(one: Average, first: int) -> float:
    """What an average begins with: that of the values that are there."""
    last = first + one.first
    window = one.values[last - one.length + 1 : last + 1].tolist()
    there = [value for value in window if value == value]  # noqa: PLR0124  no NaN
    return math.fsum(there) / (one.of or len(there)) if there else math.nan


def averaged_over_gaps(bars: Bars, one: Average) -> Values:
    """An average of what is there: a missing value leaves it as it was."""
    found = np.full_like(one.values, np.nan)
    for first, end in bars.runs:
        begin = first + one.first
        if begin >= end:
            continue
        own = one.values[begin:end].copy()
        own[0] = _begun(one, first)
        known = ~np.isnan(own)
        table = own[known][np.newaxis] * one.weight
        if not table.size:
            continue
        table[0, 0] = own[known][0]
        _accumulate(table, (one.weight,))
        # Each row takes the newest value so far: none before the first.
        newest = np.cumsum(known) - 1
        found[begin:end] = np.where(newest >= 0, table[0][newest], np.nan)
    return found


def _accumulate(table: Values, weights: tuple[float, ...]) -> None:
    """Add to each value what is kept of all before it in its row, in place."""
    grown, shrunk = _powers(weights)
    for begin in range(0, table.shape[1], _AT_ONCE):
        part = table[:, begin : begin + _AT_ONCE]
        if begin:
            part[:, 0] += shrunk[:, 1] * table[:, begin - 1]
        part *= grown[:, : part.shape[1]]
        np.add.accumulate(part, axis=1, out=part)
        part *= shrunk[:, : part.shape[1]]


@lru_cache(maxsize=16)
def _powers(weights: tuple[float, ...]) -> tuple[Values, Values]:
    """What values are multiplied with to weigh as much as later ones, and back, row by row."""
    kept = 1 - np.array(weights)[:, np.newaxis]
    shrunk: Values = kept ** np.arange(_AT_ONCE, dtype=np.float64)
    return 1 / shrunk, shrunk
