"""The macro calendar: made of what is known, stored, and read as it was known at any time.

What belongs here: which statements a range needs, writing the calendar, a reader's question.
What does not: how dates and vintages become events (market_data/macro/calendar.py), asking for
them (macro_ingest.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl

from market_data.datasets import FRED_RELEASE_DATES, FRED_VINTAGES, MACRO_CALENDAR
from market_data.errors import ConfigurationError
from market_data.macro.bias import LOOKAHEAD, LOOKBACK, currencies_of, macro_bias
from market_data.macro.calendar import (
    ANNOUNCED_DAYS,
    HISTORY,
    LATE_DAYS,
    NEAR_DAYS,
    build_calendar,
    with_status_at,
)
from market_data.macro.releases import Importance
from market_data.macro.vintages import taken_back
from market_data.pipeline.platform import Platform
from market_data.statements import holding

LATE = timedelta(days=LATE_DAYS)
NEAR = timedelta(days=NEAR_DAYS)
_DAY = timedelta(days=1)


def demand_days(first_session: date, now: datetime, first: date, last: date) -> None:
    """Refuse a range that the calendar has no sessions for.

    Args:
        first_session: first session of the universe.
        now: the moment.
        first: first day of the range.
        last: last day, included.

    Raises:
        ConfigurationError: it ends before it starts, or begins too early, or ends too far ahead.
    """
    latest = now.date() + timedelta(days=ANNOUNCED_DAYS - 1)
    if last < first:
        raise ConfigurationError(f"the range of macro releases ends ({last}) before it starts")
    if first < first_session or last > latest:
        raise ConfigurationError(
            f"the macro calendar has sessions from {first_session} to {latest}, not from {first} "
            f"to {last}"
        )


def curate_macro(platform: Platform, first: date, last: date) -> pl.DataFrame:
    """Make the calendar of a range anew from what is known, and store it.

    Returns:
        Rows of MACRO_EVENTS, as they are stored now.
    """
    span = (first, last)
    with platform.locks.hold([MACRO_CALENDAR.name]):
        events = calendar_of(platform, first, last)
        # What the table no longer has goes as well.
        stored = platform.store.scan(MACRO_CALENDAR, sessions=span, columns=["symbol"])
        symbols = {*platform.macro.table.symbols, *stored["symbol"]}
        platform.store.replace(MACRO_CALENDAR, events, sessions=span, symbols=sorted(symbols))
    return events


def read_macro_events(
    platform: Platform,
    first: date,
    last: date,
    *,
    currencies: Sequence[str] | None = None,
    importance: Sequence[str] | None = None,
    as_of: datetime | None = None,
) -> pl.DataFrame:
    """The events of a range of release dates, sorted by (ts, symbol).

    Args:
        platform: where from.
        first: first date of a release, on its publisher's clocks.
        last: last date, included.
        currencies: only these; None for all.
        importance: only these: high, medium, low; None for all.
        as_of: as it was known then, made again from the raw logs; None reads what is stored.

    Returns:
        Rows of MACRO_EVENTS.

    Raises:
        ConfigurationError: there is no such importance, or the table has no such currency.
    """
    table = platform.macro.table
    wanted = pl.lit(value=True)
    for column, values, known in (
        ("currency", currencies, sorted(set(table.frame["currency"]))),
        ("importance", importance, [str(i) for i in Importance]),
    ):
        if values is None:
            continue
        if unknown := sorted(set(values) - set(known)):
            raise ConfigurationError(
                f"{column} {', '.join(unknown)}: the macro calendar has {', '.join(known)}"
            )
        wanted &= pl.col(column).is_in(list(values))
    if as_of is None:
        stored = platform.store.scan(MACRO_CALENDAR, sessions=(first, last))
        events = with_status_at(stored, table, platform.clock.now())
    else:
        events = calendar_of(platform, first, last, as_of)
    return events.filter(wanted).sort("ts", "symbol")


def known_dates(
    platform: Platform, first: date, last: date, as_of: datetime | None = None
) -> pl.DataFrame:
    """The statements about dates of a range that hold: rows of FRED_RELEASES."""
    rows = platform.raw_log.statements(FRED_RELEASE_DATES, sessions=(first, last))
    return holding(rows, FRED_RELEASE_DATES, as_of)


def known_vintages(
    platform: Platform, first: date, last: date, as_of: datetime | None = None
) -> pl.DataFrame:
    """The vintages behind the releases of a range that hold: rows of FRED_OBSERVATIONS."""
    return holding(_vintages(platform, first, last), FRED_VINTAGES, as_of)


def calendar_of(
    platform: Platform, first: date, last: date, as_of: datetime | None = None
) -> pl.DataFrame:
    """The calendar of a range as it follows from what is known, or was at `as_of`."""
    dates = known_dates(platform, first - NEAR, last + NEAR, as_of)
    rows = _vintages(platform, first, last)
    return build_calendar(
        dates,
        holding(rows, FRED_VINTAGES, as_of),
        platform.macro.table,
        sessions=(first, last),
        now=as_of or platform.clock.now(),
        withdrawn=taken_back(rows, as_of),
    )


def _vintages(platform: Platform, first: date, last: date) -> pl.DataFrame:
    """Every statement about the periods that the releases of a range may speak of."""
    rows = platform.raw_log.statements(FRED_VINTAGES, sessions=(first - HISTORY, date.max))
    return rows.filter(pl.col("period").is_between(first - HISTORY, last + NEAR))


def read_macro_bias(platform: Platform, symbols: Sequence[str], at: datetime) -> pl.DataFrame:
    """What the releases around a moment say for or against instruments, as it was known then.

    Args:
        platform: where from.
        symbols: instruments of the universe.
        at: the moment, UTC.

    Returns:
        See `market_data.macro.bias.macro_bias`.

    Raises:
        ConfigurationError: a symbol is not in the universe.
    """
    pairs = {s: currencies_of(platform.universe.instrument(s)) for s in symbols}
    first, last = (at - LOOKBACK - _DAY).date(), (at + LOOKAHEAD + _DAY).date()
    events = calendar_of(platform, first, last, at)
    return macro_bias(events, platform.macro.table.frame.select("symbol", "effect"), pairs, at=at)
