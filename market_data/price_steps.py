"""To how many decimals a vendor's prices are rounded.

What belongs here: the step that prices show by themselves. What does not: what may differ by a
step (market_data/restatements.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_DECIMALS = range(2, 7)
"""Fewer say nothing, since a few whole prices may be exact; more are no rounding that matters."""
_EXACT = 1e-12
"""Relative. A decimal that is read as a double and one that is rounded to it differ by less, and
numbers of single precision from decimals by far more."""


def price_step(columns: Sequence[str]) -> pl.Expr:
    """The step of a group's prices: 0.01 where all have two decimals, to 0.000001 where six.

    Zero where any has more, as numbers of single precision and quotients have. An aggregation;
    absent prices say nothing.
    """
    steps = []
    for decimals in _DECIMALS:
        scale = 10.0**decimals
        fits = [
            ((pl.col(c) * scale).round() / scale - pl.col(c)).abs() <= pl.col(c).abs() * _EXACT
            for c in columns
        ]
        steps.append(pl.when(pl.all_horizontal(f.all() for f in fits)).then(1.0 / scale))
    return pl.coalesce(*steps, pl.lit(0.0))
