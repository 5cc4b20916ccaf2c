"""Sessions of the markets that no exchange opens and closes: crypto and foreign exchange.

What belongs here: the rules of "24/7" and "fx". What does not: exchanges (exchange.py).
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from market_data.calendars.schedule import Schedule, completed
from market_data.calendars.wall_clock import local_instant
from market_data.schemas import UTC

ALWAYS_OPEN = "24/7"
FX = "fx"
FX_ZONE = "America/New_York"
FX_ROLL = timedelta(hours=17)
"""Wall-clock time in New York at which one FX day ends and the next begins."""

ZONES = {ALWAYS_OPEN: "UTC", FX: FX_ZONE}

_DAY = timedelta(days=1)


def build(calendar: str, since: date, until: date) -> Schedule:
    """The sessions of "24/7" or "fx" from `since` to `until`, both included."""
    days = pl.select(session=pl.date_range(since, until, interval="1d"))
    zone = ZONES[calendar]
    roll = FX_ROLL if calendar == FX else _DAY
    if calendar == FX:
        days = days.filter(_fx_trades(pl.col("session")))
    times = days.with_columns(
        open=local_instant(pl.col("session"), zone, roll - _DAY),
        close=local_instant(pl.col("session"), zone, roll),
        break_start=pl.lit(None, dtype=UTC),
        break_end=pl.lit(None, dtype=UTC),
        early_close=pl.lit(value=False),
    )
    return completed(calendar, zone, times)


def _fx_trades(day: pl.Expr) -> pl.Expr:
    """Whether interbank FX trades on a date: Monday to Friday but 1 January and 25 December."""
    new_year = (day.dt.month() == 1) & (day.dt.day() == 1)
    christmas = (day.dt.month() == 12) & (day.dt.day() == 25)
    return (day.dt.weekday() <= 5) & ~new_year & ~christmas
