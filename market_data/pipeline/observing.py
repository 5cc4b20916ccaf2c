"""Observing: what the reports on operations are made from, read from the stores.

What belongs here: which attempts, bars, scores and events are looked at. What does not: judging
them (market_data/operations).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from market_data.calendars import with_bar_end
from market_data.datasets import MACRO_CALENDAR, SCORES_DATASET
from market_data.operations.attempts import attempts, dimension_of
from market_data.operations.evidence import DELIVERIES, EVENTS, REACH, Evidence
from market_data.pipeline.ages import reach_of_bars
from market_data.pipeline.platform import Platform
from market_data.ports import Report
from market_data.timeframes import Timeframe

LEAST_ATTEMPTS = 5_000
"""So many are looked at where there are, however long ago: feeds that run once a month have trends
too."""
WATCHED = timedelta(days=30)
"""A symbol is kept current where somebody asked for its newest bars in so long."""


def observe(
    platform: Platform,
    *,
    window: timedelta,
    deliveries: pl.DataFrame | None = None,
    quarantined: int = 0,
    open_alerts: int = 0,
    former: Sequence[Report] = (),
) -> Evidence:
    """What there is to be seen now.

    Args:
        platform: configuration and ports.
        window: how far back scores and macro events are read, and every attempt is looked at.
        deliveries: rows of DELIVERIES; None where nobody listens.
        quarantined: rows that wait for a decision.
        open_alerts: alerts that are open, of anything but the reports on operations.
        former: the newest reports of other parts.
    """
    now = platform.clock.now()
    made = _attempts(platform, since=now - max(window, WATCHED))
    # Bars of this evening may belong to the session after the next date.
    sessions = (now.date() - window, now.date() + timedelta(days=2))
    return Evidence(
        at=now,
        attempts=made,
        reach=_reach(platform, made, now),
        scores=platform.store.scan(SCORES_DATASET, sessions=sessions),
        events=_events(platform, (sessions[0], now.date())),
        deliveries=pl.DataFrame(schema=DELIVERIES) if deliveries is None else deliveries,
        quarantined=quarantined,
        open_alerts=open_alerts,
        former=former,
    )


def _attempts(platform: Platform, *, since: datetime) -> pl.DataFrame:
    """Rows of ATTEMPTS: every one since a moment, and older ones where these are few."""
    known = {i.symbol: i for i in platform.universe.instruments}
    made = platform.journal.runs(since=since, limit=None)
    if len(made) < LEAST_ATTEMPTS:
        made = platform.journal.runs(limit=LEAST_ATTEMPTS)
    return attempts(made, known)


def _reach(platform: Platform, made: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Rows of REACH of the symbols that somebody keeps current."""
    asked = _asked(made, now)
    lately = (now - WATCHED).date()
    rows: list[dict[str, Any]] = []
    for timeframe, reached in reach_of_bars(platform).items():
        age = reached.age
        # Minutes may become bars of every length: where somebody still makes these of them.
        made_of_minutes = {s for s, newest in age.newest.items() if newest >= lately}
        kept = asked[str(timeframe)] | (asked[str(Timeframe.M1)] & made_of_minutes)
        symbols = sorted(kept & set(age.due_warn))
        if not symbols:
            continue
        newest = reached.newest.filter(pl.col("symbol").is_in(symbols))
        ends = dict(_ends(platform, timeframe, newest))
        rows += [
            {
                "dimension": dimension_of("", timeframe),
                "timeframe": str(timeframe),
                "symbol": symbol,
                "newest": age.newest.get(symbol),
                "newest_end": ends.get(symbol),
                "due_warn": age.due_warn[symbol],
                "due_error": age.due_error[symbol],
            }
            for symbol in symbols
        ]
    return pl.DataFrame(rows, schema=REACH)


def _asked(made: pl.DataFrame, now: datetime) -> dict[str, set[str]]:
    """Timeframe to the symbols whose newest bars somebody asked for lately."""
    current = made.filter(pl.col("current") & (pl.col("started_at") >= now - WATCHED))
    asked: dict[str, set[str]] = {str(timeframe): set() for timeframe in Timeframe}
    for timeframe, symbol in current.select("timeframe", "symbols").explode("symbols").rows():
        asked[timeframe].add(symbol)
    return asked


def _ends(
    platform: Platform, timeframe: Timeframe, newest: pl.DataFrame
) -> Iterator[tuple[str, datetime]]:
    """When the newest stored bar of each symbol ended; of one row per symbol."""
    if newest.is_empty():
        return
    calendars = {i.symbol: i.calendar for i in platform.universe.instruments}
    named = newest.select("symbol", "ts", "session").with_columns(
        calendar=pl.col("symbol").replace_strict(calendars, return_dtype=pl.String)
    )
    for (calendar,), rows in named.partition_by("calendar", as_dict=True).items():
        yield from with_bar_end(rows, str(calendar), timeframe).select("symbol", "bar_end").rows()


def _events(platform: Platform, sessions: tuple[date, date]) -> pl.DataFrame:
    found = platform.store.scan(
        MACRO_CALENDAR, sessions=sessions, columns=["symbol", "session", "status"]
    )
    return found.select(pl.col(name).cast(dtype) for name, dtype in EVENTS.items())
