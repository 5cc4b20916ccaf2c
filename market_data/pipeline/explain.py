"""Why bars are missing: the ledger in words, per vendor and for all vendors together.

What belongs here: a sentence for every symbol-session, and neighbouring sessions of one sentence
put together. What does not: the ledger's rows (ledger_days.py), drawing them
(emp_assets/outcome_map.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.calendars import expected_bars
from market_data.pipeline.doubts import resting
from market_data.pipeline.ledger_days import ledger_by_session
from market_data.pipeline.planning import under_a_name
from market_data.pipeline.platform import Platform
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
    speakers = known["vendor"].unique(maintain_order=True).to_list()
    off = {v: platform.vendors.why_off(v) for v in speakers}
    keys = ["vendor", "symbol", "session"]
    joined = (
        known.join(
            expected.select("symbol", "session", "expected", "open", "close"),
            on=["symbol", "session"],
            how="left",
            maintain_order="left",
        )
        .with_columns(off=pl.col("vendor").replace_strict(off, default="", return_dtype=pl.String))
        .join(_refused(platform, timeframe, (first, last), speakers), on=keys, how="left")
        .join(_unserved(platform, expected, timeframe, speakers), on=keys, how="left")
    )
    nobody = joined.clear().select(*keys, again=pl.col("asked_at"))
    resumed = [
        resting(
            joined.filter(pl.col("vendor") == v),
            settling=platform.vendors.settling(v),
            now=platform.clock.now(),
        ).select(*keys, "again")
        for v in speakers
    ]
    again = pl.concat([nobody, *resumed])
    told = joined.join(again, on=keys, how="left").sort("symbol", "vendor", "session")
    return told.with_columns(reason=_reason(platform)).select(EXPLAINED.names())


def _refused(
    platform: Platform, timeframe: Timeframe, sessions: tuple[date, date], vendors: Sequence[str]
) -> pl.DataFrame:
    """Columns vendor, symbol, session, and of open refused rows `refused` and `why`."""
    counts = platform.quarantine.counts(timeframe=timeframe, sessions=sessions, vendors=vendors)
    return (
        counts.sort("reasons")
        .group_by("vendor", "symbol", "session")
        .agg(
            refused=pl.col("rows").sum(),
            why=pl.col("reasons")
            .str.split(",")
            .explode()
            .unique(maintain_order=True)
            .str.join(", "),
        )
    )


def _unserved(
    platform: Platform, expected: pl.DataFrame, timeframe: Timeframe, vendors: Sequence[str]
) -> pl.DataFrame:
    """Columns vendor, symbol, session, and `unserved`: why nobody ever asks for it there."""
    universe = platform.universe
    pairs = expected.select("symbol", "session")
    found = [pl.DataFrame(schema={"vendor": pl.String, **pairs.schema, "unserved": pl.String})]
    for name in vendors:
        vendor = universe.vendor(name)
        served = [
            s for s in pairs["symbol"].unique() if universe.serves(vendor, universe.instrument(s))
        ]
        named = under_a_name(expected.filter(pl.col("symbol").is_in(served)), universe, name)
        why = (
            pl.when(~pl.col("symbol").is_in(served))
            .then(pl.lit("not served by this vendor"))
            .when(pl.lit(timeframe not in vendor.timeframes))
            .then(pl.lit(f"not served by this vendor: it has no {timeframe} bars"))
            .otherwise(pl.lit("not served by this vendor: it had no name for the symbol then"))
        )
        asked_for = named.clear() if timeframe not in vendor.timeframes else named
        never = pairs.join(asked_for, on=["symbol", "session"], how="anti")
        found.append(never.select(pl.lit(name).alias("vendor"), "symbol", "session", unserved=why))
    return pl.concat(found)


def _reason(platform: Platform) -> pl.Expr:
    outcome, detail = pl.col("outcome"), pl.col("detail")
    at = pl.col("asked_at").dt.strftime("%Y-%m-%d %H:%M")
    said = pl.when(detail != "").then(pl.format(": {}", detail)).otherwise(pl.lit(""))
    still = (
        pl.when("final")
        .then(pl.lit(""))
        .when(pl.col("again").is_not_null())
        .then(
            pl.format(
                "; it is asked again from {} UTC on", pl.col("again").dt.strftime("%Y-%m-%d %H:%M")
            )
        )
        .otherwise(pl.lit("; it is asked again by the next run"))
    )
    begun = pl.col("open") <= platform.clock.now()
    refused = pl.format(
        "{} row(s) came and were refused ({}); 'emp quarantine list' shows them", "refused", "why"
    )
    also = pl.when(pl.col("refused") > 0).then(pl.format("; {}", refused)).otherwise(pl.lit(""))
    sentences = {
        Outcome.ROWS: pl.when(pl.col("rows") < pl.col("expected"))
        .then(pl.format("{} of {} expected bars came{}{}{}", "rows", "expected", said, also, still))
        .when(pl.col("refused") >= pl.col("rows"))
        .then(refused)
        .otherwise(pl.lit("")),
        Outcome.HOLIDAY: pl.lit(""),
        Outcome.NOTHING: pl.when(pl.col("refused") > 0)
        .then(pl.format("asked at {} UTC, {}{}", at, refused, still))
        .otherwise(pl.format("asked at {} UTC, the vendor had no bars{}{}", at, said, still)),
        Outcome.UNAVAILABLE: pl.format("the vendor cannot serve it{}", said),
        Outcome.REFUSED: pl.format("the vendor refused at {} UTC{}", at, said),
        Outcome.FAILED: pl.format("asking failed at {} UTC{}{}", at, said, also),
        Outcome.NOT_ASKED: pl.when(pl.col("unserved").is_not_null())
        .then("unserved")
        .when(~begun)
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
        explained: columns of EXPLAINED, and perhaps `withheld`, see `withheld.with_withheld`.

    Returns:
        Columns of EXPLAINED; `vendor` is SEVERAL, `outcome` the one that counts, `reason` what
        each vendor's is where no vendor has bars or bars are withheld, else empty.
    """
    rank = pl.col("outcome").replace_strict(
        {str(o): i for i, o in enumerate(_ORDER)}, default=len(_ORDER), return_dtype=pl.Int64
    )
    of_vendor = pl.format("{}: {}", "vendor", "reason")
    held = pl.col("withheld") if "withheld" in explained.columns else pl.lit(0)
    gathered = (
        explained.with_columns(
            rank=rank, held=held, told=pl.when(pl.col("reason") != "").then(of_vendor)
        )
        .sort("symbol", "session", "rank", "vendor")
        .group_by("symbol", "session", maintain_order=True)
        .agg(
            pl.col("outcome").first(),
            pl.col("rows", "held").max(),
            pl.col("timeframe", "final", "detail", "fetch_id").first(),
            pl.col("asked_at").max(),
            told=pl.col("told").drop_nulls().str.join("; "),
        )
    )
    has_bars = (pl.col("outcome") == str(Outcome.ROWS)) & (pl.col("held") == 0)
    return gathered.with_columns(
        vendor=pl.lit(SEVERAL),
        reason=pl.when(has_bars).then(pl.lit("")).otherwise("told"),
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
