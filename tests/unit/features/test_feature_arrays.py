"""Windows and averages along arrays, against the same written bar by bar."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.features.arrays import Bars, Sums, Values, mean_distance, share_not_above
from market_data.features.averages import Average, averaged, averaged_over_gaps

SERIES = st.lists(
    st.lists(st.sampled_from([0.1, 0.3, 7.0, 1e6, 1e6 + 0.01]), min_size=1, max_size=70),
    min_size=1,
    max_size=4,
)
LENGTHS = (1, 2, 3, 5, 9, 14, 20, 26, 52)


def bars_of(series: list[list[float]]) -> tuple[Bars, Values]:
    values = np.array([v for one in series for v in one])
    bounds = np.cumsum([0, *(len(one) for one in series)]).tolist()
    return Bars(values, values, values, values, values, bounds), values


def windows(bars: Bars, values: Values, length: int, of: object) -> list[float]:
    """What a function gives of each full window."""
    found = []
    for first, end in pairwise(bars.bounds):
        for row in range(first, end):
            own = values[max(first, row - length + 1) : row + 1]
            found.append(of(own) if len(own) == length else math.nan)  # type: ignore[operator]
    return found


@settings(max_examples=60, deadline=None)
@given(SERIES)
def test_windows_are_those_of_their_own_symbol(series: list[list[float]]) -> None:
    bars, values = bars_of(series)
    of = {
        np.max: bars.highest(values, *LENGTHS),
        np.min: bars.lowest(values, *LENGTHS),
        np.sum: [bars.since(n - 1, Sums(values).over(n)) for n in LENGTHS],
    }
    for function, found in of.items():
        for length, ours in zip(LENGTHS, found, strict=True):
            np.testing.assert_allclose(ours, windows(bars, values, length, function), rtol=1e-14)
    for length in (2, 3, 5, 20):
        still = windows(bars, values, length, lambda w: w.min() == w.max())
        assert bars.still(values, length).tolist() == [v == 1.0 for v in still]
        # A window that stands still has no trace of a deviation, whatever came before it.
        squares = bars.since(length - 1, Sums(values).squares(length))
        assert (squares[np.array(still) == 1.0] == 0.0).all()
        exact = windows(bars, values, length, lambda w: math.fsum((w - w.mean()) ** 2))
        np.testing.assert_allclose(squares, exact, rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(SERIES)
def test_a_window_of_one_symbol_does_not_depend_on_others(series: list[list[float]]) -> None:
    """To the bit: whoever asks, for whichever symbols."""
    bars, values = bars_of(series)
    alone, own = bars_of(series[-1:])
    begin = bars.bounds[-2]
    for name in ("highest", "lowest"):
        theirs = getattr(bars, name)(values, *LENGTHS)
        for ours, whole in zip(getattr(alone, name)(own, *LENGTHS), theirs, strict=True):
            np.testing.assert_array_equal(ours, whole[begin:])
    for length in LENGTHS:
        for name in ("over", "squares") if length > 1 else ("over",):
            ours = alone.since(length - 1, getattr(Sums(own), name)(length))
            whole = bars.since(length - 1, getattr(Sums(values), name)(length))
            np.testing.assert_array_equal(ours, whole[begin:])
    one = [Average(v, 1 / 14, 13, 13, 14) for v in (own, values)]
    (ours,), (whole,) = averaged(alone, one[:1]), averaged(bars, one[1:])
    np.testing.assert_array_equal(ours, whole[begin:])


def test_sums_serve_every_window_whichever_was_asked_for_first() -> None:
    values = np.random.default_rng(2).normal(size=100)
    kept = Sums(values)
    for length in (4, 20, 5, 16, 1, 50):
        kept.over(length)[:] = math.nan
        np.testing.assert_array_equal(kept.squares(20), Sums(values).squares(20))
    np.testing.assert_array_equal(kept.over(16), Sums(values).over(16))
    assert not np.isnan(values).any()


def test_shares_and_distances_of_a_window() -> None:
    bars, values = bars_of([np.random.default_rng(1).normal(size=9000).round(2).tolist()])
    share = windows(bars, values, 20, lambda w: (w <= w[-1]).mean())
    np.testing.assert_array_equal(share_not_above(values, 20)[19:], share[19:])
    middle = np.arange(9000.0)
    away = [math.nan] * 19
    away += [float(np.abs(values[n - 19 : n + 1] - n).mean()) for n in range(19, 9000)]
    np.testing.assert_allclose(mean_distance(values, middle, 20), away, rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 13, 14, 15, 16, 17, 700, 2000])
def test_an_average_is_that_of_one_bar_after_the_other(rows: int) -> None:
    values = np.random.default_rng(rows).normal(size=rows)
    bars = Bars(*(values,) * 5, [0, rows])
    (found,) = averaged(bars, [Average(values, 1 / 14, 14, 14)])
    expected, newest = [math.nan] * min(14, rows), math.nan
    for row in range(14, rows):
        newest = values[1:15].mean() if row == 14 else newest * 13 / 14 + values[row] / 14
        expected.append(newest)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    longer = np.concatenate([values, [3.0, 4.0]])
    (more,) = averaged(Bars(*(longer,) * 5, [0, rows + 2]), [Average(longer, 1 / 14, 14, 14)])
    np.testing.assert_array_equal(more[:rows], found)


def test_an_average_over_gaps_stays_as_it_was() -> None:
    values = np.array([math.nan, 1.0, 3.0, math.nan, math.nan, 5.0, math.nan, math.nan, 8.0])
    bars = Bars(*(values,) * 5, [0, 7, 9])
    found = averaged_over_gaps(bars, Average(values, 0.5, 2, 2))
    np.testing.assert_array_equal(found, [*[math.nan] * 2, 2, 2, 2, 3.5, 3.5, *[math.nan] * 2])
    late = averaged_over_gaps(bars, Average(values, 0.5, 4, 2))
    np.testing.assert_array_equal(late, [*[math.nan] * 5, 5, 5, *[math.nan] * 2])
