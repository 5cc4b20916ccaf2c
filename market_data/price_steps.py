"""To how many decimals a vendor's prices are rounded.

What belongs here: the step that prices show by themselves. What does not: what may differ by a
step (market_data/restatements.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_DECIMALS = range(7)
"""More are no rounding that matters."""
_USUAL = 2
_ENOUGH = 4
"""Different prices that have to have fewer decimals than two: among cents, four that are all whole
tenths by chance are one case in ten thousand."""
_EXACT = 1e-12
"""Relative. A decimal that is read as a double and one that is rounded to it differ by less, and
numbers of single precision from decimals by far more."""


def price_step(columns: Sequence[str]) -> pl.Expr:
    """The step of a group's prices: 1 where all are whole, 0.01 where all have two decimals.

    To 0.000001 where six, zero where any has more, as numbers of single precision and quotients
    have. Steps above 0.01 take four different prices. An aggregation; absent prices say nothing.
    """
    steps = []
    every = pl.col(columns[0])
    for name in columns[1:]:
        every = every.append(pl.col(name))
    several = every.drop_nulls().n_unique() >= _ENOUGH
    for decimals in _DECIMALS:
        scale = 10.0**decimals
        fits = [
            ((pl.col(c) * scale).round() / scale - pl.col(c)).abs() <= pl.col(c).abs() * _EXACT
            for c in columns
        ]
        all_fit = pl.all_horizontal(f.all() for f in fits)
        if decimals < _USUAL:
            all_fit = all_fit & several
        steps.append(pl.when(all_fit).then(1.0 / scale))
    return pl.coalesce(*steps, pl.lit(0.0))
