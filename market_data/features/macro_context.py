"""Macro context: which releases lie behind a session when it opens.

What belongs here: the rows of the group macro_context. What does not: the calendar of releases
(market_data/macro), bias and confidence (market_data/macro/bias.py).

Only releases that had happened count, from the moment at which their value could be known: the
hour that was announced, or when the value came if it came late. Of those ahead nobody recorded when
their dates were announced, and a date that is known today says nothing about what was known then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from market_data.features.registry import Kind, group_for
from market_data.macro.bias import OTHER_WEIGHT, WEIGHTS
from market_data.macro.calendar import NEAR_DAYS

LOOK_BACK = timedelta(days=30)
"""A currency of which no release is known in so many days is one that nobody keeps: cells are
empty, and not 0."""
EARLIEST = LOOK_BACK + timedelta(days=NEAR_DAYS)
"""A release that came late may have been announced for so long before."""
_DAY, _DAYS = timedelta(days=1), timedelta(days=5)
HAPPENED = ("released", "withdrawn")
"""Status of events whose release took place."""


def macro_context(
    openings: pl.DataFrame,
    events: pl.DataFrame,
    firsts: pl.DataFrame,
    currencies: Mapping[str, tuple[str, ...]],
) -> pl.DataFrame:
    """One row per symbol and session, as of its opening.

    Args:
        openings: symbol, session, open (UTC).
        events: rows of MACRO_EVENTS, from EARLIEST before the first opening on.
        firsts: series, period, first_known_at (UTC): when a value of each period of a series could
            be known for the first time; where there is no row that was at the announced hour.
        currencies: symbol to the currencies that it is priced by.

    Returns:
        Columns of the group's schema, sorted by (symbol, ts).
    """
    group = group_for(Kind.MACRO_CONTEXT)
    weight = pl.col("importance").replace_strict(
        WEIGHTS, default=OTHER_WEIGHT, return_dtype=pl.Float64
    )
    came = events.filter(pl.col("status").is_in(HAPPENED)).join(
        firsts, on=["series", "period"], how="left", maintain_order="left"
    )
    releases = came.select(
        "currency",
        "importance",
        # A revision may speak of a period whose first value had come long before.
        released=pl.max_horizontal("ts", "first_known_at"),
        weight=weight,
    )
    pairs = pl.DataFrame(
        [(symbol, currency) for symbol, own in currencies.items() for currency in own],
        schema={"symbol": pl.String, "currency": pl.String},
        orient="row",
    ).unique()
    moments = openings.select("symbol", "open").unique()
    near = (
        moments.join(pairs, on="symbol")
        .join_where(
            releases,
            pl.col("currency") == pl.col("currency_right"),
            pl.col("released") <= pl.col("open"),
            pl.col("released") > pl.col("open") - LOOK_BACK,
        )
        .with_columns(age=pl.col("open") - pl.col("released"))
    )
    hours = pl.col("age").dt.total_seconds() / 3600
    told = near.group_by("symbol", "open").agg(
        hours_since_release=hours.min(),
        hours_since_high=hours.filter(pl.col("importance") == "high").min(),
        releases_1d=(pl.col("age") < _DAY).sum(),
        releases_5d=(pl.col("age") < _DAYS).sum(),
        importance_5d=pl.col("weight").filter(pl.col("age") < _DAYS).sort().sum(),
    )
    rows = openings.join(told, on=["symbol", "open"], how="left").with_columns(
        ts="open", available_at="open", definition=pl.lit(group.definition)
    )
    return rows.sort("symbol", "ts").select(
        pl.col(n).cast(t) for n, t in group.schema.dtypes.items()
    )
