"""When an action that a vendor tells along with bars could be known.

What belongs here: telling actions that came late. What does not: keeping them
(adapters/operations/actions.py).

A vendor's first word on an action is assumed to have been there since the ex-date. Where it has
answered about the symbol since that date without telling the action, it was not: reads as of the
time between must stay as they were, and what it gave in between was not divided by it
(worked_in.py). Hours count: a vendor that is asked twice on an ex-date may tell a split only once.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.schemas import UTC


def with_known_at(actions: pl.DataFrame, seen: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """The actions, those that came late known at `now`.

    Args:
        actions: rows of CORPORATE_ACTIONS of one vendor's answer.
        seen: columns symbol, session, asked_at: when the vendor last answered about a session
            before, about bars with which it tells them. An answer tells the actions from its
            sessions on.
        now: the time of asking.

    Returns:
        The same rows in the same order.
    """
    if actions.is_empty() or seen.is_empty():
        return actions
    midnight = pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    late = (
        actions.join(seen, on="symbol")
        .filter(pl.col("session") <= pl.col("ex_date"), pl.col("asked_at") >= midnight)
        .select("symbol", "ex_date", "kind", late=pl.lit(value=True))
        .unique()
    )
    marked = actions.join(late, on=["symbol", "ex_date", "kind"], how="left", maintain_order="left")
    return marked.with_columns(
        known_at=pl.when(pl.col("late").fill_null(value=False))
        .then(pl.lit(now, dtype=UTC))
        .otherwise("known_at")
    ).select(actions.columns)
