"""Why bars are missing: the ledger in words, per vendor and for all vendors together.

What belongs here: a sentence for every symbol-session, and neighbouring sessions of one sentence
put together. What does not: the ledger's rows (read.py), drawing them (emp_assets/outcome_map.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.calendars import expected_bars
from market_data.pipeline.platform import Platform
from market_data.pipeline.read import ledger_by_session
from market_data.ports import Outcome
from market_data.schemas import LEDGER
from market_data.timeframes import Timeframe

SEVERAL = "all vendors"
"""Stands for the vendor where all are looked at together."""

_ORDER = (
    Outcome.ROWS,
    Outcome.HOLIDAY,
    Outcome.FAILED,
    Outcome.REFUSED,
    Outcome.NOT_ASKED,
    Outcome.NOTHING,
    Outcome.UNAVAILABLE,
)
"""Of several vendors' outcomes the one that counts: bars, else what a person can do most about."""

EXPLAINED = pl.Schema({**LEDGER.dtypes, "reason": pl.String()})
"""The ledger, with a sentence."""


def explain(
    platform: Platform,
    symbols: Sequence[str],
    first: date,
    last: date,
    timeframe: Timeframe,
    vendors: Sequence[str] | None = None,
) -> pl.DataFrame:
    """What is known about each day of a range, with the reason in words.

    Args:
        platform: where from.
        symbols: instruments of the universe.
        first: first day.
        last: last day, included.
        timeframe: whose bars.
        vendors: only these; None for every vendor that serves the symbol at the timeframe.

    Returns:
        Columns of EXPLAINED, sorted by (symbol, vendor, session). `reason` is empty where all
        expected bars came, and on a day without a session.
    """
    known = ledger_by_session(platform, symbols, first, last, timeframe, vendors)
    instruments = [platform.universe.instrument(s) for s in symbols]
    expected = expected_bars(instruments, timeframe, first, last)
    off = {v: platform.vendors.why_off(v) for v in known["vendor"].unique()}
    joined = known.join(
        expected.select("symbol", "session", "expected", "open"),
        on=["symbol", "session"],
        how="left",
        maintain_order="left",
    ).with_columns(off=pl.col("vendor").replace_strict(off, default="", return_dtype=pl.String))
    return joined.with_columns(reason=_reason(platform)).select(EXPLAINED.names())


def _reason(platform: Platform) -> pl.Expr:
    outcome, detail = pl.col("outcome"), pl.col("detail")
    at = pl.col("asked_at").dt.strftime("%Y-%m-%d %H:%M")
    said = pl.when(detail != "").then(pl.format(": {}", detail)).otherwise(pl.lit(""))
    still = (
        pl.when("final").then(pl.lit("")).otherwise(pl.lit("; it is asked again by the next run"))
    )
    begun = pl.col("open") <= platform.clock.now()
    sentences = {
        Outcome.ROWS: pl.when(pl.col("rows") < pl.col("expected"))
        .then(pl.format("{} of {} expected bars came{}{}", "rows", "expected", said, still))
        .otherwise(pl.lit("")),
        Outcome.HOLIDAY: pl.lit(""),
        Outcome.NOTHING: pl.format("asked at {} UTC, the vendor had no bars{}{}", at, said, still),
        Outcome.UNAVAILABLE: pl.format("the vendor cannot serve it{}", said),
        Outcome.REFUSED: pl.format("the vendor refused at {} UTC{}", at, said),
        Outcome.FAILED: pl.format("asking failed at {} UTC{}", at, said),
        Outcome.NOT_ASKED: pl.when(~begun)
        .then(pl.lit("the session has not begun"))
        .when(pl.col("off") != "")
        .then(pl.format("the vendor is off: {}", "off"))
        .otherwise(pl.lit("nobody has asked for it yet; 'emp ingest' does")),
    }
    found = [pl.when(outcome == str(o)).then(sentence) for o, sentence in sentences.items()]
    return pl.coalesce(*found, pl.lit(""))


def together(explained: pl.DataFrame) -> pl.DataFrame:
    """One row per symbol and session over all vendors.

    Args:
        explained: columns of EXPLAINED.

    Returns:
        Columns of EXPLAINED; `vendor` is SEVERAL, `outcome` the one that counts, `reason` what
        each vendor's is where no vendor has bars, else empty.
    """
    rank = pl.col("outcome").replace_strict(
        {str(o): i for i, o in enumerate(_ORDER)}, default=len(_ORDER), return_dtype=pl.Int64
    )
    of_vendor = pl.format("{}: {}", "vendor", "reason")
    gathered = (
        explained.with_columns(rank=rank, told=pl.when(pl.col("reason") != "").then(of_vendor))
        .sort("symbol", "session", "rank", "vendor")
        .group_by("symbol", "session", maintain_order=True)
        .agg(
            pl.col("outcome").first(),
            pl.col("rows").max(),
            pl.col("timeframe", "final", "detail", "fetch_id").first(),
            pl.col("asked_at").max(),
            told=pl.col("told").drop_nulls().str.join("; "),
        )
    )
    has_rows = pl.col("outcome") == str(Outcome.ROWS)
    return gathered.with_columns(
        vendor=pl.lit(SEVERAL),
        reason=pl.when(has_rows).then(pl.lit("")).otherwise("told"),
    ).select(EXPLAINED.names())


def gaps(explained: pl.DataFrame) -> pl.DataFrame:
    """Sessions for which something is to be said, neighbours with one reason put together.

    Args:
        explained: columns of EXPLAINED.

    Returns:
        Columns vendor, symbol, outcome, first, last, sessions, reason, sorted by (vendor, symbol,
        first). Days without a session part nothing.
    """
    told = explained.filter(pl.col("outcome") != str(Outcome.HOLIDAY)).sort(
        "vendor", "symbol", "session"
    )
    run = pl.struct("vendor", "symbol", "outcome", "reason").rle_id()
    return (
        told.with_columns(run=run)
        .filter(pl.col("reason") != "")
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("vendor", "symbol", "outcome").first(),
            pl.col("session").first().alias("first"),
            pl.col("session").last().alias("last"),
            pl.len().alias("sessions"),
            pl.col("reason").first(),
        )
        .drop("run")
    )
