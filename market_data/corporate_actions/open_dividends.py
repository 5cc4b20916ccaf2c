"""Dividends that come with splits which are perhaps not worked in yet.

What belongs here: which of a vendor's dividends wait for what its prices show, and what they are
worth then. What does not: judging the prices (told_early.py), keeping actions
(market_data/pipeline/told_actions.py).

A vendor that divides its prices by a split divides its dividends too, and its reader multiplies
them by every split that the answer tells. Where a split is told a day before it is worked in, that
makes four dollars of one. Before its ex-date comes near a split is in no price, and so in no
dividend. Otherwise a dividend from before such a split keeps the value that it is known with; one
that is not known is stated where the prices show what they lack, and else not at all: the bars from
before the split wait for another answer then, which brings it again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from market_data.corporate_actions.told_early import JUDGED_WITHIN
from market_data.corporate_actions.undoing import with_trading_start
from market_data.corporate_actions.withdrawals import is_withdrawal
from market_data.corporate_actions.worked_in import WORKED_IN_WITHIN

_EVENT = ["symbol", "ex_date", "kind"]


def waiting(told: pl.DataFrame, *, now: datetime, calendar: str) -> pl.DataFrame:
    """The dividends of an answer whose worth depends on what its prices show.

    Args:
        told: rows of CORPORATE_ACTIONS: what the answer names, splits and dividends.
        now: the time of asking.
        calendar: of the symbols.

    Returns:
        Those rows: the ones from before a split that traded lately, or has not yet.
    """
    lately = _lately(told, now, calendar)
    dividends = told.filter(pl.col("kind") == "dividend")
    last = lately.group_by("symbol").agg(_before=pl.col("ex_date").max())
    return (
        dividends.join(last, on="symbol", maintain_order="left")
        .filter(pl.col("ex_date") <= pl.col("_before"))
        .select(told.columns)
    )


def settled_dividends(
    told: pl.DataFrame,
    shown: pl.DataFrame,
    known: pl.DataFrame,
    *,
    now: datetime,
    calendar: str,
) -> pl.DataFrame:
    """The dividends of an answer that can be stated by what its prices show of its splits.

    Args:
        told: rows of CORPORATE_ACTIONS: what the answer names, splits and dividends; the latter
            multiplied by every later split, and by one of their own day.
        shown: symbol, ex_date, worked_in: which splits the prices have, and which they lack.
        known: rows of CORPORATE_ACTIONS: what the vendor had stated before.
        now: the time of asking.
        calendar: of the symbols.

    Returns:
        Rows of `told`; of one that is not known yet the value is without the splits that the
        prices lack.
    """
    recent = pl.col("traded_from") > now - WORKED_IN_WITHIN
    ahead = pl.col("day_began") - WORKED_IN_WITHIN > now
    unworked = (
        _lately(told, now, calendar)
        .join(shown, on=["symbol", "ex_date"], how="left")
        .with_columns(worked_in=pl.when(~ahead).then("worked_in").otherwise(pl.lit(value=False)))
        .filter(~pl.col("worked_in").fill_null(value=~recent))
        .select("symbol", ratio="value", until="ex_date", lacked=pl.col("worked_in").is_not_null())
    )
    dividends = told.filter(pl.col("kind") == "dividend")
    doubtful = (
        dividends.join(unworked, on="symbol")
        .filter(pl.col("ex_date") <= pl.col("until"))
        .group_by(_EVENT)
        .agg(pl.col("ratio").product(), pl.col("lacked").all())
    )
    stated = known.filter(~is_withdrawal()).select(_EVENT).unique()
    news = doubtful.filter("lacked").join(stated, on=_EVENT, how="anti")
    return (
        dividends.join(doubtful.join(news, on=_EVENT, how="anti"), on=_EVENT, how="anti")
        .join(news, on=_EVENT, how="left", maintain_order="left")
        .with_columns(pl.col("value") / pl.col("ratio").fill_null(1.0))
        .select(told.columns)
    )


def _lately(told: pl.DataFrame, now: datetime, calendar: str) -> pl.DataFrame:
    """The splits of an answer that traded lately or have not yet: day_began, traded_from (UTC)."""
    since = now - JUDGED_WITHIN
    splits = told.filter(
        # Two days after its date began a split has traded, wherever the exchange is.
        pl.col("kind") == "split",
        pl.col("ex_date") > since.date() - timedelta(days=2),
    ).select("symbol", "ex_date", "value")
    dated = with_trading_start(splits.unique(), calendar)
    return dated.filter(pl.col("traded_from") > since)
