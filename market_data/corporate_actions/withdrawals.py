"""Statements that an action was none.

What belongs here: the value that takes an action back. What does not: who makes such statements
unasked (silence.py), which statement stands (adapters/operations/actions.py), what bars were
divided by in the meantime (worked_in.py).

An action is taken back by a revision like any other, whose value changes nothing: a split of one
for one, a dividend of nothing. So reads as of an earlier time still see it.
"""

from __future__ import annotations

import polars as pl

NO_ACTION = {"split": 1.0, "dividend": 0.0}
"""By kind, the value of an action that changes nothing."""

BY_HAND = "withdrawal"
"""The source of what a person takes back. It is no list that answers for there being no others."""


def is_withdrawal(value: str = "value") -> pl.Expr:
    """Whether a row of CORPORATE_ACTIONS says that there was no such action.

    Args:
        value: the column of the value.
    """
    none = pl.col("kind").replace_strict(NO_ACTION, default=None, return_dtype=pl.Float64)
    return (pl.col(value) == none).fill_null(value=False)
