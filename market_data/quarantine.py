"""Rows that were refused, in the form in which they are kept.

What belongs here: building QUARANTINE rows and the digest that names a rejected row.
What does not: deciding what is refused (vendor adapters, market_data/validation.py).
"""

from __future__ import annotations

import hashlib
from datetime import datetime

import polars as pl

from market_data.calendars import with_session
from market_data.schemas import PRICES, QUARANTINE, UTC
from market_data.timeframes import Timeframe

_NUMBERS = (*PRICES, "adj_close", "volume", "vwap")
_ROW = ("vendor_symbol", *_NUMBERS, "trades", "basis")


def row_ids(frame: pl.DataFrame) -> pl.Series:
    """A digest per row of vendor, timeframe, symbol, ts, stage, reasons and the row itself.

    The fetch is no part of it, so that the same bad row of a second fetch is the same row.
    """
    text = frame.select(
        pl.concat_str(
            [
                pl.col(c).cast(pl.String).fill_null("")
                for c in ("vendor", "timeframe", "symbol", "ts", "stage", "reasons", "row")
            ],
            separator="\x1f",
        )
    ).to_series()
    # Refused rows are few; a hash of the standard library is the same on every machine for ever.
    digests = [hashlib.blake2b(t.encode(), digest_size=16).hexdigest() for t in text]
    return pl.Series("row_id", digests, dtype=pl.String)


def quarantine_rejected(
    rejected: pl.DataFrame,
    *,
    vendor: str,
    timeframe: Timeframe,
    fetch_id: str,
    seen_at: datetime,
    calendar: str,
) -> pl.DataFrame:
    """QUARANTINE rows of an answer's REJECTED_ROWS: text that could not become a bar."""
    if timeframe.is_intraday:
        frame = with_session(rejected, calendar)
    else:
        frame = rejected.with_columns(session=pl.col("ts").dt.date())
    frame = frame.with_columns(
        vendor=pl.lit(vendor),
        timeframe=pl.lit(str(timeframe)),
        stage=pl.lit("fetch"),
        fetch_id=pl.lit(fetch_id),
        seen_at=pl.lit(seen_at, dtype=UTC),
    )
    # Two rows of one file that are equal to the letter are one row to look at.
    return QUARANTINE.conform(frame.with_columns(row_ids(frame))).unique(
        "row_id", keep="first", maintain_order=True
    )


def quarantine_bars(
    refused: pl.DataFrame, *, timeframe: Timeframe, seen_at: datetime, stage: str = "curate"
) -> pl.DataFrame:
    """QUARANTINE rows of bars.

    Args:
        refused: rows of RAW_BARS with the column `reasons` more.
        timeframe: timeframe of the feed that they come from.
        seen_at: when they were refused, UTC.
        stage: where they were refused, fetch or curate.

    Returns:
        One row per different row, sorted by (symbol, ts, row_id). `row` is a JSON object of the
        values as the vendor gave them; JSON knows no NaN and no infinity, so in a row that holds
        one all values are texts.
    """
    if refused.is_empty():
        return QUARANTINE.empty()
    finite = pl.all_horizontal(pl.col(c).is_finite().fill_null(value=True) for c in _NUMBERS)
    rows = refused.sort("symbol", "ts", "vendor", "fetched_at", "fetch_id").with_columns(
        row=pl.when(finite)
        .then(pl.struct(_ROW).struct.json_encode())
        .otherwise(pl.struct(pl.col(c).cast(pl.String) for c in _ROW).struct.json_encode()),
        timeframe=pl.lit(str(timeframe)),
        stage=pl.lit(stage),
        seen_at=pl.lit(seen_at, dtype=UTC),
    )
    return (
        QUARANTINE.conform(rows.with_columns(row_ids(rows)))
        .unique("row_id", keep="first", maintain_order=True)
        .sort("symbol", "ts", "row_id")
    )
