"""Rows that became no bar: of one answer, of the quarantine, with what became of them."""

from __future__ import annotations

import polars as pl

from market_data.schemas.frame import UTC, FrameSchema, column

QUARANTINE = FrameSchema(
    "quarantine",
    (
        column("row_id", pl.String(), "digest of the rejected row; the same row is kept once"),
        column("vendor", pl.String(), "who said it"),
        column("timeframe", pl.String(), "timeframe of the feed"),
        column("symbol", pl.String(), "instrument, empty where it could not be read"),
        column("ts", UTC, "start of the bar, where it could be read", nullable=True),
        column("session", pl.Date(), "session, where it could be told", nullable=True),
        column("stage", pl.String(), "where it was refused: 'fetch' or 'curate'"),
        column("reasons", pl.String(), "every reason, comma-separated"),
        column("row", pl.String(), "the row as it came, as JSON"),
        column("fetch_id", pl.String(), "the fetch that brought it"),
        column("seen_at", UTC, "when it was first refused"),
    ),
)

REFUSED_ROWS = FrameSchema(
    "refused rows",
    (
        *QUARANTINE.columns,
        column("status", pl.String(), "open, resolved, replayed or dropped"),
        column("decided_at", UTC, "when a person decided about it", nullable=True),
        column("decided_by", pl.String(), "who did", nullable=True),
        column("decision", pl.String(), "and why", nullable=True),
    ),
)
"""Rows of the quarantine with what became of them."""

REJECTED_ROWS = FrameSchema(
    "rejected rows",
    (
        column("symbol", pl.String(), "instrument, empty where it could not be read"),
        column("ts", UTC, "start of the bar, where it could be read", nullable=True),
        column("reasons", pl.String(), "every reason, comma-separated"),
        column("row", pl.String(), "the row as it came, as JSON"),
    ),
)
"""Rows of an answer that cannot become a bar at all: text in a price, no time stamp."""
