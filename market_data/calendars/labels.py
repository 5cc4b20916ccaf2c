"""Columns that a calendar adds to a frame of bars: session, bar end, daily start.

What belongs here: functions that take a frame and return it with one column more, rows in the
same order. What does not: the expected bars (grid.py).

The session of a bar is found by binary search among the instants at which a session's date begins:
Polars converts five million times to a zone in about a second, and searches them in a fifth of it.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from market_data.basis import bases_of
from market_data.calendar_versions import calendar_name
from market_data.calendars import continuous
from market_data.calendars.sessions import (
    EARLIEST,
    LATEST,
    exchange_zone,
    schedule_covering,
    trading_sessions,
)
from market_data.calendars.wall_clock import local_instant
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

_MARGIN = timedelta(days=30)
"""Longer than any pause between two sessions since 1970."""
_DAY = re.compile(r"(\S+) ([01]\d|2[0-3]):([0-5]\d)")


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
    if calendar_name(calendar) == continuous.FX:
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


def with_bar_end(
    frame: pl.DataFrame, calendar: str, timeframe: Timeframe, day: str = ""
) -> pl.DataFrame:
    """Add or overwrite `bar_end` (Datetime us, UTC), the instant at which each bar is complete.

    An intraday bar ends after its duration, or at the start of the lunch break or the close when
    those come first; a daily bar ends at the session's close. A bar that starts at or after the
    close, or whose session the calendar lacks, ends after its duration.

    A daily bar over a day of the vendor's own ends when that day does, whatever the session: it
    begins on the date of its session, at the hour that `day` names, and lasts until the same hour
    of the next date.

    Args:
        frame: has `ts` (Datetime us, UTC) and `session` (Date).
        calendar: calendar code.
        timeframe: length of the bars.
        day: of daily bars, `market_data.basis.Basis.day`; empty for the instrument's own session.

    Raises:
        ConfigurationError: the calendar is unknown, or the day is not a zone and an hour.
    """
    nominal = pl.col("ts") + timeframe.duration
    if day and not timeframe.is_intraday:
        ended = frame.with_columns(bar_end=_end_of(day))
        later = pl.when(pl.col("bar_end") > pl.col("ts")).then("bar_end")
        return ended.with_columns(bar_end=pl.coalesce(later, nominal))
    limits = _sessions_of(frame, calendar).select("session", _close="close", _pause="break_start")
    if timeframe.is_intraday:
        end = pl.min_horizontal(nominal, _if_later("_pause"), _if_later("_close"))
    else:
        end = pl.coalesce(_if_later("_close"), nominal)
    joined = frame.join(limits, on="session", how="left", maintain_order="left")
    return joined.with_columns(bar_end=end).drop("_close", "_pause")


def with_end_of_basis(frame: pl.DataFrame, calendar: str, timeframe: Timeframe) -> pl.DataFrame:
    """Add or overwrite `bar_end` (Datetime us, UTC) of a vendor's own bars.

    See `with_bar_end`; the day is the one that the basis of each bar names.

    Args:
        frame: has `ts` (Datetime us, UTC), `session` (Date) and `basis` (text of a Basis).
        calendar: calendar code.
        timeframe: length of the bars.

    Raises:
        ConfigurationError: the calendar is unknown, or a day is not a zone and an hour.
    """
    days = {text: basis.day for text, basis in bases_of(frame).items()}
    if timeframe.is_intraday or not any(days.values()):
        return with_bar_end(frame, calendar, timeframe)
    ended = with_bar_end(frame, calendar, timeframe)
    for day in sorted(set(days.values()) - {""}):
        these = pl.col("basis").is_in([text for text, own in days.items() if own == day])
        other = with_bar_end(frame, calendar, timeframe, day).get_column("bar_end")
        ended = ended.with_columns(bar_end=pl.when(these).then(other).otherwise("bar_end"))
    return ended


def _end_of(day: str) -> pl.Expr:
    """When a vendor's day ends that began on the date of the session.

    Raises:
        ConfigurationError: the text is not a zone and an hour.
    """
    found = _DAY.fullmatch(day)
    if found is None or not _is_zone(found[1]):
        raise ConfigurationError(
            f"{day!r} is no day of daily bars; say its zone and hour, like 'Europe/London 00:00'"
        )
    hour = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return local_instant(pl.col("session").dt.offset_by("1d"), found[1], hour)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


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
