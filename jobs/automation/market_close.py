"""The schedules `close_<calendar>`: each market, once its session is over.

What belongs here: their clocks and parts. What does not: what every tick does (ticks.py).

A market whose usual close the policy names ticks once a day on its own wall clock, which serves
early closes as well; any other is looked at every hour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg

from jobs.automation.ticks import Plan, Timed, bars_schedule, due
from market_data.automation.closes import DAILY_WINDOW, HOURLY_WINDOW, session_closed
from market_data.automation.policy import AutomationPolicy
from market_data.calendar_versions import calendar_name
from market_data.pipeline.market_slice import SlicePart, timeframe_parts
from market_data.pipeline.platform import Platform
from market_data.universe import Universe


def close_schedules(
    universe: Universe, policy: AutomationPolicy, *, running: bool
) -> list[dg.ScheduleDefinition]:
    """One schedule per calendar that an instrument trades by."""
    by_calendar: dict[str, list[str]] = {}
    for instrument in universe.instruments:
        by_calendar.setdefault(instrument.calendar, []).append(instrument.symbol)
    return [
        bars_schedule(
            _timed(calendar, policy, running=running),
            policy,
            _plan(calendar, symbols, policy),
        )
        for calendar, symbols in sorted(by_calendar.items())
    ]


def close_name(calendar: str) -> str:
    """Name of a calendar's schedule: close_xnys, close_24_7."""
    return f"close_{re.sub(r'[^A-Za-z0-9]+', '_', calendar_name(calendar)).lower()}"


def _timed(calendar: str, policy: AutomationPolicy, *, running: bool) -> Timed:
    plain, rules = calendar_name(calendar), policy.close
    minutes = int(rules.delay.total_seconds() // 60)
    told = f"Brings what is lacking of a session of {plain}, {minutes} minutes after its close"
    usual = rules.times.get(plain)
    if usual is None:
        cron, zone = f"{minutes} * * * *", "UTC"
        told += ", which is looked up every hour."
    else:
        cron, zone = usual.cron(rules.delay), usual.zone
        told += f", {usual.at:%H:%M} {usual.zone}."
    return Timed(close_name(calendar), cron, zone, told, running)


def _plan(calendar: str, symbols: Sequence[str], policy: AutomationPolicy) -> Plan:
    rules = policy.close
    usual = calendar_name(calendar) in rules.times

    def plan(
        context: dg.ScheduleEvaluationContext, platform: Callable[[], Platform]
    ) -> Sequence[SlicePart] | str:
        window = DAILY_WINDOW if usual else HOURLY_WINDOW
        at = due(context)
        closed = session_closed(calendar, at - rules.delay, window)
        if closed is None:
            return f"no session of {calendar_name(calendar)} has closed"
        opened = platform()
        first = max(closed - timedelta(days=rules.lookback), opened.universe.first_session)
        found = [
            _placed(part, first, closed)
            for timeframe in rules.timeframes
            for part in timeframe_parts(
                opened.universe, timeframe, symbols, 0, at, opened.vendors.why_off
            )
        ]
        return found or f"no vendor that is on serves bars of {calendar_name(calendar)}"

    return plan


def _placed(part: SlicePart, first: date, last: date) -> SlicePart:
    return replace(part, first=first, last=last)
