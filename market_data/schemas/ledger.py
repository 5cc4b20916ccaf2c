"""What every vendor was asked, and what came of it."""

from __future__ import annotations

import polars as pl

from market_data.schemas.frame import SESSION, SYMBOL, UTC, FrameSchema, column

LEDGER = FrameSchema(
    "ledger",
    (
        column("vendor", pl.String(), "who was asked"),
        column("timeframe", pl.String(), "for which timeframe"),
        SYMBOL,
        SESSION,
        column(
            "outcome",
            pl.String(),
            "rows, nothing, holiday, unavailable, refused or failed; 'not asked' where no row is",
        ),
        column("rows", pl.Int64(), "bars of the session in that answer"),
        column("final", pl.Boolean(), "asking again would bring nothing new"),
        column("detail", pl.String(), "the vendor's reason, shortened"),
        column("asked_at", UTC, "when"),
        column("fetch_id", pl.String(), "the fetch that answered"),
    ),
)
