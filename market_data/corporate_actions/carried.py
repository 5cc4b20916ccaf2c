"""Whether the adjusted closes of an answer carry an action.

What belongs here: reading that off the step of the adjusted close, for an action by itself. What
does not: when silence about an action is believed (silence.py), whether adjusted closes are what
all recorded actions make them (market_data/quality/consistency.py).

Across an ex-date the adjusted close over the close changes by (1 - dividend / close before), and
where the close is as traded by the split too. One that goes on as before carries no action. A close
as traded falls by a split itself.
"""

from __future__ import annotations

import polars as pl

from market_data.basis import Adjustment, bases_of
from market_data.price_steps import price_step

_SINGLE = 1e-6
"""Relative. Numbers of single precision hold seven digits."""
_LARGE = 1.5
"""Least split that a close as traded cannot make up for by moving otherwise that day."""
_KEY = ["symbol", "ex_date", "kind"]


def with_carried(gone: pl.DataFrame, bars: pl.DataFrame, statements: pl.DataFrame) -> pl.DataFrame:
    """Whether an answer's adjusted closes step across the ex-dates of actions, or go on.

    Args:
        gone: rows of CORPORATE_ACTIONS that the answer does not name.
        bars: symbol, session, close, adj_close (rows without one say nothing) and basis of daily
            bars of one answer.
        statements: rows of CORPORATE_ACTIONS, what the vendor has said last: a close that is
            divided by splits meets a dividend as it was paid.

    Returns:
        The rows of `gone` in their order, with `carried`: false where the adjusted closes go on as
        if there were no such action. Null where nothing shows it: of what is too small to be told
        from rounding, and of splits where the closes are divided by them like the adjusted ones.
        And with `untraded`: of a split, whether closes as traded go on as if there were none; false
        where they do not show it.
    """
    factors = _factors(bars)
    if gone.is_empty() or factors.is_empty():
        return gone.with_columns(
            carried=pl.lit(None, dtype=pl.Boolean), untraded=pl.lit(value=False)
        )
    # Of both sides of each ex-date.
    found = (
        gone.select(*_KEY, "value")
        .sort("ex_date")
        .join_asof(
            factors,
            left_on="ex_date",
            right_on="session",
            by="symbol",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .join_asof(
            factors.select("symbol", "session", after="factor", close_after="close"),
            left_on="ex_date",
            right_on="session",
            by="symbol",
            strategy="forward",
            check_sortedness=False,
        )
        .drop_nulls(["factor", "after"])
        .join(_parts(gone, statements), on=_KEY, how="left")
    )
    parts = pl.when("divided").then("parts").otherwise(1.0).fill_null(1.0)
    cash = (pl.col("value") / parts / pl.col("close")).clip(upper_bound=0.99)
    size = (
        pl.when(pl.col("kind") == "dividend")
        .then(-(1 - cash).log())
        .when(~pl.col("divided"))
        .then(pl.col("value").log().abs())
    )
    step = (pl.col("factor") / pl.col("after")).log().abs()
    shown = (
        pl.when(step + pl.col("rounding") < size / 2)
        .then(pl.lit(value=False))
        .when(step - pl.col("rounding") > size / 2)
        .then(pl.lit(value=True))
    )
    fallen = (pl.col("close") / pl.col("close_after")).log() * pl.col("value").log().sign()
    large = (pl.col("kind") == "split") & ~pl.col("divided") & (size >= pl.lit(_LARGE).log())
    judged = found.select(*_KEY, carried=shown, untraded=large & (fallen < size / 2))
    return gone.join(judged, on=_KEY, how="left", maintain_order="left").with_columns(
        pl.col("untraded").fill_null(value=False)
    )


def _factors(bars: pl.DataFrame) -> pl.DataFrame:
    """Per session the factor of the adjusted close, how far rounding may move a step, sorted."""
    divided, carrying = (list(bases_of(bars, a)) for a in (Adjustment.SPLITS, Adjustment.TOTAL))
    rows = bars.drop_nulls("adj_close").filter(
        pl.col("adj_close") > 0, pl.col("close") > 0, ~pl.col("basis").is_in(carrying)
    )
    steps = rows.group_by("symbol").agg(
        _close=price_step(["close"]), _adjusted=price_step(["adj_close"])
    )
    rounding = pl.col("_close") / pl.col("close") + pl.col("_adjusted") / pl.col("adj_close")
    return (
        rows.join(steps, on="symbol")
        .select(
            "symbol",
            "session",
            "close",
            factor=pl.col("adj_close") / pl.col("close"),
            rounding=rounding + _SINGLE,
            divided=pl.col("basis").is_in(divided),
        )
        .unique(["symbol", "session"], keep="first")
        .sort("session")
    )


def _parts(gone: pl.DataFrame, statements: pl.DataFrame) -> pl.DataFrame:
    """Adds `parts`: how many shares of today one was before the ex-date, by the vendor's splits."""
    splits = statements.filter(pl.col("kind") == "split").select("symbol", on="ex_date", by="value")
    later = gone.select(_KEY).join(splits, on="symbol").filter(pl.col("on") >= pl.col("ex_date"))
    return later.group_by(_KEY).agg(parts=pl.col("by").product())
