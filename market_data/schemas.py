"""Columns of every frame that crosses a room: names, types, meaning.

What belongs here: a `FrameSchema` per kind of frame, and the helpers that make a frame fit one.
What does not: rules about values (market_data/validation.py), where a frame is stored
(market_data/datasets.py).

All times are UTC with microseconds; `ts` is the start of a bar; `session` is the date of the
trading session that the bar belongs to, in the sense of its instrument's calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import polars as pl

from market_data.errors import SchemaError

UTC = pl.Datetime("us", "UTC")
PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Column:
    """One column: its type, what it means, and whether a row may leave it empty."""

    name: str
    dtype: pl.DataType
    description: str
    nullable: bool = False


@dataclass(frozen=True)
class FrameSchema:
    """The ordered columns of a kind of frame."""

    name: str
    columns: tuple[Column, ...]

    @cached_property
    def dtypes(self) -> dict[str, pl.DataType]:
        """Column name to Polars type, in order."""
        return {c.name: c.dtype for c in self.columns}

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return list(self.dtypes)

    def empty(self) -> pl.DataFrame:
        """A frame with these columns and no rows."""
        return pl.DataFrame(schema=self.dtypes)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The same rows with exactly these columns, in order and cast.

        A nullable column that is absent is added as nulls; a column that is not in the schema is
        left out.

        Raises:
            SchemaError: a required column is absent, or a value does not fit its type.
        """
        absent = [c.name for c in self.columns if c.name not in frame.columns and not c.nullable]
        if absent:
            raise SchemaError(f"{self.name}: columns missing: {', '.join(absent)}")
        try:
            return frame.select(
                pl.col(c.name).cast(c.dtype)
                if c.name in frame.columns
                else pl.lit(None, dtype=c.dtype).alias(c.name)
                for c in self.columns
            )
        except pl.exceptions.InvalidOperationError as error:
            raise SchemaError(f"{self.name}: {error}") from error

    def check(self, frame: pl.DataFrame) -> None:
        """Refuse a frame that differs from the schema in names, order, types or empty cells.

        Raises:
            SchemaError: naming every difference.
        """
        wrong = []
        if frame.columns != self.names:
            wrong.append(f"columns are {frame.columns}, expected {self.names}")
        wrong += [
            f"{name} is {frame.schema[name]}, expected {dtype}"
            for name, dtype in self.dtypes.items()
            if name in frame.columns and frame.schema[name] != dtype
        ]
        required = [c.name for c in self.columns if not c.nullable and c.name in frame.columns]
        nulls = frame.select(pl.col(required).null_count()).row(0) if required else ()
        wrong += [f"{name} has {n} nulls" for name, n in zip(required, nulls, strict=True) if n]
        if wrong:
            raise SchemaError(f"{self.name}: " + "; ".join(wrong))


def _column(name: str, dtype: object, description: str, *, nullable: bool = False) -> Column:
    return Column(name, cast("pl.DataType", dtype), description, nullable)


_SYMBOL = _column("symbol", pl.String(), "permanent instrument id")
_TS = _column("ts", UTC, "start of the bar, UTC")
_SESSION = _column("session", pl.Date(), "trading session that the bar belongs to")
_OHLC = tuple(
    _column(name, pl.Float64(), f"{name} price, in the instrument's currency") for name in PRICES
)
_VOLUME = (
    _column("volume", pl.Float64(), "traded units; null when the vendor gives none", nullable=True),
    _column("vwap", pl.Float64(), "volume-weighted average price", nullable=True),
    _column("trades", pl.Int64(), "number of trades", nullable=True),
)
_VENDOR_SYMBOL = _column("vendor_symbol", pl.String(), "the vendor's own name of the instrument")
_ADJ_CLOSE = _column("adj_close", pl.Float64(), "the vendor's adjusted close", nullable=True)

FETCHED_BARS = FrameSchema(
    "fetched bars",
    (_SYMBOL, _VENDOR_SYMBOL, _TS, *_OHLC, _ADJ_CLOSE, *_VOLUME),
)
"""What a vendor hands over: its own prices, its own basis, times already bar start in UTC."""

RAW_BARS = FrameSchema(
    "raw bars",
    (
        _column("vendor", pl.String(), "who said it"),
        _SYMBOL,
        _VENDOR_SYMBOL,
        _TS,
        _SESSION,
        *_OHLC,
        _ADJ_CLOSE,
        *_VOLUME,
        _column("basis", pl.String(), "what the prices mean, see market_data/basis.py"),
        _column("known_at", UTC, "when this value could be known; before fetched_at where assumed"),
        _column("fetched_at", UTC, "when it was fetched"),
        _column("fetch_id", pl.String(), "the fetch that brought it; its payload has the same id"),
    ),
)

CURATED_BARS = FrameSchema(
    "curated bars",
    (
        _SYMBOL,
        _TS,
        _SESSION,
        *_OHLC,
        *_VOLUME,
        _column(
            "source", pl.String(), "vendor of the prices; 'vendor@1m' when resampled from 1m bars"
        ),
        _column("filled", pl.String(), "columns taken from another vendor: 'volume:oanda,...'"),
        _column("final", pl.Boolean(), "false while the period of the bar is still running"),
        _column("dq_status", pl.String(), "ok, warn or error"),
        _column("flags", pl.String(), "codes of the findings on this row, comma-separated"),
        _column("rule_version", pl.String(), "version of the rules that made the row"),
    ),
)

QUARANTINE = FrameSchema(
    "quarantine",
    (
        _column("row_id", pl.String(), "digest of the rejected row; the same row is kept once"),
        _column("vendor", pl.String(), "who said it"),
        _column("timeframe", pl.String(), "timeframe of the feed"),
        _column("symbol", pl.String(), "instrument, empty where it could not be read"),
        _column("ts", UTC, "start of the bar, where it could be read", nullable=True),
        _column("session", pl.Date(), "session, where it could be told", nullable=True),
        _column("stage", pl.String(), "where it was refused: 'fetch' or 'curate'"),
        _column("reasons", pl.String(), "every reason, comma-separated"),
        _column("row", pl.String(), "the row as it came, as JSON"),
        _column("fetch_id", pl.String(), "the fetch that brought it"),
        _column("seen_at", UTC, "when it was first refused"),
    ),
)

REFUSED_ROWS = FrameSchema(
    "refused rows",
    (
        *QUARANTINE.columns,
        _column("status", pl.String(), "open, resolved, replayed or dropped"),
        _column("decided_at", UTC, "when a person decided about it", nullable=True),
        _column("decided_by", pl.String(), "who did", nullable=True),
        _column("decision", pl.String(), "and why", nullable=True),
    ),
)
"""Rows of the quarantine with what became of them."""

REJECTED_ROWS = FrameSchema(
    "rejected rows",
    (
        _column("symbol", pl.String(), "instrument, empty where it could not be read"),
        _column("ts", UTC, "start of the bar, where it could be read", nullable=True),
        _column("reasons", pl.String(), "every reason, comma-separated"),
        _column("row", pl.String(), "the row as it came, as JSON"),
    ),
)
"""Rows of an answer that cannot become a bar at all: text in a price, no time stamp."""

CORPORATE_ACTIONS = FrameSchema(
    "corporate actions",
    (
        _SYMBOL,
        _column("ex_date", pl.Date(), "first session that trades without the entitlement"),
        _column("kind", pl.String(), "split or dividend"),
        _column(
            "value",
            pl.Float64(),
            "split: shares after per share before (2:1 is 2.0); dividend: cash per share, on the "
            "share count of the session before ex_date",
        ),
        _column("source", pl.String(), "who said it"),
        _column("known_at", UTC, "when it could be known"),
    ),
)

INSTRUMENTS = FrameSchema(
    "instruments",
    (
        _SYMBOL,
        _column("name", pl.String(), "for a person"),
        _column("asset_class", pl.String(), "equity, fx, crypto, index or future"),
        _column("calendar", pl.String(), "calendar code: an exchange's MIC, 24/7 or fx"),
        _column("currency", pl.String(), "currency of curated prices"),
        _column("listed", pl.Date(), "first session, where known", nullable=True),
        _column("delisted", pl.Date(), "last session, where there is one", nullable=True),
        _column("vendors", pl.String(), "vendors that serve it, comma-separated"),
        _column("aliases", pl.String(), "vendors' own names: 'yahoo=EURUSD=X, ...'", nullable=True),
        _column(
            "tickers",
            pl.String(),
            "vendors' names by session: 'yahoo=FB 2012-05-18..2022-06-08, ...'",
            nullable=True,
        ),
        _column("assumed", pl.Boolean(), "registered from a command line by its symbol alone"),
    ),
)

TRADING_SESSIONS = FrameSchema(
    "trading sessions",
    (
        _column("calendar", pl.String(), "calendar code: an exchange's MIC, 24/7 or fx"),
        _SESSION,
        _column("open", UTC, "start of the session"),
        _column("close", UTC, "end of the session"),
        _column("break_start", UTC, "start of the lunch break", nullable=True),
        _column("break_end", UTC, "end of the lunch break", nullable=True),
        _column("early_close", pl.Boolean(), "closes before the usual hour"),
        _column("minutes", pl.Int64(), "trading minutes"),
        _column(
            "expected_from",
            UTC,
            "start of the part in which bars are expected; null: the open",
            nullable=True,
        ),
        _column(
            "expected_until",
            UTC,
            "end of the part in which bars are expected, equal to its start where none is; null: "
            "the close",
            nullable=True,
        ),
        _column(
            "changed", pl.String(), "what the configuration says of a changed day", nullable=True
        ),
    ),
)

EXPECTED = FrameSchema(
    "expected bars",
    (
        _SYMBOL,
        _SESSION,
        _column("expected", pl.Int64(), "bars that a complete session holds"),
        _column("open", UTC, "start of the session"),
        _column("close", UTC, "end of the session"),
        _column(
            "expected_from",
            UTC,
            "start of the part in which bars are expected; null: the open",
            nullable=True,
        ),
        _column(
            "expected_until",
            UTC,
            "end of the part in which bars are expected; null: the close",
            nullable=True,
        ),
    ),
)
"""One row per symbol and session in which the symbol could trade; no row on a holiday."""

SCORES = FrameSchema(
    "quality scores",
    (
        _column("dataset", pl.String(), "the scored dataset, for instance curated/bars_1d"),
        _SYMBOL,
        _SESSION,
        _column("expected", pl.Int64(), "bars that the calendar expects"),
        _column("observed", pl.Int64(), "bars that are there"),
        _column("coverage", pl.Float64(), "observed / expected, at most 1"),
        _column("gaps", pl.Int64(), "runs of missing bars"),
        _column("null_rate", pl.Float64(), "share of empty volume cells among the bars"),
        _column("duplicates", pl.Int64(), "raw rows that repeat another of the same fetch"),
        _column("ohlc_violations", pl.Int64(), "quarantined rows of the session"),
        _column("outliers", pl.Int64(), "bars flagged as jumps or false ticks"),
        _column("flat_run", pl.Int64(), "longest run of bars with one unchanged close"),
        _column("drift_max", pl.Float64(), "largest relative drift between vendors", nullable=True),
        _column(
            "freshness_seconds",
            pl.Float64(),
            "end of the session, or now while it runs, less the end of the newest bar",
            nullable=True,
        ),
        _column("score", pl.Float64(), "0 to 1"),
        _column("status", pl.String(), "GREEN, YELLOW or RED"),
        _column("reasons", pl.String(), "codes of the findings, comma-separated"),
        _column("bars_digest", pl.String(), "digest of the bars that were scored"),
        _column("rule_version", pl.String(), "version of the rules that made the row"),
    ),
)

FINDINGS = FrameSchema(
    "findings",
    (
        _column("check", pl.String(), "the check that found it: coverage, drift ..."),
        _column("code", pl.String(), "what was found"),
        _column("severity", pl.String(), "warn or error"),
        _column("dataset", pl.String(), "dataset that it was found in"),
        _SYMBOL,
        _SESSION,
        _column("value", pl.Float64(), "the measured value", nullable=True),
        _column("threshold", pl.Float64(), "the limit that it broke", nullable=True),
        _column("rows", pl.Int64(), "rows concerned"),
        _column("detail", pl.String(), "one sentence for a person"),
    ),
)

LEDGER = FrameSchema(
    "ledger",
    (
        _column("vendor", pl.String(), "who was asked"),
        _column("timeframe", pl.String(), "for which timeframe"),
        _SYMBOL,
        _SESSION,
        _column(
            "outcome",
            pl.String(),
            "rows, nothing, holiday, unavailable, refused or failed; 'not asked' where no row is",
        ),
        _column("rows", pl.Int64(), "bars of the session in that answer"),
        _column("final", pl.Boolean(), "asking again would bring nothing new"),
        _column("detail", pl.String(), "the vendor's reason, shortened"),
        _column("asked_at", UTC, "when"),
        _column("fetch_id", pl.String(), "the fetch that answered"),
    ),
)
