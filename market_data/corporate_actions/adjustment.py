"""Prices and corporate actions: adjust a series on read.

What belongs here: the arithmetic that works splits and dividends into prices as traded.
What does not: undoing a vendor's adjustment (undoing.py), where actions come from (the vendors,
lean_factors.py, csv_text.py), which bases may meet (market_data/basis.py).

Actions are rows of CORPORATE_ACTIONS. Where several rows name one (symbol, ex_date, kind), the one
known last counts; they never multiply.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import polars as pl

from market_data.errors import MarketDataError
from market_data.schemas import PRICES

SCALED = (*PRICES, "vwap")
_LONGEST_CLOSURE = timedelta(days=14)
"""A close this much older than an ex-date is not the close of the session before it. The longest
closures of large exchanges (a week of holidays, September 2001) stay below it."""


class Adjust(StrEnum):
    """Which actions a reader wants worked into the prices."""

    NONE = "none"
    SPLITS = "splits"
    TOTAL = "total"


def adjust(
    bars: pl.DataFrame,
    actions: pl.DataFrame,
    *,
    mode: Adjust,
    as_of: datetime | None = None,
    closes: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Work corporate actions into unadjusted bars.

    Every bar before an ex-date is scaled. Splits: prices / value, volume * value. Total: splits,
    and prices * (1 - D / C), with D the dividend and C the unadjusted close of the session before
    the ex-date (the CRSP factor, which LEAN uses too).

    Args:
        bars: unadjusted bars: symbol, session, open, high, low, close, and where present volume
            and vwap; any timeframe, any order.
        actions: rows of CORPORATE_ACTIONS.
        mode: none, splits or total.
        as_of: only actions known by then (`known_at`) whose ex-date has come (its UTC date).
            None: every action given, also one whose ex-date is still ahead; whoever has a clock
            passes its time.
        closes: unadjusted daily closes (symbol, session, close) that reach from the first bar to
            the last action; needed by `total` alone. None: the bars themselves, if daily.

    Returns:
        The same rows in the same order, scaled.

    Raises:
        MarketDataError: a dividend that concerns a bar cannot be worked in: the close of the
            session before its ex-date is not among `closes`, or is not above the dividend; or
            intraday bars came without `closes`.
    """
    if mode is Adjust.NONE or bars.is_empty():
        return bars
    usable = newest(actions, as_of=as_of)
    factors = [_split_factors(usable)]
    if mode is Adjust.TOTAL:
        factors.append(_dividend_factors(usable, factors[0], bars, closes))
    changed = _with_later_product(bars, pl.concat(factors))
    prices = [c for c in SCALED if c in bars.columns]
    changes = [pl.col(prices) * pl.col("_price")]
    if "volume" in bars.columns:
        changes.append(pl.col("volume") * pl.col("_volume"))
    return changed.with_columns(changes).drop("_price", "_volume")


def newest(actions: pl.DataFrame, *, as_of: datetime | None = None) -> pl.DataFrame:
    """Per symbol, ex-date and kind the action known last, sorted by (symbol, ex_date)."""
    if as_of is not None:
        actions = actions.filter(
            pl.col("known_at") <= as_of, pl.col("ex_date") <= as_of.astimezone(UTC).date()
        )
    return (
        actions.sort("symbol", "ex_date", "kind", "known_at", "source", "value")
        .unique(["symbol", "ex_date", "kind"], keep="last", maintain_order=True)
        .sort("symbol", "ex_date", "kind")
    )


def _split_factors(actions: pl.DataFrame) -> pl.DataFrame:
    """Columns symbol, ex_date, price, volume: what a split does to the bars before it."""
    return actions.filter(pl.col("kind") == "split").select(
        "symbol", "ex_date", price=1.0 / pl.col("value"), volume=pl.col("value")
    )


def _dividend_factors(
    actions: pl.DataFrame, splits: pl.DataFrame, bars: pl.DataFrame, closes: pl.DataFrame | None
) -> pl.DataFrame:
    """Columns symbol, ex_date, price, volume: what a dividend does to the bars before it."""
    first = bars.group_by("symbol").agg(pl.col("session").min().alias("first"))
    dividends = (
        actions.filter(pl.col("kind") == "dividend")
        .join(first, on="symbol")
        .filter(pl.col("first") < pl.col("ex_date"))
        .sort("ex_date")
    )
    if dividends.is_empty():
        return _split_factors(dividends)
    priced = dividends.join_asof(
        _daily_closes(bars, closes),
        left_on="ex_date",
        right_on="session",
        by="symbol",
        allow_exact_matches=False,
        tolerance=_LONGEST_CLOSURE,
        check_sortedness=False,
    )
    # An older close stands in for one that is missing, but not across a split.
    across = priced.join(splits.select("symbol", _split="ex_date"), on="symbol").filter(
        pl.col("_split") > pl.col("session"), pl.col("_split") < pl.col("ex_date")
    )
    sound = (pl.col("close") > pl.col("value")).fill_null(value=False)
    wrong = pl.concat(
        [priced.filter(~sound), priced.join(across, on=["symbol", "ex_date"], how="semi")]
    ).unique(maintain_order=True)
    if not wrong.is_empty():
        named = ", ".join(f"{s} {d}" for s, d in wrong.select("symbol", "ex_date").head(10).rows())
        raise MarketDataError(
            f"{wrong.height} dividend(s) cannot be worked in: no unadjusted close above the "
            f"dividend, and that can be trusted, for the session before {named}; ask for the daily "
            "bars up to the last action (emp ingest --timeframe 1d ... --refetch)"
        )
    return priced.select(
        "symbol", "ex_date", price=1.0 - pl.col("value") / pl.col("close"), volume=pl.lit(1.0)
    )


def _daily_closes(bars: pl.DataFrame, closes: pl.DataFrame | None) -> pl.DataFrame:
    """Closes by session, sorted for a join on it."""
    found = (bars if closes is None else closes).select("symbol", "session", "close")
    if found.select("symbol", "session").is_duplicated().any():
        raise MarketDataError(
            "a session has several closes; to adjust intraday bars for dividends give the "
            "unadjusted daily closes, one row per symbol and session"
        )
    return found.sort("session")


def _with_later_product(bars: pl.DataFrame, factors: pl.DataFrame) -> pl.DataFrame:
    """Adds `_price` and `_volume`: products of the factors whose ex_date is after the session."""
    after = (
        factors.sort("symbol", "ex_date")
        .select(
            "symbol",
            "ex_date",
            _price=pl.col("price").cum_prod(reverse=True).over("symbol"),
            _volume=pl.col("volume").cum_prod(reverse=True).over("symbol"),
        )
        # two actions of one day: the first row holds the product of both
        .unique(["symbol", "ex_date"], keep="first", maintain_order=True)
        .sort("ex_date")
    )
    keys = bars.select("symbol", "session").unique().sort("session")
    found = keys.join_asof(
        after,
        left_on="session",
        right_on="ex_date",
        by="symbol",
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    return bars.join(
        found.select("symbol", "session", "_price", "_volume"),
        on=["symbol", "session"],
        how="left",
        maintain_order="left",
    ).with_columns(pl.col("_price", "_volume").fill_null(1.0))
