"""Bars that curation refuses, in the form in which they are kept.

What belongs here: raw bars with reasons turned into QUARANTINE rows. What does not: the reasons
(market_data/validation.py, market_data/curation/curate.py), rows that never became a bar
(market_data/quarantine.py, whose digest names these rows too).
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.quarantine import row_ids
from market_data.schemas import PRICES, QUARANTINE, UTC
from market_data.timeframes import Timeframe

_NUMBERS = (*PRICES, "adj_close", "volume", "vwap")
_ROW = ("vendor_symbol", *_NUMBERS, "trades", "basis")


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
