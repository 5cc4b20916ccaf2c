"""What an answer comes to for its symbol, by the rows that came.

What belongs here: the rule that vendors share which state outcomes of their own.
What does not: trouble, which has an outcome already (market_data/errors.py).
"""

from __future__ import annotations

import polars as pl

from market_data.pipeline.doubts import NO_BAR
from market_data.ports import Outcome, SymbolOutcome


def outcome_of(rows: int, refused: int) -> SymbolOutcome:
    """Rows, nothing, or a failure where something came and none of it was a bar.

    "Nothing" is final once a session has settled, so it must not be said of bars that came in a
    form that could not be read.

    Args:
        rows: bars of the range.
        refused: rows of the range, or of no time, that are no bars.
    """
    if rows:
        return SymbolOutcome(Outcome.ROWS)
    if refused:
        return SymbolOutcome(
            Outcome.FAILED,
            f"none of the {refused} rows that came is a bar; they are in quarantine",
            "malformed answer",
        )
    return SymbolOutcome(Outcome.NOTHING)


def spoiled(rejected: pl.DataFrame) -> int:
    """How many refused rows meant to be bars: one without any price says that there is none.

    Args:
        rejected: rows of REJECTED_ROWS.
    """
    return int((rejected["reasons"] != NO_BAR).sum())
