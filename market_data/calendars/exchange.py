"""Sessions of exchanges, read from exchange_calendars.

What belongs here: the edge to that library, the conversion of its pandas objects to Polars, and
sessions for the years that it has no holidays for. What does not: caching (sessions.py).

The library and pandas take most of a second to load, hence the imports inside the functions.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from market_data.calendars.schedule import Schedule, completed
from market_data.calendars.wall_clock import local_instant
from market_data.errors import ConfigurationError
from market_data.schemas import UTC

_TIMES = ("open", "close", "break_start", "break_end")
_KNOWN_TO_EVERY_CALENDAR = (date(2024, 1, 1), date(2024, 12, 31))
"""A year that no calendar of the library leaves out; only its bounds are read from it."""


def build(calendar: str, since: date, until: date) -> Schedule:
    """The sessions of an exchange from `since` to `until`, both included.

    Where the library's holidays begin later or end earlier, the days outside are assumed to be
    sessions of the usual hours on the exchange's usual weekdays: a bar of such a day must find its
    session, even if a holiday then counts as one too.

    Raises:
        ConfigurationError: the library has no such calendar, or cannot build it.
    """
    library = _library_calendar(calendar, since, until)
    zone = str(library.tz)
    recorded = _times(library)
    first, last = _bounds(library, since, until)
    assumed = [
        _assumed(recorded, zone, library.weekmask, *span)
        for span in ((since, first - timedelta(days=1)), (last + timedelta(days=1), until))
        if span[0] <= span[1]
    ]
    return completed(calendar, zone, pl.concat([recorded, *assumed]))


def _library_calendar(calendar: str, since: date, until: date) -> Any:
    from exchange_calendars import get_calendar, get_calendar_names
    from exchange_calendars.errors import InvalidCalendarName

    try:
        try:
            return get_calendar(calendar, start=since.isoformat(), end=until.isoformat())
        except ValueError:  # it records fewer years; only an instance tells which
            probe = get_calendar(calendar, *(day.isoformat() for day in _KNOWN_TO_EVERY_CALENDAR))
            first, last = _bounds(probe, since, until)
            return get_calendar(calendar, start=first.isoformat(), end=last.isoformat())
    except InvalidCalendarName as error:
        known = ", ".join(get_calendar_names(include_aliases=False))
        raise ConfigurationError(
            f"calendar {calendar!r} is unknown; set the instrument's calendar in "
            f"config/universe.yaml to fx, 24/7 or one of: {known}"
        ) from error
    except (ValueError, NotImplementedError) as error:
        raise ConfigurationError(
            f"the installed exchange_calendars cannot build calendar {calendar!r} ({error}); "
            "upgrade exchange_calendars, or give the instrument a calendar with the same hours"
        ) from error


def _bounds(library: Any, since: date, until: date) -> tuple[date, date]:
    """The part of a span for which the library records holidays."""
    earliest, latest = library.bound_min(), library.bound_max()
    first = since if earliest is None else max(since, earliest.date())
    last = until if latest is None else min(until, latest.date())
    return first, last


def _times(library: Any) -> pl.DataFrame:
    """The library's schedule with the columns that `completed` asks for."""
    schedule = library.schedule
    columns = {"session": schedule.index.to_numpy()}
    columns |= {name: schedule[name].dt.tz_localize(None).to_numpy() for name in _TIMES}
    naive = {name: values.astype("datetime64[us]") for name, values in columns.items()}
    early = pl.Series(library.early_closes.to_numpy().astype("datetime64[us]")).cast(pl.Date)
    return pl.DataFrame(naive).select(
        pl.col("session").cast(pl.Date),
        *(pl.col(name).dt.replace_time_zone("UTC") for name in _TIMES),
        early_close=pl.col("session").cast(pl.Date).is_in(early.to_list()),
    )


def _assumed(
    recorded: pl.DataFrame, zone: str, weekmask: str, since: date, until: date
) -> pl.DataFrame:
    """Sessions on the usual weekdays with the hours of the nearest usual session recorded."""
    usual = recorded.filter(~pl.col("early_close"))
    nearest = usual.tail(1) if since > usual["session"][-1] else usual.head(1)
    wall = nearest.select(
        pl.col(name).dt.convert_time_zone(zone).dt.replace_time_zone(None)
        - pl.col("session").cast(pl.Datetime("us"))
        for name in _TIMES
    ).row(0, named=True)
    weekdays = [number for number, opens in enumerate(weekmask, start=1) if opens == "1"]
    days = pl.select(session=pl.date_range(since, until, interval="1d"))
    return days.filter(pl.col("session").dt.weekday().is_in(weekdays)).with_columns(
        *(
            pl.lit(None, dtype=UTC).alias(name)
            if wall[name] is None
            else local_instant(pl.col("session"), zone, wall[name]).alias(name)
            for name in _TIMES
        ),
        early_close=pl.lit(value=False),
    )
