"""Half splits: worked by a vendor into the last bars before their day, and into none before those.

What belongs here: telling such a step from any other, and which bars it makes wrong. What does not:
splits of which nobody told (price_sanity.py), undoing a split (market_data/curation).

Prices that are divided by a split are multiplied again. Where only the last days before the ex-date
had been divided, those before come out too high by the ratio: the price steps by exactly that, days
before the ex-date, and on that day does nothing that the split does not explain. So the bars before
the step are wrong, and the first one after it is right.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from market_data.quality.findings import KEY
from market_data.quality.unit_stretches import SEEN_LATER

TOLERANCE = 0.1
"""Relative: what the price itself may have moved with the step."""
SOON = timedelta(days=14)
"""From the step to the ex-date at most."""
TOLD_BEFORE = SEEN_LATER - SOON
"""Time before the step whose bars are told of: the ex-date is seen with them."""


def half_splits(
    steps: pl.DataFrame, actions: pl.DataFrame, series: pl.DataFrame, limits: pl.DataFrame
) -> pl.DataFrame:
    """The steps by the ratio of a split that comes soon after.

    Args:
        steps: symbol, session, ts, close, at (factor of the price), jump: all steps that nothing
            explains.
        actions: rows of CORPORATE_ACTIONS that are known.
        series: symbol, session of the bars that the steps were found in.
        limits: with the symbols that are meant.

    Returns:
        symbol, until (`ts` of the first right bar), since (`ts` of the first one that is told of,
        or before), before (close of the first right bar), jump.
    """
    splits = actions.filter(pl.col("kind") == "split").select("symbol", "ex_date", "value")
    off = (pl.col("at") * pl.col("value")).log().abs()
    soon = (
        steps.join(splits.join(limits, on="symbol", how="semi"), on="symbol")
        .filter(
            pl.col("ex_date") > pl.col("session"),
            pl.col("ex_date") <= pl.col("session") + SOON,
            off <= pl.lit(1 + TOLERANCE).log(),
        )
        .select(
            "symbol",
            "session",
            "ex_date",
            "jump",
            until="ts",
            before="close",
            since=pl.col("ts") - TOLD_BEFORE,
        )
    )
    if soon.is_empty():
        return soon.drop("session", "ex_date")
    others = steps.select("symbol", other="session").join(soon, on="symbol")
    between = (pl.col("other") > pl.col("session")) & (pl.col("other") <= pl.col("ex_date"))
    last = series.group_by("symbol").agg(last=pl.col("session").max())
    return (
        soon.join(others.filter(between), on=["symbol", "until"], how="anti")
        .join(last, on="symbol")
        .filter(pl.col("last") >= pl.col("ex_date"))
        .drop("session", "ex_date", "last")
        .unique(["symbol", "until"], keep="first")
    )


def bars_undivided(found: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The bars that are wrong.

    Args:
        found: of `half_splits`.
        bars: symbol, session, ts, close.

    Returns:
        symbol, session, ts, close, before, at (close over before), jump, until; of a bar before
        several steps the next one counts.
    """
    return (
        bars.filter(pl.col("symbol").is_in(found.get_column("symbol").implode()))
        .select(*KEY, "ts", "close")
        .join(found, on="symbol")
        .filter(pl.col("ts") >= pl.col("since"), pl.col("ts") < pl.col("until"))
        .sort("symbol", "ts", "until")
        .unique(["symbol", "ts"], keep="first", maintain_order=True)
        .with_columns(at=pl.col("close") / pl.col("before"))
        .drop("since")
    )
