"""Flagging: what the checks of single bars say of curated bars now.

What belongs here: reading what a range is judged by, asking the checks, leaving out what people
accepted, and marking the bars. What does not: the checks (market_data/quality/bar_flags.py), flags
that were found earlier and are kept (kept_flags.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl

from market_data.basis import FOREIGN_DAY
from market_data.calendars import trading_sessions
from market_data.curation.marks import MARKS, with_marks
from market_data.datasets import curated_bars
from market_data.pipeline.platform import Platform
from market_data.pipeline.surroundings import within_days
from market_data.pipeline.waiting import delays_of, longest_delay
from market_data.ports import Annotation
from market_data.quality.actions import bar_marks
from market_data.quality.bar_flags import BAR_FLAGS, bar_flags, open_flags, volume_flags
from market_data.quality.consistency import check_against_intraday
from market_data.quality.findings import KEY
from market_data.quality.view import SERIES, limits_of
from market_data.quality.volume import with_sessions_before
from market_data.timeframes import Timeframe
from market_data.universe import Instrument

COMPARED = "consistency"
"""Code of days that the bars within them contradict. It is found for the sessions that are scored,
and not worked out on request: that would read the shorter bars with every year of days."""
_LONGEST_SESSION = timedelta(days=3)
"""No session is open longer than this after the midnight, in UTC, of its date."""


def flags_now(
    platform: Platform,
    timeframe: Timeframe,
    series: pl.DataFrame,
    volumes: pl.DataFrame | None,
    first: date,
    as_of: datetime | None = None,
    *,
    closes: pl.DataFrame | None,
) -> pl.DataFrame:
    """The flags that the checks find now.

    Args:
        platform: limits, corporate actions, and who was asked.
        timeframe: of the bars.
        series: symbol, session, ts, open, high, low, close, volume, final of a range and around
            it (see `surroundings.judged_beside`), sorted by (symbol, ts).
        volumes: see `surroundings.volumes_before`.
        first: first session of the range.
        as_of: what became known later does not count; None: all that is known.
        closes: see `surroundings.closes_around`.

    Returns:
        Columns BAR_FLAGS, of bars around the range too, which are judged by fewer beside them.
    """
    whole = series if series.get_column("final").all() else series.filter("final")
    if whole.is_empty():
        return pl.DataFrame(schema=BAR_FLAGS)
    whole = whole.select(SERIES)
    symbols = whole.get_column("symbol").unique().sort().to_list()
    instruments = [platform.universe.instrument(s) for s in symbols]
    known = with_sessions_before(whole, volumes, first)
    return bar_flags(
        whole,
        limits_of(instruments, timeframe, platform.thresholds),
        timeframe=timeframe,
        actions=platform.actions.read(symbols=symbols, known_at=as_of),
        traded=_over(platform, timeframe, known, instruments, as_of or platform.clock.now()),
        closes=closes,
    )


def odd_volumes_now(
    platform: Platform, timeframe: Timeframe, volumes: pl.DataFrame
) -> pl.DataFrame:
    """Of sessions, those whose volume is odd: columns BAR_FLAGS.

    Args:
        platform: limits, corporate actions, and who was asked.
        timeframe: of the bars.
        volumes: symbol, session, volume of bars that are over, of the sessions before too.
    """
    symbols = volumes.get_column("symbol").unique().sort().to_list()
    instruments = [platform.universe.instrument(s) for s in symbols]
    return volume_flags(
        _over(platform, timeframe, volumes, instruments, platform.clock.now()),
        limits_of(instruments, timeframe, platform.thresholds),
        actions=platform.actions.read(symbols=symbols),
    )


def contradicted_now(
    platform: Platform, series: pl.DataFrame, sessions: tuple[date, date]
) -> pl.DataFrame:
    """The daily bars that the bars within their day contradict: columns BAR_FLAGS.

    Args:
        platform: where the shorter bars are, and the limits.
        series: symbol, session, ts, high, low, close, final, flags of daily bars.
        sessions: first and last session to judge.
    """
    foreign = pl.col("flags").str.contains(FOREIGN_DAY, literal=True)
    inside = pl.col("session").is_between(*sessions)
    days = series.filter(inside & pl.col("final") & ~foreign)
    symbols = days.get_column("symbol").unique().sort().to_list()
    within = within_days(platform, symbols, *sessions) if symbols else None
    if within is None:
        return pl.DataFrame(schema=BAR_FLAGS)
    instruments = [platform.universe.instrument(s) for s in symbols]
    limits = limits_of(instruments, Timeframe.D1, platform.thresholds)
    found = check_against_intraday(
        days, within, limits, dataset=curated_bars(Timeframe.D1).name
    ).findings
    return days.join(found, on=KEY, maintain_order="left").select(BAR_FLAGS.names())


def with_flags(
    bars: pl.DataFrame, flags: pl.DataFrame, decided: Sequence[Annotation], timeframe: Timeframe
) -> pl.DataFrame:
    """Curated bars with flags, but for those that people accepted.

    Args:
        bars: rows of CURATED_BARS.
        flags: columns BAR_FLAGS.
        decided: decisions about them.
        timeframe: of the bars.
    """
    left = open_flags(flags, decided, dataset=curated_bars(timeframe).name)
    return with_marks(bars, [bar_marks(left).select(list(MARKS))])


def _over(
    platform: Platform,
    timeframe: Timeframe,
    volumes: pl.DataFrame,
    instruments: Sequence[Instrument],
    moment: datetime,
) -> pl.DataFrame:
    """The volumes of sessions whose last bars nobody waits for at a moment."""
    since = (moment - longest_delay(platform)).date() - _LONGEST_SESSION
    last = volumes.get_column("session").max()
    if not isinstance(last, date) or last < since:
        return volumes
    hours = {i.calendar: trading_sessions(i.calendar, since, last) for i in instruments}
    closes = pl.concat(
        hours[i.calendar].select("session", "close", symbol=pl.lit(i.symbol)) for i in instruments
    )
    sources = list(dict.fromkeys((timeframe, Timeframe.M1)))
    waiting = delays_of(platform, sources, closes, moment)
    delay = pl.lit(timedelta(0), pl.Duration("us"))
    if waiting is not None:
        closes = closes.join(waiting, on=KEY, how="left")
        delay = pl.col("delay").fill_null(delay)
    running = closes.filter(pl.col("close") + delay > moment)
    return volumes.join(running, on=KEY, how="anti", maintain_order="left")
