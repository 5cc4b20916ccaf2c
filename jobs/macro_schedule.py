"""Macro releases every day: what came in the week before, and what is announced for two months.

One ranged run of `ingest_macro_releases`, after the last releases of a New York morning. The range
is as long as FRED answers in one question about dates; values take one question per series of the
releases in it. A release that was moved or a value that came late is found by the next day's run.
It asks FRED in the name of whoever owns the key: without a key a tick asks nobody.
"""

from datetime import date, timedelta

import dagster as dg

from adapters.vendors.fred.cost import LONG
from jobs.automation.ends import ended_ticks
from jobs.automation.requests import tick_tags
from jobs.automation.ticks import cut_off, due
from jobs.failover import reduced
from jobs.macro_run import macro_selection
from jobs.ranged_run import checks_of, range_tags
from jobs.vendor_jobs import MACRO_JOB
from market_data.automation.cutoff import Turn, turn
from market_data.automation.policy import AutomationPolicy
from market_data.datasets import MACRO_CALENDAR
from market_data.failover.state import MissedSlice, Standing
from resources.platform import PlatformResource

NAME = "daily_macro_releases"
BEFORE = timedelta(days=7)
"""Values that come late, and dates that moved. The rest of the range lies ahead."""


def range_of(today: date) -> tuple[date, date]:
    """First and last date of the releases that a day's run asks about."""
    return today - BEFORE, today - BEFORE + LONG


def macro_schedule(policy: AutomationPolicy, *, running: bool) -> dg.ScheduleDefinition:
    """The schedule.

    Args:
        policy: pauses and limits of its runs.
        running: whether it is on until somebody says otherwise, as others that ask vendors.
    """

    @dg.schedule(
        name=NAME,
        job_name=MACRO_JOB,
        cron_schedule="15 12 * * *",
        execution_timezone="America/New_York",
        default_status=dg.DefaultScheduleStatus.RUNNING
        if running
        else dg.DefaultScheduleStatus.STOPPED,
        description=__doc__,
    )
    def daily_macro_releases(
        context: dg.ScheduleEvaluationContext, platform: PlatformResource
    ) -> dg.RunRequest | dg.SkipReason:
        if reason := platform.open().macro.off():
            return dg.SkipReason(f"FRED is off: {reason}")
        if reason := _held(context, platform, policy):
            return dg.SkipReason(reason)
        sessions = range_of(context.scheduled_execution_time.date())
        standing = _told_what_is_left_out(platform, sessions)
        selection = reduced(macro_selection(sessions), standing)
        found = context.repository_def
        known = found.asset_graph.asset_check_keys if found else ()
        return dg.RunRequest(
            run_key=sessions[0].isoformat(),
            asset_selection=sorted(selection.keys),
            asset_check_keys=sorted(checks_of(known, selection)),
            tags={
                **range_tags(sessions),
                **tick_tags(policy, NAME, due(context), again=1),
            },
        )

    return daily_macro_releases


def _held(
    context: dg.ScheduleEvaluationContext, platform: PlatformResource, policy: AutomationPolicy
) -> str:
    """Why a tick asks for nothing after failures in a row; empty where it may."""
    at, states = due(context), platform.operations.open().automation
    before = states.get(NAME)
    ends = ended_ticks(context.instance, NAME, policy.cutoff.failures + 1)
    after, decided = turn(before, ends, at, policy.cutoff)
    if after != before:
        states.keep(after, at)
    return cut_off(after) if decided is Turn.SKIP else ""


def _told_what_is_left_out(platform: PlatformResource, sessions: tuple[date, date]) -> Standing:
    """Note the calendar of a run while the warehouse is away; the standing."""
    failover = platform.operations.open().failover
    standing = failover.standing()
    if standing is Standing.AWAY:
        now = platform.open().clock.now()
        failover.note(MissedSlice(MACRO_CALENDAR.name, None, (), *sessions, "", now))
    return standing
