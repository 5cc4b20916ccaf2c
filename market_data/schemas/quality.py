"""What should be there, how good it is, and what was found."""

from __future__ import annotations

import polars as pl

from market_data.schemas.frame import SESSION, SYMBOL, UTC, FrameSchema, column

EXPECTED = FrameSchema(
    "expected bars",
    (
        SYMBOL,
        SESSION,
        column("expected", pl.Int64(), "bars that a complete session holds"),
        column("open", UTC, "start of the session"),
        column("close", UTC, "end of the session"),
        column(
            "expected_from",
            UTC,
            "start of the part in which bars are expected; null: the open",
            nullable=True,
        ),
        column(
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
        column("dataset", pl.String(), "the scored dataset, for instance curated/bars_1d"),
        SYMBOL,
        SESSION,
        column("expected", pl.Int64(), "bars that the calendar expects"),
        column("observed", pl.Int64(), "bars that are there"),
        column("coverage", pl.Float64(), "observed / expected, at most 1"),
        column("gaps", pl.Int64(), "runs of missing bars"),
        column("null_rate", pl.Float64(), "share of empty volume cells among the bars"),
        column("duplicates", pl.Int64(), "raw rows that repeat another of the same fetch"),
        column("ohlc_violations", pl.Int64(), "quarantined rows of the session"),
        column("outliers", pl.Int64(), "bars flagged as jumps or false ticks"),
        column("flat_run", pl.Int64(), "longest run of bars with one unchanged close"),
        column("drift_max", pl.Float64(), "largest relative drift between vendors", nullable=True),
        column(
            "freshness_seconds",
            pl.Float64(),
            "end of the session, or now while it runs, less the end of the newest bar",
            nullable=True,
        ),
        column("score", pl.Float64(), "0 to 1"),
        column("status", pl.String(), "GREEN, YELLOW or RED"),
        column("reasons", pl.String(), "codes of the findings, comma-separated"),
        column("bars_digest", pl.String(), "digest of the bars that were scored"),
        column("rule_version", pl.String(), "version of the rules that made the row"),
    ),
)

KEPT_FLAGS = FrameSchema(
    "kept flags",
    (
        column("dataset", pl.String(), "the dataset of the bar, for instance curated/bars_1d"),
        SYMBOL,
        SESSION,
        column("bar", UTC, "start of the bar, or of the session's first one"),
        column("scope", pl.String(), "bar, or session where all bars of the session are meant"),
        column("code", pl.String(), "what was found"),
        column("severity", pl.String(), "warn or error"),
        column("found_by", pl.String(), "the check that found it: false_ticks, volume ..."),
        column(
            "digest",
            pl.Int64(),
            "of the bar's prices, or of the volumes of the session, that it was found in",
        ),
        column("found_at", UTC, "when it was first found in these"),
        column("rule_version", pl.String(), "version of the rules that found it last"),
    ),
)
"""Flags of single bars, as they were found when their session was scored."""

FINDINGS = FrameSchema(
    "findings",
    (
        column("check", pl.String(), "the check that found it: coverage, drift ..."),
        column("code", pl.String(), "what was found"),
        column("severity", pl.String(), "warn or error"),
        column("dataset", pl.String(), "dataset that it was found in"),
        SYMBOL,
        SESSION,
        column("value", pl.Float64(), "the measured value", nullable=True),
        column("threshold", pl.Float64(), "the limit that it broke", nullable=True),
        column("rows", pl.Int64(), "rows concerned"),
        column("detail", pl.String(), "one sentence for a person"),
    ),
)
