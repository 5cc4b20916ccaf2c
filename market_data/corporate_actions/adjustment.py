"""Prices and corporate actions: undo a vendor's split adjustment, adjust a series on read.

What belongs here: the arithmetic that turns prices of one adjustment into prices of another.
What does not: where actions come from (the vendors, lean_factors.py, csv_text.py), which bases may
meet (market_data/basis.py).

Actions are rows of CORPORATE_ACTIONS. Where several rows name one (symbol, ex_date, kind), the one
known last counts; they never multiply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import polars as pl

from market_data.basis import Adjustment, Basis
from market_data.calendars import exchange_zone, trading_sessions
from market_data.calendars.wall_clock import local_instant
from market_data.errors import MarketDataError
from market_data.schemas import PRICES
from market_data.schemas import UTC as UTC_TIME

SCALED = (*PRICES, "vwap")
_LONGEST_CLOSURE = timedelta(days=14)
"""A close this much older than an ex-date is not the close of the session before it. The longest
closures of large exchanges (a week of holidays, September 2001) stay below it."""


class Adjust(StrEnum):
    """Which actions a reader wants worked into the prices."""

    NONE = "none"
    SPLITS = "splits"
    TOTAL = "total"


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
    texts: list[str] = frame.get_column("basis").unique().to_list()
    split_adjusted = {
        text: basis
        for text in texts
        if (basis := Basis.parse(text)).adjustment is Adjustment.SPLITS
    }
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
    usable = _newest(actions, as_of=as_of)
    factors = [_split_factors(usable)]
    if mode is Adjust.TOTAL:
        factors.append(_dividend_factors(usable, bars, closes))
    changed = _with_later_product(bars, pl.concat(factors))
    prices = [c for c in SCALED if c in bars.columns]
    changes = [pl.col(prices) * pl.col("_price")]
    if "volume" in bars.columns:
        changes.append(pl.col("volume") * pl.col("_volume"))
    return changed.with_columns(changes).drop("_price", "_volume")


def _newest(actions: pl.DataFrame, *, as_of: datetime | None = None) -> pl.DataFrame:
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


def _splits(actions: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """Columns symbol, ex_date, traded_from (UTC), product: the splits, sorted by ex_date.

    `traded_from` is when the price first shows the split, `product` that of all until then.
    """
    splits = (
        _newest(actions)
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


def _split_factors(actions: pl.DataFrame) -> pl.DataFrame:
    """Columns symbol, ex_date, price, volume: what a split does to the bars before it."""
    return actions.filter(pl.col("kind") == "split").select(
        "symbol", "ex_date", price=1.0 / pl.col("value"), volume=pl.col("value")
    )


def _dividend_factors(
    actions: pl.DataFrame, bars: pl.DataFrame, closes: pl.DataFrame | None
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
    wrong = priced.filter((pl.col("close") > pl.col("value")).fill_null(value=False).not_())
    if not wrong.is_empty():
        named = ", ".join(f"{s} {d}" for s, d in wrong.select("symbol", "ex_date").head(10).rows())
        raise MarketDataError(
            f"{wrong.height} dividend(s) cannot be worked in: no unadjusted close above the "
            f"dividend for the session before {named}; give the daily closes up to the last action"
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
