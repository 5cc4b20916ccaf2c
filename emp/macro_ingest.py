"""What 'emp macro ingest' is asked for and tells: the range, the plan, the summary.

What belongs here: from options to days, and what is known of them afterwards.
What does not: the run (emp/run.py), reading the calendar (emp/macro.py).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from emp.hearing import RunRecord
from emp.moments import day

if TYPE_CHECKING:
    from adapters.settings import Settings


def days_of(settings: Settings, start: str, end: str) -> tuple[date, date]:
    """First and last day of a range that the calendar has sessions for.

    Raises:
        ConfigurationError: a text is no day, or the range is none, too early or too far ahead.
    """
    from adapters.clock import SystemClock
    from adapters.configuration import load_universe
    from market_data.pipeline.macro_calendar import demand_days

    first, last = day(start, "--start"), day(end, "--end")
    demand_days(load_universe(settings).first_session, SystemClock().now(), first, last)
    return first, last


def planned(settings: Settings, first: date, last: date) -> tuple[dict[str, Any], list[str]]:
    """What an ingest would ask and cost; nobody is asked and nothing is written.

    Returns:
        The plan for JSON, and the cost in sentences.
    """
    from adapters.configuration import load_universe
    from emp.plans import cost_told
    from emp.platforms import rehearsal
    from market_data.pipeline.macro_ingest import macro_cost

    with rehearsal(settings, load_universe(settings)) as platform:
        table = platform.macro.table
        cost = macro_cost(platform, first, last)
        plan = {
            "dry_run": True,
            "days": {"first": str(first), "last": str(last)},
            "off": platform.macro.off(),
            "releases": {str(r.release): r.name for r in table.releases},
            "series_at_most": len(table.symbols),
            "cost": cost_told(cost),
        }
    return plan, cost.sentences()


def summarise(settings: Settings, record: RunRecord, first: date, last: date) -> dict[str, Any]:
    """What is known of the range now, and how the run went."""
    from adapters.backend import open_platform
    from market_data.pipeline.macro_calendar import read_macro_events

    platform = open_platform(settings)
    events = read_macro_events(platform, first, last)
    return {
        "run_id": record.run_id,
        "succeeded": record.succeeded,
        "days": {"first": str(first), "last": str(last)},
        "rows": events.height,
        "rows_by_status": dict(events.group_by("status").len().sort("status").iter_rows()),
        **record.totals,
        "failures": [{"step": f.step, "message": f.message} for f in record.failures],
    }
