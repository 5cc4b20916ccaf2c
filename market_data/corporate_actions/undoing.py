"""Undoing what a vendor did: prices divided by splits become prices as traded.

What belongs here: the arithmetic of it, and from when on a price shows an action.
What does not: adjusting on read (adjustment.py), which splits a vendor had worked in
(worked_in.py), which bases may meet (market_data/basis.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import polars as pl

from market_data.basis import Adjustment, bases_of
from market_data.calendars import exchange_zone, trading_sessions
from market_data.calendars.wall_clock import local_instant
from market_data.corporate_actions.adjustment import SCALED, newest
from market_data.schemas import UTC as UTC_TIME


def deadjust_splits(
    frame: pl.DataFrame,
    actions: pl.DataFrame,
    *,
    calendar: str,
    factors: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Turn prices that a vendor adjusted for splits back into prices as traded.

    A row whose basis has the adjustment `splits` was divided by every split after its session that
    had traded when the vendor adjusted it: by those up to the day `adjusted_on` of its basis, else
    by those whose ex-date had opened at the time of the fetch (local midnight, where the ex-date
    is no session). Its open, high, low, close and vwap are multiplied by the product of those
    split values, its volume divided by it, and its basis becomes `raw`, without any day of splits.
    `adj_close` stays as the vendor gave it. Rows of any other basis are untouched; prices of the
    adjustment `total` keep that basis and must not meet others.

    Args:
        frame: raw bars, at least symbol, session, fetched_at (UTC), basis and the prices.
        actions: rows of CORPORATE_ACTIONS.
        calendar: whose sessions say when a split begins to trade.
        factors: where something better is known than what follows from the actions: columns
            symbol, session, fetched_at, basis, factor (what prices are multiplied by), one row for
            each of the rows that are adjusted for splits.

    Returns:
        The rows in the same order, with a Boolean column `deadjusted`: true where the basis was
        `splits`, also where no split fell in between.
    """
    split_adjusted = bases_of(frame, Adjustment.SPLITS)
    marked = frame.with_columns(pl.col("basis").is_in(list(split_adjusted)).alias("deadjusted"))
    if not split_adjusted:
        return marked
    renamed = {
        text: str(replace(basis.as_asked, adjustment=Adjustment.RAW, adjusted_on=None))
        for text, basis in split_adjusted.items()
    }
    if factors is None:
        days = {text: basis.adjusted_on for text, basis in split_adjusted.items()}
        scaled = _with_split_product(marked, _splits(actions, calendar), days)
    else:
        on = ["symbol", "session", "fetched_at", "basis"]
        given = factors.select(*on, _splits="factor")
        scaled = marked.join(given, on=on, how="left", maintain_order="left")
    factor = pl.when("deadjusted").then("_splits").otherwise(1.0)
    prices = [c for c in SCALED if c in frame.columns]
    changes = [pl.col(prices) * factor, pl.col("basis").replace(renamed)]
    if "volume" in frame.columns:
        changes.append(pl.col("volume") / factor)
    return scaled.with_columns(changes).drop("_splits")


def _splits(actions: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """Columns symbol, ex_date, traded_from (UTC), product: the splits, sorted by ex_date.

    `traded_from` is when the price first shows the split, `product` that of all until then.
    """
    splits = (
        newest(actions)
        .filter(pl.col("kind") == "split")
        .select("symbol", "ex_date", product=pl.col("value").cum_prod().over("symbol"))
        .sort("ex_date")
    )
    return with_trading_start(splits, calendar).drop("day_began")


def with_trading_start(actions: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """Adds day_began and traded_from (UTC) to rows that have an ex_date, in their order.

    The ex-date begins at midnight of the exchange; a price shows the action from the opening on,
    or from midnight where the ex-date is no session.
    """
    if actions.is_empty():
        none = pl.lit(None, dtype=UTC_TIME)
        return actions.with_columns(day_began=none, traded_from=none)
    first, last = actions.select(first=pl.col("ex_date").min(), last=pl.col("ex_date").max()).row(0)
    opens = trading_sessions(calendar, first, last).select(ex_date="session", traded_from="open")
    return (
        actions.with_columns(day_began=local_instant(pl.col("ex_date"), exchange_zone(calendar)))
        .join(opens, on="ex_date", how="left", maintain_order="left")
        .with_columns(traded_from=pl.coalesce("traded_from", "day_began"))
    )


def _with_split_product(
    frame: pl.DataFrame, splits: pl.DataFrame, days: Mapping[str, date | None]
) -> pl.DataFrame:
    """Adds `_splits`: product of the splits after a row's session that its price is divided by.

    Args:
        frame: raw bars with `deadjusted`.
        splits: as `_splits` gives them.
        days: basis text to the day of the adjustment.
    """
    keys = ["symbol", "session", "fetched_at", "basis"]
    pairs = frame.filter("deadjusted").select(keys).unique().sort("fetched_at")
    pairs = pairs.join_asof(
        splits.select("symbol", "traded_from", traded="ex_date"),
        left_on="fetched_at",
        right_on="traded_from",
        by="symbol",
        check_sortedness=False,
    )
    stated = pl.col("basis").replace_strict(days, return_dtype=pl.Date)
    until = pl.max_horizontal(pl.coalesce(stated, "traded"), "session")
    pairs = pairs.select(*keys, until.alias("_until"))
    products = splits.select("symbol", "ex_date", "product")
    for column in ("session", "_until"):
        pairs = pairs.sort(column).join_asof(
            products.rename({"product": f"{column}_product"}),
            left_on=column,
            right_on="ex_date",
            by="symbol",
            check_sortedness=False,
        )
        pairs = pairs.drop("ex_date", strict=False)
    ratio = pl.col("_until_product").fill_null(1.0) / pl.col("session_product").fill_null(1.0)
    return frame.join(
        pairs.select(*keys, ratio.alias("_splits")), on=keys, how="left", maintain_order="left"
    )
