"""Bars: as a vendor hands them over, as the raw log keeps them, as they are curated."""

from __future__ import annotations

import polars as pl

from market_data.schemas.frame import SESSION, SYMBOL, UTC, FrameSchema, column

PRICES = ("open", "high", "low", "close")

_TS = column("ts", UTC, "start of the bar, UTC")
_OHLC = tuple(
    column(name, pl.Float64(), f"{name} price, in the instrument's currency") for name in PRICES
)
_VOLUME = (
    column("volume", pl.Float64(), "traded units; null when the vendor gives none", nullable=True),
    column("vwap", pl.Float64(), "volume-weighted average price", nullable=True),
    column("trades", pl.Int64(), "number of trades", nullable=True),
)
_VENDOR_SYMBOL = column("vendor_symbol", pl.String(), "the vendor's own name of the instrument")
_ADJ_CLOSE = column("adj_close", pl.Float64(), "the vendor's adjusted close", nullable=True)

FETCHED_BARS = FrameSchema(
    "fetched bars",
    (SYMBOL, _VENDOR_SYMBOL, _TS, *_OHLC, _ADJ_CLOSE, *_VOLUME),
)
"""What a vendor hands over: its own prices, its own basis, times already bar start in UTC."""

RAW_BARS = FrameSchema(
    "raw bars",
    (
        column("vendor", pl.String(), "who said it"),
        SYMBOL,
        _VENDOR_SYMBOL,
        _TS,
        SESSION,
        *_OHLC,
        _ADJ_CLOSE,
        *_VOLUME,
        column("basis", pl.String(), "what the prices mean, see market_data/basis.py"),
        column("known_at", UTC, "when this value could be known; before fetched_at where assumed"),
        column("fetched_at", UTC, "when it was fetched"),
        column("fetch_id", pl.String(), "the fetch that brought it; its payload has the same id"),
    ),
)

CURATED_BARS = FrameSchema(
    "curated bars",
    (
        SYMBOL,
        _TS,
        SESSION,
        *_OHLC,
        *_VOLUME,
        column(
            "source", pl.String(), "vendor of the prices; 'vendor@1m' when resampled from 1m bars"
        ),
        column("filled", pl.String(), "columns taken from another vendor: 'volume:oanda,...'"),
        column("final", pl.Boolean(), "false while the period of the bar is still running"),
        column("dq_status", pl.String(), "ok, warn or error"),
        column("flags", pl.String(), "codes of the findings on this row, comma-separated"),
        column("rule_version", pl.String(), "version of the rules that made the row"),
    ),
)
