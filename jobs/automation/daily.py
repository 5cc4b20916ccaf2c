"""The schedule `daily_market_data`: everything, every day.

What belongs here: its parts. What does not: what every tick does (ticks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import dagster as dg

from jobs.automation.ticks import Timed, bars_schedule, due
from market_data.automation.policy import AutomationPolicy, WallClock
from market_data.pipeline.market_slice import SlicePart, timeframe_parts
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

NAME = "daily_market_data"


def daily_schedule(policy: AutomationPolicy, *, running: bool) -> dg.ScheduleDefinition:
    """The schedule; each timeframe is one ranged run, daily bars first."""
    rules = policy.daily

    def plan(
        context: dg.ScheduleEvaluationContext, platform: Callable[[], Platform]
    ) -> Sequence[SlicePart] | str:
        opened = platform()
        symbols = tuple(i.symbol for i in opened.universe.instruments)
        found = [
            part
            for timeframe in rules.timeframes
            for part in timeframe_parts(
                opened.universe,
                timeframe,
                symbols,
                rules.lookback,
                due(context),
                opened.vendors.why_off,
            )
        ]
        made = [replace(part, features=True) for part in together(found)]
        return made or "no vendor that is on serves any of these bars"

    timed = Timed(
        NAME,
        WallClock(rules.at, "UTC").cron(),
        "UTC",
        f"Asks every vendor that is on for what is lacking of the last {rules.lookback} days, "
        "curates, checks and scores it, and makes its features.",
        running,
    )
    return bars_schedule(timed, policy, plan)


def together(parts: Sequence[SlicePart]) -> list[SlicePart]:
    """Parts that ask for the same bars to make different ones of them become one."""
    found: dict[object, SlicePart] = {}
    for part in parts:
        if not part.also:
            found[part.timeframe] = part
            continue
        key = (part.timeframe, part.feeds, part.first, part.last)
        known = found.get(key)
        also: set[Timeframe] = {*part.also, *(known.also if known else ())}
        found[key] = replace(part, also=tuple(sorted(also, key=lambda t: t.duration)))
    return list(found.values())
