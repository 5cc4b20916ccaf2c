"""Rows that were refused, in the form in which they are kept.

What belongs here: building QUARANTINE rows and the digest that names a rejected row.
What does not: deciding what is refused (vendor adapters, market_data/validation.py).
"""

from __future__ import annotations

import hashlib
from datetime import datetime

import polars as pl

from market_data.calendars import with_session
from market_data.schemas import QUARANTINE, UTC
from market_data.timeframes import Timeframe


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
