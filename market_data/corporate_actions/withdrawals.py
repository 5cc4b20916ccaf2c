"""Statements that an action was none: what they look like, and who makes them unasked.

What belongs here: the value that takes an action back, and what an answer takes back by no longer
naming it. What does not: which statement stands (adapters/operations/actions.py), what bars were
divided by in the meantime (worked_in.py).

An action is taken back by a revision like any other, whose value changes nothing: a split of one
for one, a dividend of nothing. So reads as of an earlier time still see it.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.schemas import CORPORATE_ACTIONS, UTC

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


def no_longer_told(
    statements: pl.DataFrame, told: pl.DataFrame, bars: pl.DataFrame, *, now: datetime
) -> pl.DataFrame:
    """What a vendor takes back: an answer covers the ex-date, and does not name it any more.

    It covers an ex-date where it holds bars from before it, and of it or from after it.

    Args:
        statements: rows of CORPORATE_ACTIONS: what the vendor has said last, from before.
        told: columns symbol, ex_date, kind: what the answer names, also what was refused of it.
        bars: columns symbol, session of the answer.
        now: the time of asking.

    Returns:
        Rows of CORPORATE_ACTIONS, known at `now`.
    """
    covered = bars.group_by("symbol").agg(
        _first=pl.col("session").min(), _last=pl.col("session").max()
    )
    gone = (
        statements.filter(~is_withdrawal(), pl.col("known_at") < now)
        .join(covered, on="symbol")
        .filter(pl.col("_first") < pl.col("ex_date"), pl.col("ex_date") <= pl.col("_last"))
        .join(told, on=["symbol", "ex_date", "kind"], how="anti")
    )
    return CORPORATE_ACTIONS.conform(
        gone.with_columns(
            value=pl.col("kind").replace_strict(NO_ACTION, return_dtype=pl.Float64),
            known_at=pl.lit(now, dtype=UTC),
        )
    )
