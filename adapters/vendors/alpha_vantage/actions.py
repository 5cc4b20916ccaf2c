"""Splits and dividends that the adjusted series tells beside its prices.

What belongs here: statements out of its cells, and those that nobody can believe.
What does not: what cannot be whoever says it (market_data/corporate_actions/plausible.py).
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from adapters.vendors.cells import TIME, readable
from market_data.corporate_actions.plausible import plausible_actions
from market_data.schemas import CORPORATE_ACTIONS, REJECTED_ROWS, UTC

_NEUTRAL = {"split": 1.0, "dividend": 0.0}
"""What the series says of a day on which nothing happens."""
_REFUSED_ROW = "action_of_refused_row"


def told_actions(
    cells: pl.DataFrame, symbol: str, source: str, now: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The splits and dividends of a daily series, and statements that are refused.

    Dividends are cash as paid. `known_at` is the ex-date at 00:00 UTC, assumed. A row that is no
    bar is not believed about its action either.

    Args:
        cells: with `ts`, as `read_cells` takes them, and `split` and `dividend` where they are
            told; as traded, so that a dividend is below the close of the row before.
        symbol: whose.
        source: who says it.
        now: the time of asking, UTC; nothing was known later.

    Returns:
        Rows of CORPORATE_ACTIONS by ex_date and kind, and rows of REJECTED_ROWS.
    """
    kinds = [kind for kind in _NEUTRAL if kind in cells.columns]
    if not kinds:
        return CORPORATE_ACTIONS.empty(), REJECTED_ROWS.empty()
    known_at = pl.min_horizontal("ts", pl.lit(now, dtype=UTC))
    rows = cells.with_columns(
        is_bar=readable(cells) & cells["ts"].is_not_null(),
        price=pl.col("close").cast(pl.Float64, strict=False),
        row=pl.struct(TIME, *kinds).struct.json_encode(),
        symbol=pl.lit(symbol),
        source=pl.lit(source),
        ex_date=pl.col("ts").dt.date(),
        known_at=known_at,
    )
    told = pl.concat(
        rows.with_columns(
            kind=pl.lit(kind),
            cell=pl.col(kind).cast(pl.String),
            value=pl.col(kind).cast(pl.Float64, strict=False),
        )
        # An empty cell says nothing; one that is no number says something that nobody can read.
        .filter(pl.col("cell").fill_null("") != "", pl.col("value").ne_missing(_NEUTRAL[kind]))
        for kind in kinds
    )
    unread = told.filter(~pl.col("is_bar")).with_columns(reasons=pl.lit(_REFUSED_ROW))
    closes = rows.filter("is_bar").select("symbol", session="ex_date", close="price")
    good, bad = plausible_actions(
        told.filter("is_bar").select(CORPORATE_ACTIONS.names),
        closes.unique("session", keep="first", maintain_order=True),
    )
    return good.sort("ex_date", "kind"), pl.concat([REJECTED_ROWS.conform(unread), bad])
