"""Bars that came and are not served: those in error, and those that nothing has curated.

What belongs here: how many of the former a read leaves out, and which sessions have some of either,
with why and the cure in words. What does not: what makes a bar an error (curation, quality), the
other reasons why bars are missing (explain.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.basis import SPLITS_DISPUTED
from market_data.datasets import curated_bars
from market_data.errors import WithheldBarsWarning
from market_data.pipeline.decisions import bar_decisions, masked
from market_data.pipeline.kept_flags import with_kept_flags
from market_data.pipeline.platform import Platform
from market_data.ports import Outcome
from market_data.quality.annotations import UNUSABLE
from market_data.schemas import PRICES
from market_data.timeframes import Timeframe
from market_data.wording import few

_READ = ("symbol", "ts", "session", *PRICES, "volume", "source", "final", "dq_status", "flags")
_KEY = ["symbol", "session"]


def tell_withheld(
    bars: pl.DataFrame, *, running: bool, stacklevel: int, checked: bool = False
) -> None:
    """Warn of the bars that quality "trusted" leaves out; say nothing where it leaves out none.

    Args:
        bars: rows of CURATED_BARS of a range, those in error among them.
        running: whether bars whose period is not over would be served.
        stacklevel: of `warnings.warn`, counted from the caller.
        checked: the flags were worked out for this read; coverage knows those of the last scores.

    Warns:
        WithheldBarsWarning: how many bars of which symbols and sessions, with their flags.
    """
    left = bars.filter(_in_error() & (pl.col("final") | running))
    if left.is_empty():
        return
    told = left.group_by("symbol").agg(
        pl.len().alias("bars"),
        pl.col("session").n_unique().alias("sessions"),
        pl.col("session").min().alias("first"),
        pl.col("session").max().alias("last"),
        _flags_of("flags").alias("why"),
    )
    of_symbol = pl.format(
        "{} ({} bar(s) of {} session(s), {} to {}, flags: {})",
        *("symbol", "bars", "sessions", "first", "last"),
        _or_none("why"),
    )
    names = told.sort("symbol").select(of_symbol).to_series().to_list()
    warnings.warn(
        f"left out, since they are in error: {few(names)}. 'emp bars ... --quality all' "
        "(quality=\"all\") shows them, 'emp coverage ... --gaps' names the cure"
        + (" once quality/scores is made of these bars" if checked else ""),
        WithheldBarsWarning,
        stacklevel=stacklevel + 1,
    )


def with_withheld(
    platform: Platform, explained: pl.DataFrame, timeframe: Timeframe, *, named: bool
) -> pl.DataFrame:
    """What is known about each day, with the sessions whose bars came and are held back.

    Curated bars in error are told at the vendor whose they are. Where that one is not among those
    that are looked at, since it serves another timeframe or is no longer configured, all others say
    so. Bars of a session that has no curated bar at all are told at each vendor that sent some and
    has no other reason.

    Args:
        platform: where the curated bars and people's decisions are.
        explained: columns of `market_data.pipeline.explain.EXPLAINED`.
        timeframe: whose bars.
        named: somebody chose the vendors; bars of others are none of theirs.

    Returns:
        The same rows, `reason` lengthened by a sentence, and the column `withheld` (Int64): bars
        in error or not curated, 0 where there are none.
    """
    if explained.is_empty():
        return explained.with_columns(withheld=pl.lit(0, dtype=pl.Int64))
    days: tuple[date, date] = explained.select(
        first=pl.col("session").min(), last=pl.col("session").max()
    ).row(0)
    symbols = explained["symbol"].unique().sort().to_list()
    bars = _curated(platform, timeframe, symbols, days)
    found = _in_error_by_session(bars, timeframe)
    listed = explained.group_by("symbol").agg(listed=pl.col("vendor").unique())
    joined = explained.join(found, on=_KEY, how="left", maintain_order="left").join(
        listed, on="symbol", how="left", maintain_order="left"
    )
    own = pl.col("sources").list.contains(pl.col("vendor"))
    nobodys = pl.col("sources").list.set_intersection("listed").list.len() == 0
    told = (own if named else own | nobodys).fill_null(value=False)
    before = pl.when(pl.col("reason") != "").then(pl.format("{}; ", "reason"))
    arrived = (pl.col("outcome") == str(Outcome.ROWS)) & (pl.col("rows") > 0)
    uncurated = pl.col("curated").is_null() & arrived & (pl.col("reason") == "")
    stored = bars.select(*_KEY, curated=True).unique()
    return (
        joined.join(stored, on=_KEY, how="left", maintain_order="left")
        .with_columns(
            reason=pl.when(told)
            .then(pl.concat_str(before.otherwise(pl.lit("")), "sentence"))
            .when(uncurated)
            .then(_uncurated(timeframe))
            .otherwise("reason"),
            withheld=pl.when(told).then("withheld").when(uncurated).then("rows").otherwise(0),
        )
        .select(*explained.columns, "withheld")
    )


def _curated(
    platform: Platform, timeframe: Timeframe, symbols: Sequence[str], sessions: tuple[date, date]
) -> pl.DataFrame:
    """Stored bars as readers get them: with the flags that are kept, and people's marks."""
    dataset = curated_bars(timeframe)
    stored = platform.store.scan(dataset, symbols=symbols, sessions=sessions, columns=_READ)
    decided = bar_decisions(platform, timeframe, sessions)
    flagged = with_kept_flags(platform, symbols, timeframe, stored, decided)
    return masked(flagged, decided, timeframe)


def _in_error_by_session(bars: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """Sessions that have curated bars in error.

    Returns:
        Columns symbol, session, withheld (Int64: how many bars), sources (list of the vendors
        whose prices they are), sentence.
    """
    counted = (
        bars.filter("final")
        .group_by(_KEY)
        .agg(
            pl.len().alias("bars"),
            _in_error().sum().cast(pl.Int64).alias("withheld"),
            pl.col("source").filter(_in_error()).unique().sort().alias("sources"),
            _flags_of(pl.col("flags").filter(_in_error())).alias("why"),
        )
        .filter(pl.col("withheld") > 0)
    )
    return counted.select(
        *_KEY,
        "withheld",
        # A bar that is made of shorter ones says so behind its vendor.
        sources=pl.col("sources").list.eval(pl.element().str.split("@").list.first()),
        sentence=_sentence(timeframe),
    )


def _in_error() -> pl.Expr:
    return pl.col("dq_status") == "error"


def _flags_of(flags: str | pl.Expr) -> pl.Expr:
    """Of texts of flags every flag once."""
    texts = pl.col(flags) if isinstance(flags, str) else flags
    each = texts.unique().str.split(",").explode()
    return each.filter(each != "").unique().sort().str.join(", ")


def _or_none(why: str) -> pl.Expr:
    return pl.when(pl.col(why) == "").then(pl.lit("none")).otherwise(pl.col(why))


def _uncurated(timeframe: Timeframe) -> pl.Expr:
    """What to do about bars that came and were not curated."""
    return pl.format(
        "bars came, none of them is curated: 'emp ingest --vendor {} --symbols {} "
        f"--timeframe {timeframe} --start ... --end ...' curates them, or says which check holds "
        "them back",
        "vendor",
        "symbol",
    )


def _sentence(timeframe: Timeframe) -> pl.Expr:
    """How many, why, and what to do; the same words for neighbours that fare alike."""
    many = (
        pl.when(pl.col("withheld") == pl.col("bars"))
        .then(pl.lit("all bars that came are withheld"))
        .otherwise(pl.format("{} of {} bars that came are withheld", "withheld", "bars"))
    )
    again = pl.format(
        f"'emp ingest --vendor {{}} --symbols {{}} --timeframe {timeframe} --start ... --end ... "
        "--refetch' asks for them again",
        pl.col("sources").list.first().str.split("@").list.first(),
        "symbol",
    )
    cure = (
        pl.when(pl.col("why").str.contains(UNUSABLE, literal=True))
        .then(pl.lit("'emp annotate list' shows who marked them so"))
        .when(pl.col("why").str.contains(SPLITS_DISPUTED, literal=True))
        .then(pl.concat_str(again, pl.lit(", --end on the day of the split or later")))
        .otherwise(pl.concat_str(again, pl.lit(", 'emp quality' says what is wrong")))
    )
    shown = "'emp bars ... --quality all' shows them"
    return pl.format("{} as errors (flags: {}): {}; {}", many, _or_none("why"), cure, pl.lit(shown))
