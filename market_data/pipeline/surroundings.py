"""Surroundings: what lies next to a slice of bars, and within its days.

What belongs here: reading the sessions before and after a slice, and the shorter bars of the same
sessions. What does not: the slice itself (market_data/pipeline/views.py), judging it
(market_data/quality).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import polars as pl

from market_data.calendars import expected_bars
from market_data.datasets import Dataset, curated_bars, raw_bars
from market_data.pipeline.curate import chunks
from market_data.pipeline.platform import Platform
from market_data.quality.consistency import SPANS, spans
from market_data.quality.unit_stretches import SEEN_BEFORE, SEEN_LATER
from market_data.quality.view import SERIES
from market_data.quality.volume import LOOK_BACK, TRADED
from market_data.quality.wrong_beginnings import SEEN_AFTER
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe

_NEXT = timedelta(days=7)
"""Holds the sessions next to a slice but for the longest holidays."""
_HOLIDAYS = timedelta(days=14)
"""Holds them across these, too."""
_LONG = (Timeframe.D1, Timeframe.H4, Timeframe.H1)
"""Few bars each: so many of them are read that a change of the unit shows, and what it means. Those
before hold the sixty sessions that tell a usual step of daily bars, too."""
ENOUGH_BARS = 40
"""Bars on either side of a session of minutes that judge the prices in it. A false price and the
jump beside it look at a dozen; what is left is for wrong prices that follow each other."""
_MONTH = 31
_DAY = timedelta(days=1)
"""What a bar may be older than its session."""
_UNIT_BEFORE, _UNIT_AFTER = SEEN_BEFORE + _NEXT + _DAY, max(SEEN_AFTER, SEEN_LATER) + _DAY
_BEFORE = dict.fromkeys(_LONG, _UNIT_BEFORE)
_AFTER = dict.fromkeys(_LONG, _UNIT_AFTER)
_CLOSES = ["symbol", "session", "ts", "close"]
_VOLUMES = ["symbol", "session", "volume"]
Read = Callable[[Sequence[str], tuple[date, date], Sequence[str]], pl.DataFrame]
"""Reads columns of the curated bars of symbols and sessions, sorted by (symbol, ts)."""
_WITHIN = (
    Timeframe.H4,
    Timeframe.H1,
    Timeframe.M30,
    Timeframe.M15,
    Timeframe.M5,
    Timeframe.M1,
)
"""The longest bars within a day say as much about it as the shortest, in fewer rows."""


def next_to(
    timeframe: Timeframe, start: date, end: date, read: Callable[[tuple[date, date]], pl.DataFrame]
) -> pl.DataFrame:
    """Bars of the sessions that say what is usual in a slice, and of those that come after it.

    Args:
        timeframe: of the bars.
        start: first session of the slice.
        end: its last session.
        read: the bars of a range of sessions.

    Returns:
        What `read` gives, the slice's own sessions not included: of minutes, which are many, only
        the sessions that hold ENOUGH_BARS on either side.
    """
    before, after = read(_before(timeframe, start)), read(_after(timeframe, end))
    both = pl.concat([before, after])
    if timeframe in _BEFORE:
        return both
    counts = both.group_by("symbol", "session").agg(bars=pl.len())
    spans = beside(counts, start, end)
    within = pl.col("session").is_between("before", "after")
    return both.join(spans, on="symbol", maintain_order="left").filter(within).select(both.columns)


def beside(counts: pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    """How far the sessions reach whose bars judge a slice of minutes.

    They hold ENOUGH_BARS on either side, wherever they are: holidays and holes do not count. The
    slice has a say in the same sessions, since as many bars lie between, whoever counts them.

    Args:
        counts: symbol, session, bars (how many are over), in any order, those of the slice or not;
            those of `closes_around` go as far as a change of the unit counts.
        start: first session of the slice.
        end: its last session.

    Returns:
        symbol, before (the first of these sessions, `start` where there is none), after (the last
        one, `end` where there is none).
    """
    day = pl.col("session")
    outside = counts.filter((day < start) | (day > end)).with_columns(
        away=pl.when(day < start).then((day - start).abs()).otherwise((day - end).abs()),
        earlier=day < start,
    )
    nearer = pl.col("bars").cum_sum().over("symbol", "earlier") - pl.col("bars")
    reached = outside.sort("symbol", "earlier", "away").filter(nearer < ENOUGH_BARS)
    return (
        pl.concat([reached.select("symbol", "session"), counts.select("symbol", session=start)])
        .group_by("symbol")
        .agg(
            before=pl.min_horizontal(day.min(), pl.lit(start)),
            after=pl.max_horizontal(day.max(), pl.lit(end)),
        )
        .sort("symbol")
    )


def around_curated(
    platform: Platform,
    timeframe: Timeframe,
    symbols: Sequence[str],
    start: date,
    end: date,
    closes: pl.DataFrame | None,
) -> pl.DataFrame:
    """Curated bars next to a slice: SERIES; `closes` of `closes_around`."""
    found = read_beside(
        reading(platform, timeframe), timeframe, symbols, (start, end), closes, [*SERIES, "final"]
    )
    return found.filter("final").select(SERIES)


def read_beside(
    read: Read,
    timeframe: Timeframe,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    closes: pl.DataFrame | None,
    columns: Sequence[str],
) -> pl.DataFrame:
    """The bars next to a slice that judge the prices in it, those of the slice not included.

    Args:
        read: reads the bars.
        timeframe: of the bars.
        symbols: whose.
        sessions: first and last session of the slice.
        closes: of `closes_around`, around the same slice or more.
        columns: of the bars.

    Returns:
        The columns, sorted by (symbol, ts) before the slice and after it.
    """
    start, end = sessions
    if closes is None:
        parts = [
            (list(symbols), _before(timeframe, start)),
            (list(symbols), _after(timeframe, end)),
        ]
    else:
        spans = beside(closes, start, end)
        parts = [
            (of["symbol"].to_list(), (first, start - _DAY))
            for (first,), of in spans.filter(pl.col("before") < start).group_by("before")
            if isinstance(first, date)
        ]
        parts += [
            (of["symbol"].to_list(), (end + _DAY, last))
            for (last,), of in spans.filter(pl.col("after") > end).group_by("after")
            if isinstance(last, date)
        ]
    found = [read(of, span, columns) for of, span in parts]
    return pl.concat([CURATED_BARS.empty().select(columns), *found])


def read_around(
    read: Read,
    timeframe: Timeframe,
    symbols: Sequence[str],
    sessions: tuple[date, date],
    closes: pl.DataFrame | None,
    columns: Sequence[str],
) -> pl.DataFrame:
    """The bars of a slice, and those of `read_beside`, sorted by (symbol, ts)."""
    if closes is None:
        before, after = judged_beside(timeframe)
        return read(symbols, (sessions[0] - before, sessions[1] + after), columns)
    around = read_beside(read, timeframe, symbols, sessions, closes, columns)
    return pl.concat([read(symbols, sessions, columns), around]).sort("symbol", "ts")


def closes_around(
    timeframe: Timeframe, symbols: Sequence[str], start: date, end: date, read: Read
) -> pl.DataFrame | None:
    """The last bars of the sessions that tell in which unit a slice of short bars is.

    Of minutes too many would have to be read for that; one bar of a session says as much.

    Args:
        timeframe: of the bars.
        symbols: whose.
        start: first session of the slice.
        end: its last session.
        read: reads the bars.

    Returns:
        symbol, session, ts, close, bars (how many of the session) of bars that are over, the
        slice's own sessions included, sorted by (symbol, ts); None where all of them are read.
    """
    if timeframe in _BEFORE:
        return None
    found = [CURATED_BARS.empty().select(_CLOSES).with_columns(bars=pl.lit(0, pl.UInt32))]
    for sessions in chunks(start - _UNIT_BEFORE, end + _UNIT_AFTER, _MONTH):
        bars = read(symbols, sessions, [*_CLOSES, "final"]).filter("final")
        last = pl.col("ts") == pl.col("ts").max().over("symbol", "session")
        counted = bars.with_columns(bars=pl.len().over("symbol", "session"))
        found.append(counted.filter(last))
    return pl.concat(frame.select(*_CLOSES, "bars") for frame in found).sort("symbol", "ts")


def volumes_before(
    platform: Platform,
    timeframe: Timeframe,
    symbols: Sequence[str],
    start: date,
    read: Read | None = None,
) -> pl.DataFrame | None:
    """Volumes of the sessions that tell what is usual in a slice of curated bars.

    Args:
        platform: instruments, and where from.
        timeframe: of the bars.
        symbols: whose; those of classes without traded units are left out.
        start: first session of the slice.
        read: reads the bars; None: what is stored.

    Returns:
        symbol, session, volume of bars that are over; None where `next_to` goes as far back, or
        there is no day before.
    """
    if _BEFORE.get(timeframe, _NEXT) >= LOOK_BACK or start - date.min <= LOOK_BACK:
        return None
    traded = [s for s in symbols if platform.universe.instrument(s).asset_class in TRADED]
    if not traded:
        return CURATED_BARS.empty().select(_VOLUMES)
    sessions = start - LOOK_BACK, start - timedelta(days=1)
    found = (read or reading(platform, timeframe))(traded, sessions, [*_VOLUMES, "final"])
    return found.filter("final").select(_VOLUMES)


def reading(platform: Platform, timeframe: Timeframe) -> Read:
    """Reads what is stored of a timeframe."""

    def read(
        symbols: Sequence[str], sessions: tuple[date, date], columns: Sequence[str]
    ) -> pl.DataFrame:
        return platform.store.scan(
            curated_bars(timeframe), symbols=symbols, sessions=sessions, columns=columns
        )

    return read


def judged_beside(timeframe: Timeframe) -> tuple[timedelta, timedelta]:
    """How long before and after a range the bars lie by which the prices in it are judged.

    Of minutes: how long at first; where that holds too few bars, `beside` tells how long.
    """
    return _BEFORE.get(timeframe, _NEXT), _AFTER.get(timeframe, _NEXT)


def around_raw(
    platform: Platform,
    vendor: str,
    timeframe: Timeframe,
    symbols: Sequence[str],
    start: date,
    end: date,
) -> pl.DataFrame:
    """A vendor's raw bars next to a slice: SERIES."""
    dataset: Dataset = raw_bars(vendor, timeframe)

    def read(sessions: tuple[date, date]) -> pl.DataFrame:
        return platform.raw_log.read(dataset, symbols=symbols, sessions=sessions).select(SERIES)

    return next_to(timeframe, start, end, read)


def _before(timeframe: Timeframe, start: date) -> tuple[date, date]:
    return start - _BEFORE.get(timeframe, _HOLIDAYS), start - timedelta(days=1)


def _after(timeframe: Timeframe, end: date) -> tuple[date, date]:
    return end + timedelta(days=1), end + _AFTER.get(timeframe, _HOLIDAYS)


def within_days(
    platform: Platform, symbols: Sequence[str], start: date, end: date
) -> pl.DataFrame | None:
    """What the intraday bars of each session span: SPANS; None where there are none."""
    found: list[pl.DataFrame] = []
    open_symbols = set(symbols)
    for timeframe in _WITHIN:
        bars = platform.store.scan(
            curated_bars(timeframe),
            symbols=sorted(open_symbols),
            sessions=(start, end),
            columns=["symbol", "session", "ts", "high", "low", "close", "dq_status", "final"],
        ).filter(pl.col("final") & (pl.col("dq_status") != "error"))
        if bars.is_empty():
            continue
        held = set(bars.get_column("symbol").unique().to_list())
        instruments = [platform.universe.instrument(s) for s in sorted(held)]
        found.append(spans(bars, expected_bars(instruments, timeframe, start, end)))
        open_symbols -= held
        if not open_symbols:
            break
    return pl.concat([pl.DataFrame(schema=SPANS), *found]) if found else None
