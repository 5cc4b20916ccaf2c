"""Bars that are read, adjusted by the actions on record.

What belongs here: which bars and which closes the record can adjust, and what a reader is told
where it can not. What does not: the arithmetic (market_data/corporate_actions/adjustment.py), who
was asked about splits (untold_stretches.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from market_data.corporate_actions.adjustment import Adjust, adjust
from market_data.curation.candidates import SPLITS_OPEN
from market_data.errors import UnknownActionsWarning
from market_data.pipeline.platform import Platform
from market_data.pipeline.untold_stretches import warn_of_untold
from market_data.schemas import CURATED_BARS
from market_data.wording import few


def adjusted_bars(
    platform: Platform,
    bars: pl.DataFrame,
    adjustable: Sequence[str],
    mode: Adjust,
    moment: datetime,
    *,
    closes: Callable[[], pl.DataFrame],
    stacklevel: int,
) -> pl.DataFrame:
    """Work splits, or splits and dividends, into bars as traded.

    Args:
        platform: corporate actions, and who was asked about them.
        bars: rows of CURATED_BARS, sorted by (symbol, ts).
        adjustable: symbols of instruments that have such actions; bars of others stay as they are.
        mode: which actions.
        moment: by which actions were known.
        closes: gives the daily bars of these symbols, whatever their quality: a dividend is
            weighed against the close before its ex-date, which may lie outside of `bars`.
        stacklevel: of `warnings.warn`, counted from the caller.

    Returns:
        Rows of CURATED_BARS sorted by (symbol, ts), less those that may be divided by a split
        already.

    Raises:
        MarketDataError: a dividend cannot be worked in: there is no close before it that can be
            trusted.

    Warns:
        UnknownActionsWarning: no action of a symbol is known, nobody was asked about a stretch of
            these bars, or bars are left out.
    """
    of_class = pl.col("symbol").is_in(list(adjustable))
    touched, untouched = bars.filter(of_class), bars.filter(~of_class)
    if touched.is_empty():
        return bars
    actions = platform.actions.read(symbols=adjustable, known_at=moment)
    unknown = sorted(set(touched["symbol"].unique()) - set(actions["symbol"].unique()))
    if unknown:
        warnings.warn(
            f"no split or dividend of {few(unknown)} is known: these prices are not adjusted. "
            "'emp actions import' adds corporate actions",
            UnknownActionsWarning,
            stacklevel=stacklevel + 1,
        )
    unclear = of_unknown_splits(touched, actions, moment)
    if unclear.any():
        _warn_of_left_out(touched.filter(unclear), stacklevel=stacklevel + 1)
        touched = touched.filter(~unclear)
    known = sorted(set(adjustable) - set(unknown))
    warn_of_untold(platform, touched, known, stacklevel=stacklevel + 1)
    weighed = None
    if mode is Adjust.TOTAL:
        weighed = _trusted(closes(), actions, moment)
    done = adjust(touched, actions, mode=mode, as_of=moment, closes=weighed)
    return pl.concat([done, untouched]).sort("symbol", "ts").select(CURATED_BARS.names)


def of_unknown_splits(bars: pl.DataFrame, actions: pl.DataFrame, moment: datetime) -> pl.Series:
    """True at bars that a split concerns and that may be divided by it already.

    Args:
        bars: symbol, session, flags.
        actions: rows of CORPORATE_ACTIONS.
        moment: splits whose ex-date has come by then concern them.
    """
    last = (
        actions.filter(pl.col("kind") == "split", pl.col("ex_date") <= moment.date())
        .group_by("symbol")
        .agg(_last=pl.col("ex_date").max())
    )
    marked = bars.join(last, on="symbol", how="left", maintain_order="left")
    return marked.select(
        unclear=pl.col("flags").str.contains(SPLITS_OPEN)
        & (pl.col("session") < pl.col("_last")).fill_null(value=False)
    ).to_series()


def _trusted(daily: pl.DataFrame, actions: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """The closes that a dividend may be weighed against: of bars that would be served themselves.

    A disputed close may be a fourth of the price, and one in error is none.
    """
    sound = (daily["dq_status"] != "error") & ~of_unknown_splits(daily, actions, moment)
    return daily.filter(sound).select("symbol", "session", "close")


def _warn_of_left_out(left_out: pl.DataFrame, *, stacklevel: int) -> None:
    spans = left_out.group_by("symbol").agg(
        text=pl.format(
            "{} ({} bars from {} to {})",
            pl.col("symbol").first(),
            pl.len(),
            pl.col("session").min(),
            pl.col("session").max(),
        )
    )
    warnings.warn(
        f"left out of adjusted prices: {few(spans.sort('symbol')['text'].to_list())}. Their "
        "vendor divides by splits that nobody has told in full, and one is on record since. Ask a "
        "vendor that tells splits about these sessions, or bring all actions of the symbols with "
        "'emp actions import', and curate again",
        UnknownActionsWarning,
        stacklevel=stacklevel + 1,
    )
