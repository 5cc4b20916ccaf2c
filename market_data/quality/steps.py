"""Steps: prices that go further from one bar to the next than their asset class does.

What belongs here: telling a step from what corporate actions explain, and a step by a currency's
minor unit from any other. What does not: what is told of it (jumps.py).
"""

from __future__ import annotations

import polars as pl

from market_data.quality.findings import KEY

MINOR_UNIT = 100.0
UNIT_TOLERANCE = 0.1
"""Relative: what the price itself may have moved in between."""


def steps_of(bars: pl.DataFrame, limit: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Bars that step too far, but for what actions explain, with `at`, and `since` by unit."""
    beyond = (pl.col("close") / pl.col("before") - 1).abs() > pl.col("jump")
    stepped = _stepped(bars, limit, actions).join(limit, on="symbol", maintain_order="left")
    # A split of which the price knows nothing is a step too, in shares of before.
    far = stepped.filter(beyond | pl.col("split_due"))
    if far.is_empty():
        return far.with_columns(at="close", since="ts")
    explained = _explained(far, actions).with_columns(at=pl.col("close") / pl.col("before"))
    return explained.filter(beyond).with_columns(since=pl.when(_by_unit()).then("ts"))


def _by_unit() -> pl.Expr:
    distance = (pl.col("at").log().abs() - pl.lit(MINOR_UNIT).log()).abs()
    return distance <= pl.lit(1 + UNIT_TOLERANCE).log()


def _stepped(bars: pl.DataFrame, limit: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """The few bars that may be jumps, with those before them.

    Such as step further than the least of all limits, and the first ones of sessions since the
    last of which a split is recorded (`split_due`).
    """
    least = limit.select(pl.col("jump").min()).item() if limit.height else None
    step = (pl.col("close") / pl.col("close").shift() - 1).abs() > least
    days = actions.filter(pl.col("kind") == "split").select("symbol", "ex_date").unique()
    concerned = bars.get_column("symbol").is_in(days["symbol"].implode())
    opens = concerned & (bars.get_column("session") != bars.get_column("session").shift())
    rows = bars.select((step | opens).arg_true()).to_series()
    at = bars[rows].select(*KEY, "ts", "close")
    before = bars[rows - 1]
    found = at.with_columns(
        before["close"].alias("before"),
        before["ts"].alias("ts_before"),
        before["session"].alias("session_before"),
    ).filter(pl.lit(before["symbol"]) == pl.col("symbol"))
    due = (
        found.join(days, on="symbol")
        .filter(
            pl.col("ex_date") > pl.col("session_before"), pl.col("ex_date") <= pl.col("session")
        )
        .select("symbol", "ts", split_due=pl.lit(value=True))
        .unique()
    )
    return found.join(due, on=["symbol", "ts"], how="left", maintain_order="left").with_columns(
        pl.col("split_due").fill_null(value=False)
    )


def _explained(steps: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """`before` in today's shares and without what was paid out since."""
    kind, value = pl.col("kind"), pl.col("value")
    known = (
        actions.select("symbol", "ex_date", "kind", "value")
        .join(steps.select(*KEY, "ts", "session_before"), on="symbol")
        .filter(
            pl.col("ex_date") > pl.col("session_before"), pl.col("ex_date") <= pl.col("session")
        )
        .group_by("symbol", "ts")
        .agg(
            split=value.filter(kind == "split").product(),
            cash=value.filter(kind == "dividend").sum(),
        )
    )
    split, cash = pl.col("split").fill_null(1.0), pl.col("cash").fill_null(0.0)
    return (
        steps.join(known, on=["symbol", "ts"], how="left")
        .with_columns(before=(pl.col("before") - cash) / split)
        .drop("split", "cash")
        .filter(pl.col("before") > 0)
    )
