"""The schedules `refresh_<timeframe>`: bars of sessions that are running.

What belongs here: their clocks and parts, and the budget that they leave to others. What does not:
what every tick does (ticks.py).

Vendors that nobody asks over a network have no running sessions worth a look. A tick that finds its
markets closed, or the run of the tick before still under way, asks for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

import dagster as dg

from adapters.vendors.registry import profile_of
from jobs.automation.ends import under_way
from jobs.automation.ticks import Plan, Timed, bars_schedule, due
from market_data.automation.closes import running_sessions
from market_data.automation.policy import AutomationPolicy
from market_data.pipeline.market_slice import SlicePart, timeframe_parts
from market_data.pipeline.platform import Platform
from market_data.pipeline.spare_budget import affordable
from market_data.timeframes import Timeframe
from market_data.universe import Universe, VendorConfig


def refresh_schedules(
    universe: Universe, policy: AutomationPolicy, *, running: bool
) -> list[dg.ScheduleDefinition]:
    """One schedule per timeframe that the policy names and a vendor serves over a network."""
    return [
        bars_schedule(
            Timed(
                f"refresh_{timeframe}",
                policy.refresh.cron(timeframe),
                "UTC",
                f"Asks for the newest {timeframe} bars of the sessions that are running.",
                running,
                again=0,
            ),
            policy,
            _plan(universe, timeframe, policy),
        )
        for timeframe in Timeframe
        if timeframe in policy.refresh.every
        and any(_live(vendor) for vendor in universe.vendors_of(timeframe))
    ]


def _live(vendor: VendorConfig) -> bool:
    return profile_of(vendor.reader).asks_somebody


def _plan(universe: Universe, timeframe: Timeframe, policy: AutomationPolicy) -> Plan:
    name = f"refresh_{timeframe}"
    live = {vendor.name for vendor in universe.vendors_of(timeframe) if _live(vendor)}
    served = [
        instrument
        for instrument in universe.instruments
        if any(universe.serves(universe.vendor(vendor), instrument) for vendor in live)
    ]

    def plan(
        context: dg.ScheduleEvaluationContext, platform: Callable[[], Platform]
    ) -> Sequence[SlicePart] | str:
        sessions = running_sessions({i.calendar for i in served}, due(context))
        symbols = [i.symbol for i in served if i.calendar in sessions]
        if not symbols:
            return "no session is running"
        if under_way(context.instance, name):
            return "the run of an earlier tick is still under way"
        opened = platform()
        parts = timeframe_parts(
            opened.universe,
            timeframe,
            symbols,
            0,
            due(context),
            lambda vendor: "" if vendor in live else "it is asked by no network",
        )
        newest = {i.symbol: sessions[i.calendar] for i in served if i.calendar in sessions}
        native = [_placed(part, newest) for part in parts if not part.also]
        found, short = affordable(opened, native, policy.refresh.reserve)
        return found or "; ".join(short) or "no vendor that is on serves any of these bars"

    return plan


def _placed(part: SlicePart, newest: dict[str, date]) -> SlicePart:
    """The part over the running sessions of its symbols."""
    days = [newest[symbol] for symbol in part.symbols]
    return replace(part, first=min(days), last=max(days))
