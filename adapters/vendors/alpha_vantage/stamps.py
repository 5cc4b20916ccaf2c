"""Alpha Vantage's times as bar starts in UTC.

What belongs here: whether a stamp is the start or the end of its bar, time zones, the day of daily
currencies. What does not: prices.

Until about 2023 Alpha Vantage stamped intraday bars at their end (shares 09:31 to 16:00 in New
York, currencies up to Friday 17:00), later at their start. An answer says which only through its
first and last bars: regular hours have no bar that ends when they begin, and none that starts when
they end.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from adapters.vendors.instants import LATEST_MICROSECOND
from market_data.errors import MalformedAnswerError
from market_data.schemas import UTC
from market_data.timeframes import Timeframe

NEW_YORK = "America/New_York"
_ZONES = {"": NEW_YORK, "US/Eastern": NEW_YORK, "GMT": "UTC", "GMT+8": "Asia/Singapore"}
"""Alpha Vantage's names to those of the IANA; CSV about shares names none."""
_MINUTE = 60_000_000
_DAY = 1440 * _MINUTE
_OPEN, _CLOSE, _ROLL = 570 * _MINUTE, 960 * _MINUTE, 1020 * _MINUTE
"""Microseconds after midnight in New York: shares' hours, and the end of the currencies' week."""
_QUIET = 4 * 60 * _MINUTE
"""Before this time of a day clocks may be changed."""
_FRIDAY, _SUNDAY = 5, 7
_ENDS_UNTIL, _STARTS_FROM = date(2022, 1, 1), date(2024, 1, 1)
_PROOF = 3
"""Sessions that have to say what is not usual of their time."""
_CURE = (
    "say which with the option 'label' (start or end) of the vendor in config/universe.yaml, or "
    "ask for more sessions"
)


def zone_of(said: str) -> str:
    """The IANA name of a zone as an answer names it.

    Raises:
        MalformedAnswerError: there is no such zone.
    """
    name = _ZONES.get(said, said)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MalformedAnswerError(f"Alpha Vantage: no such time zone: {said[:60]!r}") from None
    return name


def dates(time: pl.Series) -> pl.Series:
    """Daily stamps as their date at 00:00 UTC; null where it is none."""
    return _known(time.str.to_date("%Y-%m-%d", strict=False).cast(UTC)).alias("ts")


def starts(
    time: pl.Series, timeframe: Timeframe, zone: str, *, week: bool, label: str = ""
) -> pl.Series:
    """Intraday stamps as bar starts, UTC; null where they are no time.

    Args:
        time: as sent.
        timeframe: of the bars.
        zone: IANA name of the zone that they are in.
        week: of a market that is open from Sunday to Friday 17:00 in New York, instead of 09:30
            to 16:00 on each day.
        label: "start" or "end" where somebody knows better than the answer; empty to look.

    Raises:
        MalformedAnswerError: the answer does not tell which end of its bars is stamped.
    """
    local = _known(
        time.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False, cache=False)
    ).alias("ts")
    if local.null_count() == len(local):
        return local.dt.replace_time_zone("UTC")
    instant = _to_utc(local, zone)
    clock = instant.dt.convert_time_zone(NEW_YORK) if zone != NEW_YORK else local
    if not label:
        label = _week_label(clock) if week else _day_label(clock)
    if label == "start":
        return instant
    step = timeframe.duration
    if timeframe is Timeframe.H1 and not week:
        return instant - _lengths(clock, step)
    return instant - step


def _lengths(clock: pl.Series, step: timedelta) -> pl.Series:
    """How long each hour of a share is: the last of a session is half as long, to a full hour.

    Raises:
        MalformedAnswerError: another bar ends at a full hour: these are other hours than ours.
    """
    rows = pl.DataFrame({"at": clock}).with_columns(
        full=pl.col("at").to_physical() % (60 * _MINUTE) == 0,
        last=pl.col("at") == pl.col("at").max().over(pl.col("at").dt.date()),
    )
    if rows.select((pl.col("full") & ~pl.col("last")).any()).item():
        raise MalformedAnswerError(
            "Alpha Vantage: hours end at full hours in the middle of a session, so that they are "
            "no hours from 09:30 on; take 1m bars, of which hours are made"
        )
    half = pl.when("full").then(pl.lit(timedelta(minutes=30))).otherwise(pl.lit(step))
    return rows.select(half.alias("length")).to_series()


def _known(times: pl.Series) -> pl.Series:
    """Times of the years 1970 to 2100; null for others, which no calendar knows."""
    reach = times.to_physical()
    if reach.is_between(0, LATEST_MICROSECOND).all():
        return times
    return times.set(~reach.is_between(0, LATEST_MICROSECOND), None)


def _to_utc(local: pl.Series, zone: str) -> pl.Series:
    if zone == "UTC":
        return local.dt.replace_time_zone("UTC")
    of_day = local.to_physical() % _DAY
    if local.null_count() or not local.is_sorted(descending=True) or (of_day < _QUIET).any():
        exact = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return exact.dt.convert_time_zone("UTC")
    return _by_runs(local.reverse(), zone).reverse()


def _by_runs(local: pl.Series, zone: str) -> pl.Series:
    """Rising times of days without a change of the clock at their hour, a zone's offset at a time.

    Polars converts a million times in a tenth of a second, and subtracts in a hundredth.
    """
    days = pl.date_range(local[0].date(), local[-1].date(), "1d", eager=True)
    noon = days.cast(pl.Datetime("us")) + timedelta(hours=12)
    there = noon.dt.replace_time_zone(zone).dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    changes = pl.DataFrame({"day": days, "offset": noon - there}).filter(
        pl.col("offset").ne_missing(pl.col("offset").shift(1))
    )
    begins = local.search_sorted(changes["day"].cast(pl.Datetime("us"))).to_list()
    ends = [*begins[1:], len(local)]
    runs: list[pl.Series] = [
        local.slice(begin, end - begin) - offset
        for begin, end, offset in zip(begins, ends, changes["offset"], strict=True)
    ]
    return pl.concat(runs).dt.replace_time_zone("UTC")


def _day_label(clock: pl.Series) -> str:
    of_day = clock.dt.replace_time_zone(None).to_physical() % _DAY
    return _label(clock.filter(of_day == _OPEN), clock.filter(of_day == _CLOSE), clock)


def _week_label(clock: pl.Series) -> str:
    rolls = clock.filter(clock.dt.replace_time_zone(None).to_physical() % _DAY == _ROLL)
    day = rolls.dt.weekday()
    return _label(rolls.filter(day == _SUNDAY), rolls.filter(day == _FRIDAY), clock)


def _label(at_open: pl.Series, at_close: pl.Series, clock: pl.Series) -> str:
    """Which end is stamped, by the bars at the opening and at the close of all sessions.

    One odd bar must not move all others by their length: what is not usual of its time has to be
    seen in several sessions.
    """
    if at_open.is_empty() == at_close.is_empty():
        holds = "neither of" if at_open.is_empty() else "both"
        raise MalformedAnswerError(
            f"Alpha Vantage: the answer holds {holds} a bar stamped at the opening and one stamped "
            f"at the close, and so does not tell whether its times are starts or ends; {_CURE}"
        )
    label, proof = ("end", at_close) if at_open.is_empty() else ("start", at_open)
    if label != _usual(clock) and proof.dt.date().n_unique() < _PROOF:
        raise MalformedAnswerError(
            f"Alpha Vantage: the answer looks as if it stamped the {label} of bars, which is not "
            f"usual of its time, and fewer than {_PROOF} sessions say so; {_CURE}"
        )
    return label


def _usual(clock: pl.Series) -> str:
    """Which end is stamped at that time, as far as is known; empty in between."""
    first, last = clock.min(), clock.max()
    if isinstance(last, datetime) and last.date() < _ENDS_UNTIL:
        return "end"
    return "start" if isinstance(first, datetime) and first.date() >= _STARTS_FROM else ""
