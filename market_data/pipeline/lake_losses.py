"""Rows that a damaged table lost: which symbols and sessions, and how they come back.

What belongs here: what else is known of the rows that lost files held - the ledger knows what
vendors gave, the scores how many bars there were - and who makes them anew.
What does not: finding and leaving out lost files (adapters/stores/delta_repair.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from market_data.datasets import (
    FLAGS_DATASET,
    MACRO_CALENDAR,
    SCORES_DATASET,
    Dataset,
    curated_bars,
    raw_bars,
)
from market_data.pipeline.platform import Platform, Progress, silent
from market_data.pipeline.rollback import make_anew
from market_data.ports.lake import CHANGED, Damage
from market_data.timeframes import Timeframe

LOSSES = {**CHANGED, "told_by": pl.String()}
"""Columns of what was lost: symbol, session, rows_before, rows_after, told_by."""
MOST_SYMBOLS = 40
"""Symbols that one command names."""


@dataclass(frozen=True)
class _Source:
    """Who of the ledger or the scores knows of a dataset's rows."""

    vendor: str = ""
    timeframe: Timeframe | None = None


def losses(platform: Platform, dataset: Dataset, damage: Damage) -> pl.DataFrame:
    """Symbol-sessions of which a damaged table lost rows.

    Args:
        platform: whose ledger and scores.
        dataset: of the table.
        damage: what is wrong with it, as found before it was repaired.

    Returns:
        Columns LOSSES, sorted by symbol and session: how many rows there were at least, how many
        are left, and who tells: former files of the table, the ledger, scores or bars.
    """
    found = damage.sessions.with_columns(told_by=pl.lit("former files"))
    if damage.ranges.is_empty():
        return found.select(list(LOSSES)).sort("symbol", "session")
    told = [
        _within(expected, damage.ranges)
        .join(damage.left, on=["symbol", "session"], how="left", suffix="_left")
        .select(
            "symbol",
            "session",
            rows_before=pl.col("rows"),
            rows_after=pl.col("rows_left").fill_null(0),
            told_by=pl.lit(teller),
        )
        .filter(pl.col("rows_after") < pl.col("rows_before"))
        for teller, expected in _expected(platform, dataset, damage).items()
    ]
    lost = (
        pl.concat([found.select(list(LOSSES)), *(rows.select(list(LOSSES)) for rows in told)])
        .sort("symbol", "session", "rows_before", descending=[False, False, True])
        .unique(["symbol", "session"], keep="first", maintain_order=True)
    )
    # Nobody knows: then it is everything that may have been in there, and never nothing.
    return lost if lost.height else _everything(platform, damage.ranges)


def _everything(platform: Platform, ranges: pl.DataFrame) -> pl.DataFrame:
    """Every symbol and day between what the log says of lost files; at least a row of each."""
    found = [pl.DataFrame(schema=LOSSES)]
    for low, high, first, last in ranges.select(
        "symbol_from", "symbol_to", "session_from", "session_to"
    ).iter_rows():
        if None in (low, high, first, last):
            continue
        known = {i.symbol for i in platform.universe.instruments if low <= i.symbol <= high}
        days = pl.date_range(first, last, eager=True).alias("session")
        found.append(
            pl.DataFrame({"symbol": sorted({low, high, *known})})
            .join(days.to_frame(), how="cross")
            .with_columns(
                rows_before=pl.lit(1, pl.Int64),
                rows_after=pl.lit(0, pl.Int64),
                told_by=pl.lit("range of the file"),
            )
        )
    return pl.concat(found).unique(["symbol", "session"]).sort("symbol", "session")


def _within(expected: pl.DataFrame, ranges: pl.DataFrame) -> pl.DataFrame:
    """Rows that one of the lost files may have held."""
    inside = [
        pl.col("symbol").is_between(pl.lit(low), pl.lit(high))
        & pl.col("session").is_between(first, last)
        for low, high, first, last in ranges.select(
            "symbol_from", "symbol_to", "session_from", "session_to"
        ).iter_rows()
        if None not in (low, high, first, last)
    ]
    return expected.filter(pl.any_horizontal(pl.lit(value=False), *inside))


def _expected(platform: Platform, dataset: Dataset, damage: Damage) -> dict[str, pl.DataFrame]:
    """Rows that there should be by symbol and session, by who says so."""
    first, last = damage.ranges.select(
        pl.col("session_from").min(), pl.col("session_to").max()
    ).row(0)
    if first is None:
        return {}
    sessions: tuple[date, date] = (first, last)
    if source := _vendor_of(platform, dataset):
        return {"ledger": _fetched(platform, source.timeframe, [source.vendor], sessions)}
    if dataset.name in (SCORES_DATASET.name, FLAGS_DATASET.name):
        bars = [
            platform.store.scan(
                curated_bars(timeframe), sessions=sessions, columns=["symbol", "session"]
            ).unique()
            for timeframe in Timeframe
        ]
        counted = pl.concat(bars).group_by("symbol", "session").agg(rows=pl.len().cast(pl.Int64))
        return {"bars": counted}
    timeframe = timeframe_of(dataset)
    if timeframe is None:
        return {}
    scored = platform.store.scan(
        SCORES_DATASET, sessions=sessions, columns=["symbol", "session", "dataset", "observed"]
    ).filter((pl.col("dataset") == dataset.name) & (pl.col("observed") > 0))
    observed = scored.select("symbol", "session", rows=pl.col("observed").cast(pl.Int64))
    # Vendors' rows are not all curated; but where they gave some, a session is not without any.
    given = pl.concat(
        _fetched(platform, made_of, None, sessions) for made_of in {timeframe, Timeframe.M1}
    )
    some = given.select("symbol", "session", rows=pl.lit(1, pl.Int64)).unique()
    return {"scores": observed, "ledger": some}


def _fetched(
    platform: Platform,
    timeframe: Timeframe | None,
    vendors: Sequence[str] | None,
    sessions: tuple[date, date],
) -> pl.DataFrame:
    known = platform.ledger.read(timeframe=timeframe, vendors=vendors, sessions=sessions)
    rows = known.filter((pl.col("outcome") == "rows") & (pl.col("rows") > 0))
    return rows.select("symbol", "session", pl.col("rows").cast(pl.Int64))


def timeframe_of(dataset: Dataset) -> Timeframe | None:
    """The timeframe of curated bars; None for any other dataset."""
    return next((t for t in Timeframe if curated_bars(t).name == dataset.name), None)


def _vendor_of(platform: Platform, dataset: Dataset) -> _Source | None:
    return next(
        (
            _Source(vendor.name, timeframe)
            for vendor in platform.universe.vendors
            for timeframe in vendor.timeframes
            if raw_bars(vendor.name, timeframe).name == dataset.name
        ),
        None,
    )


def is_made_anew(dataset: Dataset) -> bool:
    """Whether `remake` makes its rows: curated bars, scores and flags."""
    return timeframe_of(dataset) is not None or dataset.name in (
        SCORES_DATASET.name,
        FLAGS_DATASET.name,
    )


def remake(
    platform: Platform, dataset: Dataset, lost: pl.DataFrame, tell: Progress = silent
) -> None:
    """Curate and score the sessions that lost rows, from the raw logs as they are now.

    Args:
        platform: whose.
        dataset: curated bars, scores or flags.
        lost: columns LOSSES.
        tell: hears of progress.
    """
    timeframe = timeframe_of(dataset) or Timeframe.D1
    touched = lost.select(timeframe=pl.lit(str(timeframe)), symbol="symbol", session="session")
    make_anew(platform, touched, tell)


def cures(platform: Platform, dataset: Dataset, lost: pl.DataFrame) -> list[str]:
    """What brings the rows back that this platform cannot make by itself: commands, or sentences.

    Args:
        platform: whose vendors.
        dataset: of the table.
        lost: columns LOSSES.
    """
    if lost.is_empty() or is_made_anew(dataset):
        return []
    first, last = lost.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    source = _vendor_of(platform, dataset)
    if source is not None:
        symbols = lost["symbol"].unique().sort().to_list()
        return [
            f"emp ingest --vendor {source.vendor} --timeframe {source.timeframe} --symbols "
            f"{','.join(part)} --start {first} --end {last} --refetch"
            for part in _parts(symbols)
        ]
    if dataset.name.startswith("raw/fred_") or dataset.name == MACRO_CALENDAR.name:
        return [f"emp macro ingest --start {first} --end {last}"]
    return [f"materialise {dataset.name} again for {first} to {last} ('emp dev', or its job)"]


def _parts(symbols: Sequence[str]) -> list[list[str]]:
    return [list(symbols[at : at + MOST_SYMBOLS]) for at in range(0, len(symbols), MOST_SYMBOLS)]


def beside_restored(platform: Platform, dataset: Dataset, changed: pl.DataFrame) -> list[str]:
    """What else a person should know after a table went back to a former version.

    Args:
        platform: whose vendors.
        dataset: of the table.
        changed: columns CHANGED.
    """
    if changed.is_empty():
        return []
    if asks := cures(platform, dataset, changed):
        kept = "the ledger still holds what was fetched since: what left the log comes back with"
        return [f"{kept}: {ask}" for ask in asks]
    if timeframe_of(dataset) is not None:
        return [
            "scores and flags of these sessions are still those of the bars before, and the next "
            "run that has these sessions curated anew makes them of the raw logs again"
        ]
    return ["the next run that makes these sessions anew makes them as it did before"]
