"""The record that every source of sessions hands over.

What belongs here: `Schedule` and how its table is completed. What does not: where the sessions
come from (exchange.py, continuous.py) and how they are cached (sessions.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from market_data.schemas import TRADING_SESSIONS


@dataclass(frozen=True)
class Schedule:
    """The sessions of one calendar over a span of years.

    Attributes:
        zone: IANA zone whose wall clock the calendar follows.
        sessions: TRADING_SESSIONS columns, sorted by session.
        opens_evening_before: some sessions start on the local date before their own, so that the
            local date of a bar does not tell its session.
    """

    zone: str
    sessions: pl.DataFrame
    opens_evening_before: bool


def completed(calendar: str, zone: str, times: pl.DataFrame) -> Schedule:
    """A schedule from the times of its sessions.

    Args:
        calendar: code that the rows carry.
        zone: IANA zone of the calendar.
        times: columns session, open, close, break_start, break_end, early_close; those about
            what is expected and what was changed where they are.
    """
    trading = (pl.col("close") - pl.col("open")).dt.total_minutes()
    paused = (pl.col("break_end") - pl.col("break_start")).dt.total_minutes().fill_null(0)
    frame = times.sort("session").with_columns(
        calendar=pl.lit(calendar, dtype=pl.String), minutes=trading - paused
    )
    local_open = pl.col("open").dt.convert_time_zone(zone).dt.date()
    evening = frame.select((local_open < pl.col("session")).any()).item()
    return Schedule(zone, TRADING_SESSIONS.conform(frame), bool(evening))
