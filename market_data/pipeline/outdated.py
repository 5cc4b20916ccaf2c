"""Which curated bars are no longer what curation would make of the raw logs and actions now.

What belongs here: finding them, as unbroken ranges of sessions. What does not: making them anew
(jobs, emp/run.py), telling of them among the checks (market_data/quality/outdated.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from market_data.calendars import expected_bars
from market_data.datasets import curated_bars
from market_data.pipeline.curate import chunks, curate_slice, step_days
from market_data.pipeline.platform import Platform
from market_data.pipeline.rescore import scores_by_other_rules
from market_data.pipeline.rules import rules_of
from market_data.quality.digest import bars_digest
from market_data.timeframes import Timeframe


@dataclass(frozen=True)
class Outdated:
    """An unbroken range of sessions of one symbol and timeframe, all of them outdated.

    Attributes:
        timeframe: of the bars.
        first: first session.
        last: last session.
        sessions: how many there are.
    """

    timeframe: Timeframe
    first: date
    last: date
    sessions: int


def outdated(
    platform: Platform,
    symbol: str,
    *,
    timeframes: Sequence[Timeframe] = tuple(Timeframe),
    sessions: tuple[date, date] | None = None,
    stored_only: bool = False,
) -> list[Outdated]:
    """Where the curated bars of a symbol differ from what the raw logs and actions give now.

    Timeframes of which nothing is stored are left out: nobody has made them yet.

    Args:
        platform: configuration and ports.
        symbol: whose bars.
        timeframes: only these.
        sessions: first and last session; None for all that are stored.
        stored_only: a session of which nothing is stored is not outdated: a check may have held
            it back.

    Returns:
        Ranges by timeframe and time. Sessions follow each other when the symbol has none between.
    """
    return [
        found
        for timeframe in timeframes
        for found in unbroken(
            _judged(platform, symbol, timeframe, sessions, stored_only=stored_only), timeframe
        )
    ]


def sessions_outdated(
    platform: Platform,
    symbols: Iterable[str],
    timeframes: Sequence[Timeframe] = tuple(Timeframe),
    sessions: tuple[date, date] | None = None,
) -> pl.DataFrame:
    """Stored sessions that curation would make otherwise now; it curates anew to know.

    Args:
        platform: configuration and ports.
        symbols: whose bars.
        timeframes: only these.
        sessions: first and last session; None for all that are stored.

    Returns:
        Columns timeframe, symbol, session, each once, sorted.
    """
    schema = {"timeframe": pl.String(), "symbol": pl.String(), "session": pl.Date()}
    found = [pl.DataFrame(schema=schema)]
    for symbol in symbols:
        instrument = platform.universe.instrument(symbol)
        for part in outdated(
            platform, symbol, timeframes=timeframes, sessions=sessions, stored_only=True
        ):
            days = expected_bars([instrument], part.timeframe, part.first, part.last)
            named = pl.lit(str(part.timeframe)).alias("timeframe")
            found.append(days.select(named, "symbol", "session"))
    return pl.concat(found).unique().sort(list(schema))


def unbroken(judged: pl.DataFrame, timeframe: Timeframe) -> Iterator[Outdated]:
    """Sessions that differ, as ranges.

    Args:
        judged: session, sorted, without repetitions; differs.
        timeframe: of the bars.
    """
    runs = (
        judged.with_columns(run=pl.col("differs").rle_id())
        .filter("differs")
        .group_by("run", maintain_order=True)
        .agg(first=pl.col("session").first(), last=pl.col("session").last(), sessions=pl.len())
    )
    for first, last, count in runs.select("first", "last", "sessions").iter_rows():
        yield Outdated(timeframe, first, last, count)


def _judged(
    platform: Platform,
    symbol: str,
    timeframe: Timeframe,
    sessions: tuple[date, date] | None,
    *,
    stored_only: bool,
) -> pl.DataFrame:
    """Columns session, differs: every session that is stored or would be, sorted."""
    dataset = curated_bars(timeframe)
    held = platform.store.scan(dataset, symbols=[symbol], sessions=sessions, columns=["session"])[
        "session"
    ].unique()
    parts = [pl.DataFrame(schema={"session": pl.Date, "differs": pl.Boolean})]
    if held.is_empty():
        return parts[0]
    differs = pl.col("bars_digest").ne_missing(pl.col("bars_digest_anew"))
    if stored_only:
        differs &= pl.col("bars_digest").is_not_null()
    days = held.sort()
    first, last = sessions or (days[0], days[-1])
    for span in chunks(first, last, step_days(platform, timeframe)):
        stored = bars_digest(platform.store.scan(dataset, symbols=[symbol], sessions=span))
        anew = bars_digest(curate_slice(platform, timeframe, [symbol], *span).bars)
        parts.append(
            stored.join(anew, on=["symbol", "session"], how="full", coalesce=True, suffix="_anew")
            .select("session", differs=differs)
            .sort("session")
        )
    return pl.concat(parts)


def by_other_rules(
    platform: Platform,
    symbols: Sequence[str],
    timeframe: Timeframe,
    sessions: tuple[date, date],
) -> pl.DataFrame:
    """Symbol-sessions whose curated bars, or whose score, other rules made than those in force.

    It compares the versions that the rows keep; nothing is curated for it.

    Args:
        platform: configuration and ports.
        symbols: whose.
        timeframe: of the bars.
        sessions: first and last session.

    Returns:
        Columns symbol, session, each pair once.
    """
    dataset = curated_bars(timeframe)
    key = ["symbol", "session"]
    versions = rules_of(platform, timeframe)
    instruments = {i.symbol: i for i in platform.universe.instruments}
    in_force = {s: versions[instruments[s].asset_class] for s in symbols if s in instruments}
    stored = platform.store.scan(
        dataset, symbols=symbols, sessions=sessions, columns=[*key, "rule_version"]
    )
    bars = stored.filter(
        pl.col("rule_version") != pl.col("symbol").replace_strict(in_force, default=None)
    )
    scores = scores_by_other_rules(platform, sessions, symbols).filter(dataset=dataset.name)
    return pl.concat([bars.select(key), scores.select(key)]).unique()
