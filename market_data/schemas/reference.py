"""What bars are understood by: instruments, sessions, corporate actions."""

from __future__ import annotations

import polars as pl

from market_data.schemas.frame import SESSION, SYMBOL, UTC, FrameSchema, column

CORPORATE_ACTIONS = FrameSchema(
    "corporate actions",
    (
        SYMBOL,
        column("ex_date", pl.Date(), "first session that trades without the entitlement"),
        column("kind", pl.String(), "split or dividend"),
        column(
            "value",
            pl.Float64(),
            "split: shares after per share before (2:1 is 2.0); dividend: cash per share, on the "
            "share count of the session before ex_date",
        ),
        column("source", pl.String(), "who said it"),
        column("known_at", UTC, "when it could be known"),
    ),
)

INSTRUMENTS = FrameSchema(
    "instruments",
    (
        SYMBOL,
        column("name", pl.String(), "for a person"),
        column("asset_class", pl.String(), "equity, fx, crypto, index or future"),
        column("calendar", pl.String(), "calendar code: an exchange's MIC, 24/7 or fx"),
        column("currency", pl.String(), "currency of curated prices"),
        column("listed", pl.Date(), "first session, where known", nullable=True),
        column("delisted", pl.Date(), "last session, where there is one", nullable=True),
        column("vendors", pl.String(), "vendors that serve it, comma-separated"),
        column("aliases", pl.String(), "vendors' own names: 'yahoo=EURUSD=X, ...'", nullable=True),
        column(
            "tickers",
            pl.String(),
            "vendors' names by session: 'yahoo=FB 2012-05-18..2022-06-08, ...'",
            nullable=True,
        ),
        column("assumed", pl.Boolean(), "registered from a command line by its symbol alone"),
    ),
)

TRADING_SESSIONS = FrameSchema(
    "trading sessions",
    (
        column("calendar", pl.String(), "calendar code: an exchange's MIC, 24/7 or fx"),
        SESSION,
        column("open", UTC, "start of the session"),
        column("close", UTC, "end of the session"),
        column("break_start", UTC, "start of the lunch break", nullable=True),
        column("break_end", UTC, "end of the lunch break", nullable=True),
        column("early_close", pl.Boolean(), "closes before the usual hour"),
        column("minutes", pl.Int64(), "trading minutes"),
        column(
            "expected_from",
            UTC,
            "start of the part in which bars are expected; null: the open",
            nullable=True,
        ),
        column(
            "expected_until",
            UTC,
            "end of the part in which bars are expected, equal to its start where none is; null: "
            "the close",
            nullable=True,
        ),
        column(
            "changed", pl.String(), "what the configuration says of a changed day", nullable=True
        ),
    ),
)
