"""Local wall-clock times as instants.

What belongs here: the one conversion from a date and an hour in a zone to UTC, with the rule for
hours that a clock change skips or repeats. What does not: which hours a market keeps.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def local_instant(day: pl.Expr, zone: str, since_midnight: timedelta = timedelta()) -> pl.Expr:
    """The UTC instant at which the clocks of a zone show a time of a date.

    Args:
        day: expression of type Date.
        zone: IANA zone.
        since_midnight: the wall-clock time, counted from the date's 00:00; negative for the
            evening before.

    Returns:
        Expression of type Datetime(us, UTC). An hour that occurs twice means the first one; an
        hour that the clocks skip means one hour later.
    """
    wall = day.cast(pl.Datetime("us")) + pl.lit(since_midnight)
    return pl.coalesce(_instant(wall, zone), _instant(wall + pl.lit(timedelta(hours=1)), zone))


def _instant(wall: pl.Expr, zone: str) -> pl.Expr:
    localised = wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return localised.dt.convert_time_zone("UTC")
