"""What the ledger knows, day by day: asked or not, and what came.

What belongs here: a row for each vendor, symbol and calendar day, holidays and days that nobody
asked for included. What does not: why something is missing (explain.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.calendars import expected_bars
from market_data.pipeline.platform import Platform
from market_data.ports import Outcome
from market_data.schemas import LEDGER
from market_data.timeframes import Timeframe


def ledger_by_session(
    platform: Platform,
    symbols: Sequence[str],
    first: date,
    last: date,
    timeframe: Timeframe,
    vendors: Sequence[str] | None = None,
) -> pl.DataFrame:
    """What is known about each day of a range: asked or not, and what came.

    Args:
        platform: where from.
        symbols: instruments of the universe.
        first: first day.
        last: last day, included.
        timeframe: whose ledger.
        vendors: only these; None for every vendor that serves the symbol at the timeframe.

    Returns:
        Rows of LEDGER, one per vendor, symbol and calendar day; outcome is 'holiday' on a day
        without a session and 'not asked' where the ledger has no entry.
    """
    universe = platform.universe
    pairs = [
        (vendor.name, symbol)
        for symbol in symbols
        for vendor in universe.vendors
        if (
            timeframe in vendor.timeframes and universe.serves(vendor, universe.instrument(symbol))
            if vendors is None
            else vendor.name in vendors
        )
    ]
    days = pl.DataFrame({"session": pl.date_range(first, last, eager=True)})
    every = pl.DataFrame(
        pairs, schema={"vendor": pl.String, "symbol": pl.String}, orient="row"
    ).join(days, how="cross")
    open_days = expected_bars(
        [universe.instrument(s) for s in symbols], timeframe, first, last
    ).select("symbol", "session", is_open=pl.lit(value=True))
    known = platform.ledger.read(
        timeframe=timeframe, vendors=vendors, symbols=symbols, sessions=(first, last)
    ).drop("timeframe")
    absent = (
        pl.when(pl.col("is_open").is_null())
        .then(pl.lit(str(Outcome.HOLIDAY)))
        .otherwise(pl.lit(str(Outcome.NOT_ASKED)))
    )
    joined = (
        every.join(open_days, on=["symbol", "session"], how="left")
        .join(known, on=["vendor", "symbol", "session"], how="left")
        .with_columns(
            pl.coalesce("outcome", absent).alias("outcome"),
            pl.col("rows").fill_null(0),
            pl.col("final").fill_null(value=False),
            pl.col("detail", "fetch_id").fill_null(""),
            timeframe=pl.lit(str(timeframe)),
        )
    )
    return joined.select(LEDGER.names).sort("symbol", "vendor", "session")
