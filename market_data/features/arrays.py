"""Bars of some symbols as arrays, and windows along them.

What belongs here: `Bars`, and what a window of n bars gives: sums, deviations, extremes, shares.
What does not: averages without end (averages.py), what features are made of them (prices.py and
its neighbours).

Everything is an array of 64-bit numbers over all rows of a few symbols, small enough for the
processor's cache; "no value" is NaN. A window is built by doubling: the sum of 2, 4, 8 ... bars is
that of half as many and of as many before. So it holds no trace of what lies before it, costs a
handful of additions whatever its length, and its bits depend on its own values alone. Windows run
over the border between two symbols, and rows too near to the beginning of theirs are emptied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_CACHED = 1 << 15
"""Rows whose every window is computed at once where one value needs many passes."""


@dataclass(frozen=True)
class Bars:
    """Bars of some symbols, one symbol after the other.

    Attributes:
        high, low, close: prices on one basis.
        volume: traded units; NaN where the vendor gave none.
        missing: bars that the calendar expects between the one before and this one.
        bounds: first row of each symbol, and the number of rows.
        powers: what averages of some weight need of every row (averages.py), made once.
    """

    high: Values
    low: Values
    close: Values
    volume: Values
    missing: Values
    bounds: Sequence[int]
    powers: dict[float, tuple[Values, Values]] = field(default_factory=dict, init=False, repr=False)
    _first: dict[int, NDArray[np.intp]] = field(default_factory=dict, init=False, repr=False)

    def since(self, bars: int, values: Values) -> Values:
        """The values, emptied in place where fewer bars of the symbol come before."""
        values[self.first(bars)] = np.nan
        return values

    def first(self, bars: int) -> NDArray[np.intp]:
        """The first rows of each symbol, so many at most."""
        if bars not in self._first:
            rows = [np.arange(first, min(first + bars, end)) for first, end in self.runs]
            self._first[bars] = np.concatenate(rows)
        return self._first[bars]

    def before(self, values: Values, bars: int) -> Values:
        """The values so many bars before."""
        return self.since(bars, earlier(values, bars))

    def change(self, values: Values) -> Values:
        """How much higher a value is than that of the bar before."""
        found = np.empty_like(values)
        np.subtract(values[1:], values[:-1], out=found[1:])
        return self.since(1, found)

    def growth(self, values: Values, bars: int) -> Values:
        """How many times the value so many bars before, less one."""
        found = np.empty_like(values)
        np.divide(values[bars:], values[: max(len(values) - bars, 0)], out=found[bars:])
        found -= 1
        return self.since(bars, found)

    def highest(self, values: Values, *lengths: int) -> list[Values]:
        """The highest of the last bars, for each of some lengths in ascending order."""
        found = _extremes(values, lengths, np.maximum)
        return [self.since(n - 1, v) for n, v in zip(lengths, found, strict=True)]

    def lowest(self, values: Values, *lengths: int) -> list[Values]:
        """The lowest of the last bars, for each of some lengths in ascending order."""
        found = _extremes(values, lengths, np.minimum)
        return [self.since(n - 1, v) for n, v in zip(lengths, found, strict=True)]

    def still(self, values: Values, length: int) -> NDArray[np.bool_]:
        """Whether the last bars are all equal; false where fewer come before."""
        same = np.zeros(len(values), dtype=np.bool_)
        np.equal(values[1:], values[:-1], out=same[1:])
        for first, _ in self.runs:
            same[first] = False
        # So many equal neighbours: as a sum, by doubling.
        done, wanted = 1, length - 1
        while done < wanted:
            step = min(done, wanted - done)
            same[step:] &= same[:-step].copy()
            same[:step] = False
            done += step
        return same

    @cached_property
    def closes(self) -> Sums:
        """Sums of closes."""
        return Sums(self.close)

    @cached_property
    def volumes(self) -> Sums:
        """Sums of volumes."""
        return Sums(self.volume)

    @cached_property
    def runs(self) -> list[tuple[int, int]]:
        """First row of each symbol, and the one after its last."""
        return list(zip(self.bounds[:-1], self.bounds[1:], strict=True))


def earlier(values: Values, bars: int) -> Values:
    """The values so many rows before, whatever symbol these are of."""
    found = np.empty_like(values)
    found[:bars] = np.nan
    found[bars:] = values[: max(len(values) - bars, 0)]
    return found


def ratio(above: Values, below: Values) -> Values:
    """One by the other; empty where nothing is below the line."""
    found = above / below
    return emptied(found, ~(below > 0))


def emptied(values: Values, rows: NDArray[np.bool_]) -> Values:
    """The values, emptied in place in some rows; cheap where these are few, unlike np.where."""
    values[rows] = np.nan
    return values


def _extremes(values: Values, lengths: Sequence[int], of: np.ufunc) -> list[Values]:
    found, reach, length = [], values, 1
    for wanted in lengths:
        while 2 * length <= wanted:
            reach = _joined(of, reach, reach, length)
            length *= 2
        # Two windows that overlap reach over any length between.
        found.append(_joined(of, reach, reach, wanted - length))
    return found


def _joined(of: np.ufunc, newer: Values, older: Values, bars: int) -> Values:
    """What two windows have together, the second of which ends so many bars before."""
    if not bars:
        return newer.copy()
    found = np.empty_like(newer)
    found[:bars] = newer[:bars]
    of(newer[bars:], older[:-bars], out=found[bars:])
    return found


class Sums:
    """Sums of the last values, whatever symbol they are of, and of their squared distances.

    Those of 1, 2, 4, 8 ... values are made once, and serve every window.
    """

    def __init__(self, values: Values) -> None:
        self._doubled = [values]

    def doubled(self, power: int) -> Values:
        """The sums of 2 ** power values."""
        while len(self._doubled) <= power:
            newest = self._doubled[-1]
            self._doubled.append(_joined(np.add, newest, newest, 1 << (len(self._doubled) - 1)))
        return self._doubled[power]

    def over(self, length: int) -> Values:
        """The sums of so many values."""
        highest, *others = _powers_of(length)
        found, done = self.doubled(highest), 1 << highest
        for power in others:
            found = _joined(np.add, found, self.doubled(power), done)
            done += 1 << power
        return found if others else found.copy()

    def squares(self, length: int) -> Values:
        """The sums of the squared distances of so many values, at least two, from their mean."""
        highest, *others = _powers_of(length)
        parts: list[Values | None] = [None]
        for power in range(highest):
            part = _Part(1 << power, self.doubled(power), parts[power])
            parts.append(_pooled(part, part))
        whole = _Part(1 << highest, self.doubled(highest), parts[highest])
        for power in others:
            part = _Part(1 << power, self.doubled(power), parts[power])
            found = _pooled(whole, part)
            bars = whole.bars + part.bars
            whole = _Part(bars, _joined(np.add, whole.sums, part.sums, whole.bars), found)
        assert whole.squares is not None  # noqa: S101  of two values or more
        return whole.squares


def _powers_of(number: int) -> list[int]:
    """The powers of two that it is the sum of, the highest first."""
    return [power for power in reversed(range(number.bit_length())) if number >> power & 1]


class _Part(NamedTuple):
    """Length of windows, their sums, their sums of squares: None for nothing."""

    bars: int
    sums: Values
    squares: Values | None


def _pooled(newer: _Part, older: _Part) -> Values:
    """The squares of two windows: they add up, and the distance of their means counts once.

    Chan, Golub, LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances (1979), formula 2.1.
    """
    bars, more = newer.bars, older.bars
    found = np.empty_like(newer.sums)
    found[:bars] = 0.0
    apart = found[bars:]
    if bars == more:
        np.subtract(newer.sums[bars:], older.sums[:-bars], out=apart)
    else:
        np.multiply(newer.sums[bars:], more / bars, out=apart)
        apart -= older.sums[:-bars]
    apart *= apart
    apart *= bars / (more * (bars + more))
    if older.squares is not None:
        apart += older.squares[:-bars]
    if newer.squares is not None:
        apart += newer.squares[bars:]
    return found


def share_not_above(values: Values, length: int) -> Values:
    """Share of the last bars, whatever symbol they are of, that are not above the newest."""
    count = np.ones(len(values), dtype=np.uint8)
    for n in range(1, length):
        count[n:] += (values[:-n] <= values[n:]).view(np.uint8)
    return count / length


def mean_distance(values: Values, middle: Values, length: int) -> Values:
    """Mean distance of the last bars, whatever symbol they are of, from a value of the newest."""
    found = np.full_like(values, np.nan)
    for begin in range(length - 1, len(values), _CACHED):
        end = min(begin + _CACHED, len(values))
        mine, away = middle[begin:end], np.zeros(end - begin)
        apart = np.empty_like(away)
        for n in range(length):
            np.subtract(values[begin - n : end - n], mine, out=apart)
            np.abs(apart, out=apart)
            away += apart
        np.divide(away, length, out=found[begin:end])
    return found
