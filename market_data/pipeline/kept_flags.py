"""Kept flags: found when a range is scored, and put on its bars whenever these are read.

What belongs here: which sessions are judged beside a range that is scored, keeping what is found
there, and the way back from the store to the bars. What does not: finding flags (flagging.py), what
is kept of one and whether it still holds (market_data/quality/kept_flags.py).

A bar is judged by those around it. So what is scored renews the flags of its neighbours too: a
false tick on the last day of a range is one only when the next day comes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from market_data.datasets import FLAGS_DATASET, curated_bars
from market_data.pipeline.curate import lock_names
from market_data.pipeline.flagging import (
    COMPARED,
    contradicted_now,
    flags_now,
    with_flags,
)
from market_data.pipeline.later_volumes import odd_later, usual_in
from market_data.pipeline.platform import Platform
from market_data.pipeline.rules import rules_in_force
from market_data.pipeline.surroundings import (
    beside,
    closes_around,
    judged_beside,
    read_around,
    reading,
    volumes_before,
)
from market_data.ports import Annotation
from market_data.quality.findings import KEY
from market_data.quality.jumps import UNIT_ERROR, unit_spans
from market_data.quality.kept_flags import SESSION, first_found, flags_to_keep, still_there
from market_data.quality.unit_stretches import SEEN_BEFORE, SEEN_LATER
from market_data.quality.view import SERIES, limits_of
from market_data.quality.volume import CHECK as VOLUMES
from market_data.schemas import KEPT_FLAGS
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Scored:
    """A part of a range that is scored.

    Attributes:
        sessions: first and last of the part.
        begins: nothing of the range lies before it.
        ends: nothing of the range lies after it.
    """

    sessions: tuple[date, date]
    begins: bool = True
    ends: bool = True

    def judged(self, timeframe: Timeframe) -> tuple[date, date]:
        """First and last session that the part has a say in: whose flags are found anew with it."""
        before, after = judged_beside(timeframe)
        first, last = self.sessions
        none = timedelta(0)
        return first - (after if self.begins else none), last + (before if self.ends else none)


def keep_flags(
    platform: Platform,
    symbols: Sequence[str],
    part: Scored,
    *,
    held: Collection[Timeframe],
    chosen: Collection[Timeframe],
) -> tuple[date, date]:
    """Find the flags of a part of a scored range, and of what lies beside it, and keep them.

    The same bars give the same rows, whenever they are scored: a flag that is found again keeps the
    moment at which it was found first.

    Args:
        platform: configuration and ports.
        symbols: which.
        part: of the range.
        held: timeframes of which there are bars.
        chosen: timeframes that are scored; flags of others stay as they are.

    Returns:
        First and last session whose flags may be others now.
    """
    judged = {t: part.judged(t) for t in chosen}
    judged |= {t: judged_with(platform, symbols, part, t) for t in held if t in chosen}
    later = {
        t: span
        for t in held
        if t in chosen and (span := usual_in(t, part.sessions, judged[t], ends=part.ends))
    }
    spans = [part.sessions, *judged.values(), *later.values()]
    whole = min(first for first, _ in spans), max(last for _, last in spans)
    # Who reads the bars last also writes last.
    with platform.locks.hold(lock_names(FLAGS_DATASET.name, *whole)):
        kept = platform.store.scan(FLAGS_DATASET, symbols=symbols, sessions=whole)
        now = _now(platform, symbols, part, {t: judged[t] for t in held if t in chosen}, later)
        renewed = [_renewed(part, t, span, later.get(t, span)) for t, span in judged.items()]
        anew = pl.any_horizontal(pl.lit(value=False), *renewed)
        rows = pl.concat([first_found(now, kept), kept.filter(~anew)]).sort(FLAGS_DATASET.sort)
        if not rows.equals(kept):
            platform.store.replace(FLAGS_DATASET, rows, sessions=whole, symbols=symbols)
    return whole


def flags_of(
    platform: Platform,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    timeframes: Sequence[Timeframe],
) -> pl.DataFrame:
    """What would be kept of a range if it were scored now: rows of KEPT_FLAGS; keeps nothing."""
    return _now(platform, symbols, Scored(sessions), dict.fromkeys(timeframes, sessions))


def judged_with(
    platform: Platform, symbols: Sequence[str], part: Scored, timeframe: Timeframe
) -> tuple[date, date]:
    """First and last session whose flags are found anew with a part.

    Of minutes few sessions beside a part are judged anew, those whose bars it has a say in, but for
    stretches in another unit which begin or end with it: with the step back all of such a stretch
    turns out to be wrong. Where one was found before, it may be none any more.

    Args:
        platform: configuration and ports.
        symbols: whose bars the part holds.
        part: of a range.
        timeframe: of the bars.
    """
    first, last = part.judged(timeframe)
    closes = closes_around(
        timeframe,
        symbols,
        part.sessions[0] - SEEN_LATER,
        part.sessions[1],
        reading(platform, timeframe),
    )
    if closes is None:
        return first, last
    reached = beside(closes, *part.sessions)
    first, last = part.sessions
    first = min(reached["before"].to_list(), default=first) if part.begins else first
    last = max(reached["after"].to_list(), default=last) if part.ends else last
    instruments = [platform.universe.instrument(s) for s in symbols]
    limits = limits_of(instruments, timeframe, platform.thresholds)
    actions = platform.actions.read(symbols=symbols)
    stretches = unit_spans(closes, limits, actions=actions).select(
        first=pl.col("since").dt.date() - _DAY, last=pl.col("until").dt.date() + _DAY
    )
    near = part.sessions[0] - SEEN_LATER, part.sessions[1] + SEEN_BEFORE
    kept = platform.store.scan(FLAGS_DATASET, symbols=symbols, sessions=near).filter(
        pl.col("code") == UNIT_ERROR, pl.col("dataset") == curated_bars(timeframe).name
    )
    touching = stretches.filter(
        pl.col("first") <= part.sessions[1], pl.col("last") >= part.sessions[0]
    )
    days = [
        first,
        last,
        *touching["first"],
        *touching["last"],
        *kept["session"].unique(),
    ]
    return min(days), max(days)


def _now(
    platform: Platform,
    symbols: Sequence[str],
    part: Scored,
    judged: Mapping[Timeframe, tuple[date, date]],
    later: Mapping[Timeframe, tuple[date, date]] | None = None,
) -> pl.DataFrame:
    found = [_found(platform, symbols, part, t, sessions) for t, sessions in judged.items()]
    odd = [odd_later(platform, symbols, t, span) for t, span in (later or {}).items()]
    return (
        pl.concat([KEPT_FLAGS.empty(), *found, *odd], how="diagonal")
        .with_columns(rule_version=pl.lit(platform.rule_version))
        .with_columns(rule_version=rules_in_force(platform))
    )


def _renewed(
    part: Scored, timeframe: Timeframe, judged: tuple[date, date], later: tuple[date, date]
) -> pl.Expr:
    """Kept flags that are found anew, or not found any more."""
    sessions = (
        pl.when(pl.col("code") == COMPARED)
        .then(pl.col("session").is_between(*part.sessions))
        .when(pl.col("found_by") == VOLUMES)
        .then(pl.col("session").is_between(judged[0], later[1]))
        .otherwise(pl.col("session").is_between(*judged))
    )
    return (pl.col("dataset") == curated_bars(timeframe).name) & sessions


def _found(
    platform: Platform,
    symbols: Sequence[str],
    part: Scored,
    timeframe: Timeframe,
    judged: tuple[date, date],
) -> pl.DataFrame:
    """Rows of KEPT_FLAGS without rule_version."""
    first, last = judged
    read = reading(platform, timeframe)
    closes = closes_around(timeframe, symbols, first, last, read)
    series = read_around(read, timeframe, symbols, judged, closes, [*SERIES, "final", "flags"])
    volumes = volumes_before(platform, timeframe, symbols, first)
    found = flags_now(platform, timeframe, series, volumes, first, closes=closes)
    flags = [found.filter(pl.col("session").is_between(first, last))]
    if not timeframe.is_intraday:
        flags.append(contradicted_now(platform, series, part.sessions))
    return flags_to_keep(
        pl.concat(flags),
        series,
        dataset=curated_bars(timeframe).name,
        found_at=platform.clock.now(),
    )


def with_kept_flags(
    platform: Platform,
    symbols: Sequence[str],
    timeframe: Timeframe,
    bars: pl.DataFrame,
    decided: Sequence[Annotation],
    *,
    as_of: datetime | None = None,
    sessions_of: Callable[[Sequence[str], tuple[date, date]], pl.DataFrame] | None = None,
    only: str | None = None,
) -> pl.DataFrame:
    """Curated bars with the kept flags that are about them.

    Args:
        platform: where the flags are.
        symbols: of the bars.
        timeframe: of the bars.
        bars: rows of CURATED_BARS, or at least symbol, session, ts, prices, volume, flags and
            dq_status, sorted by (symbol, ts).
        decided: decisions about them; what is accepted is not flagged.
        as_of: flags that were found later do not count.
        sessions_of: reads all bars of symbols in a range of sessions; needed where `bars` may
            begin or end within a session.
        only: flags of this code alone.
    """
    if bars.is_empty():
        return bars
    days = bars.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    known = pl.col("dataset") == curated_bars(timeframe).name
    if as_of is not None:
        known &= pl.col("found_at") <= as_of
    if only is not None:
        known &= pl.col("code") == only
    kept = platform.store.scan(FLAGS_DATASET, symbols=symbols, sessions=days).filter(known)
    if kept.is_empty():
        return bars
    whole = bars if sessions_of is None else _whole_sessions(bars, kept, sessions_of)
    return with_flags(bars, still_there(kept, bars, whole), decided, timeframe)


def _whole_sessions(
    bars: pl.DataFrame,
    kept: pl.DataFrame,
    sessions_of: Callable[[Sequence[str], tuple[date, date]], pl.DataFrame],
) -> pl.DataFrame:
    """The bars; those of a symbol's first and last session whole where a flag means all of them."""
    meant = kept.filter(pl.col("scope") == SESSION).select(KEY).unique()
    if meant.is_empty():
        return bars
    ends = bars.group_by("symbol").agg(first=pl.col("session").min(), last=pl.col("session").max())
    cut = (
        meant.join(ends, on="symbol")
        .filter((pl.col("session") == pl.col("first")) | (pl.col("session") == pl.col("last")))
        .select(KEY)
    )
    again = [
        sessions_of(of["symbol"].sort().to_list(), (day, day))
        for (day,), of in cut.group_by("session")
        if isinstance(day, date)
    ]
    columns = [*KEY, "ts", "volume"]
    rest = bars.select(columns).join(cut, on=KEY, how="anti")
    return pl.concat([rest, *(whole.select(columns) for whole in again)])
