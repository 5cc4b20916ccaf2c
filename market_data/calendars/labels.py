"""Columns that a calendar adds to a frame of bars: session, bar end, daily start.

What belongs here: functions that take a frame and return it with one column more, rows in the
same order. What does not: the expected bars (grid.py).

The session of a bar is found by binary search among the instants at which a session's date begins:
Polars converts five million times to a zone in about a second, and searches them in a fifth of it.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from market_data.calendars import continuous
from market_data.calendars.sessions import (
    EARLIEST,
    LATEST,
    exchange_zone,
    schedule_covering,
    trading_sessions,
)
from market_data.calendars.wall_clock import local_instant
from market_data.timeframes import Timeframe

_MARGIN = timedelta(days=30)
"""Longer than any pause between two sessions since 1970."""


def with_session(frame: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """Add or overwrite `session` (Date), the session that each intraday bar belongs to.

    "fx": the date in New York seven hours later, so that the day rolls at 17:00; "24/7": the UTC
    date; exchanges: the local date; exchanges that open on the evening before (CMES,
    us_futures ...): the first session that closes after the bar's start. A bar outside the hours
    gets a label as well, which need not be a session.

    Args:
        frame: has `ts`, the start of the bar, Datetime(us, UTC).
        calendar: calendar code.

    Raises:
        ConfigurationError: the calendar is unknown.
    """
    zone = exchange_zone(calendar)
    if zone == "UTC":
        return frame.with_columns(session=pl.col("ts").dt.date())
    bounds = frame.select(low=pl.col("ts").min().dt.date(), high=pl.col("ts").max().dt.date())
    low, high = bounds.row(0)
    if low is None:
        return frame.with_columns(session=pl.lit(None, dtype=pl.Date))
    first, last = _within_known(low) - _MARGIN, _within_known(high) + _MARGIN
    if calendar == continuous.FX:
        starts = _day_starts(first, last, zone, continuous.FX_ROLL - timedelta(days=1))
    elif schedule_covering(calendar, first, last).opens_evening_before:
        starts = _evening_starts(calendar, first, last)
    else:
        starts = _day_starts(first, last, zone, timedelta())
    return frame.with_columns(_label(frame["ts"], starts))


def _within_known(day: date) -> date:
    """The date, or the nearest one of the known years.

    One absurd time stamp must not make the table of starts endless.
    """
    return min(max(day, EARLIEST), LATEST)


def _day_starts(first: date, last: date, zone: str, since_midnight: timedelta) -> pl.DataFrame:
    """Columns session, start: each date and the instant at which it begins."""
    days = pl.select(session=pl.date_range(first, last, interval="1d"))
    return days.with_columns(start=local_instant(pl.col("session"), zone, since_midnight))


def _evening_starts(calendar: str, first: date, last: date) -> pl.DataFrame:
    """Columns session, start: each session and the close of the one before."""
    sessions = trading_sessions(calendar, first, last)
    return sessions.select(
        "session", start=pl.col("close").shift(1).fill_null(pl.col("open").first())
    )


def _label(ts: pl.Series, starts: pl.DataFrame) -> pl.Series:
    """The date whose start is the last one at or before each time; null for null.

    Times before the first or long after the last start get their UTC date.
    """
    position = starts["start"].dt.epoch("us").search_sorted(ts.dt.epoch("us"), side="right")
    label = starts["session"].gather((position.cast(pl.Int64) - 1).clip(0)).alias("session")
    known = ts.is_between(starts["start"][0], starts["start"][-1])
    if known.all(ignore_nulls=False):
        return label
    return pl.select(session=pl.when(known).then(label).otherwise(ts.dt.date())).to_series()


def with_bar_end(frame: pl.DataFrame, calendar: str, timeframe: Timeframe) -> pl.DataFrame:
    """Add or overwrite `bar_end` (Datetime us, UTC), the instant at which each bar is complete.

    An intraday bar ends after its duration, or at the start of the lunch break or the close when
    those come first; a daily bar ends at the session's close. A bar that starts at or after the
    close, or whose session the calendar lacks, ends after its duration.

    Args:
        frame: has `ts` (Datetime us, UTC) and `session` (Date).
        calendar: calendar code.
        timeframe: length of the bars.

    Raises:
        ConfigurationError: the calendar is unknown.
    """
    limits = _sessions_of(frame, calendar).select("session", _close="close", _pause="break_start")
    nominal = pl.col("ts") + timeframe.duration
    if timeframe.is_intraday:
        end = pl.min_horizontal(nominal, _if_later("_pause"), _if_later("_close"))
    else:
        end = pl.coalesce(_if_later("_close"), nominal)
    joined = frame.join(limits, on="session", how="left", maintain_order="left")
    return joined.with_columns(bar_end=end).drop("_close", "_pause")


def _if_later(column: str) -> pl.Expr:
    """A limit where it lies after the bar's start, else null."""
    return pl.when(pl.col(column) > pl.col("ts")).then(pl.col(column))


def daily_start(frame: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """Set `ts` of daily bars to the open of their session (Datetime us, UTC).

    A date that is no session gets its local midnight in the exchange's zone.

    Args:
        frame: has `session` (Date).
        calendar: calendar code.

    Raises:
        ConfigurationError: the calendar is unknown.
    """
    opens = _sessions_of(frame, calendar).select("session", _open="open")
    midnight = local_instant(pl.col("session"), exchange_zone(calendar))
    joined = frame.join(opens, on="session", how="left", maintain_order="left")
    return joined.with_columns(ts=pl.coalesce("_open", midnight)).drop("_open")


def _sessions_of(frame: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """The calendar's sessions from the first to the last date in a frame."""
    first, last = frame.select(
        pl.col("session").min().alias("first"), pl.col("session").max().alias("last")
    ).row(0)
    if first is None:
        return trading_sessions(calendar, date(2020, 1, 1), date(2020, 1, 1))
    return trading_sessions(calendar, first, last)
