"""How far the stored bars reach, against how far they should by now.

What belongs here: per timeframe, each symbol's newest session and the one that is due.
What does not: the checks of a run (market_data/quality/staleness.py), what is told of it
(market_data/alerts).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from market_data.alerts.facts import AgeFact
from market_data.calendars import last_closed_session
from market_data.datasets import curated_bars
from market_data.pipeline.platform import Platform
from market_data.pipeline.views import kept_symbols
from market_data.timeframes import Timeframe
from market_data.universe import Instrument


@dataclass(frozen=True)
class Reach:
    """How far the bars of one timeframe reach.

    Attributes:
        age: the sessions, as they are and as they should be.
        newest: columns of CURATED_BARS, the newest stored bar of each symbol of which one is kept.
    """

    age: AgeFact
    newest: pl.DataFrame


def ages(platform: Platform) -> list[AgeFact]:
    """One record per timeframe of which bars are kept, see `reach_of_bars`."""
    return [reach.age for reach in reach_of_bars(platform).values()]


def reach_of_bars(platform: Platform) -> dict[Timeframe, Reach]:
    """How far the bars of each timeframe reach of which some are kept.

    A session is due once it is over, the delay of the fastest vendor that serves the symbol has
    passed, and the lag above which staleness warns (config/quality.yaml); late once the one has
    passed above which it is an error. Of a symbol that is delisted none is due after its last day.
    """
    return {t: found for t in Timeframe if (found := _reach(platform, t)) is not None}


def _reach(platform: Platform, timeframe: Timeframe) -> Reach | None:
    kept = kept_symbols(platform, timeframe)
    if not kept:
        return None
    newest = platform.store.latest(curated_bars(timeframe), symbols=kept)
    now, known = platform.clock.now(), {i.symbol: i for i in platform.universe.instruments}
    warn: dict[str, date] = {}
    error: dict[str, date] = {}
    closed: dict[tuple[str, timedelta], date] = {}
    for instrument in (known[s] for s in kept if s in known):
        rule = platform.thresholds.rule(instrument.asset_class, timeframe)
        delay = delay_of(platform, instrument, timeframe)
        for due, lag in ((warn, rule.stale_warn), (error, rule.stale_error)):
            key = instrument.calendar, lag + delay
            if key not in closed:
                closed[key] = last_closed_session(instrument.calendar, now - lag - delay)
            due[instrument.symbol] = min(closed[key], instrument.delisted or date.max)
    age = AgeFact(
        asset=f"curated/bars_{timeframe}",
        newest=dict(newest.select("symbol", "session").iter_rows()),
        due_warn=warn,
        due_error=error,
    )
    return Reach(age, newest)


def delay_of(platform: Platform, instrument: Instrument, timeframe: Timeframe) -> timedelta:
    """How late bars of an instrument come: the delay of the fastest vendor that serves it."""
    serving: Iterable[timedelta] = (
        platform.vendors.delay(vendor.name)
        for vendor in platform.universe.vendors_of(timeframe)
        if platform.universe.serves(vendor, instrument)
    )
    return min(serving, default=timedelta(0))
