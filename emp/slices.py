"""One market slice, run by a command in this process.

What belongs here: executing the job of the graph, hearing of it, finding its report.
What does not: the job (jobs/market_slice.py), waiting between slices (emp/commands/run.py).
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any

from emp.hearing import Listener, RunRecord
from emp.narration import Narrator
from emp.run import quiet_dagster
from market_data.ports import Report

if TYPE_CHECKING:
    from adapters.settings import Settings

REPORT = "market_slice"


@dataclass(frozen=True)
class SliceOptions:
    """The options of a slice as they were typed; None leaves the job's default."""

    symbols: list[str] | None = None
    vendors: list[str] | None = None
    daily_lookback_days: int | None = None
    intraday_lookback_days: int | None = None
    intraday_timeframe: str | None = None
    macro_start: str | None = None
    macro_end: str | None = None
    refetch: bool | None = None

    def given(self) -> dict[str, Any]:
        """Those that were typed."""
        return {name: value for name, value in asdict(self).items() if value not in (None, [])}

    def typed(self) -> list[str]:
        """The options as words of a command line."""
        words: list[str] = []
        for field in fields(self):
            value, option = getattr(self, field.name), f"--{field.name.replace('_', '-')}"
            if value is True:
                words.append(option)
            elif isinstance(value, list):
                words += [option, ",".join(value)] if value else []
            elif value not in (None, False):
                words += [option, str(value)]
        return words


def run_slice(
    settings: Settings, options: SliceOptions, narrator: Narrator
) -> tuple[RunRecord, Report | None]:
    """Run one slice; what became of the run, and its report unless it broke before that.

    Raises:
        ConfigurationError: naming every setting that is missing or wrong, or the symbol or vendor
            that is not configured.
    """
    quiet_dagster()
    from adapters.modes import decide
    from definitions import build_definitions
    from emp.instance import open_instance
    from emp.reporting import operations_of
    from jobs.market_slice import NAME, run_configuration

    planned(settings, options)
    record = RunRecord(str(uuid.uuid4()))
    job = build_definitions(settings).resolve_job_def(NAME)
    with open_instance(settings) as instance:
        instance.add_event_listener(record.run_id, Listener(record, narrator).hear)
        loggers = {"console": {"config": {"log_level": narrator.dagster_level}}}
        result = job.execute_in_process(
            instance=instance,
            run_id=record.run_id,
            run_config={**run_configuration(**options.given()), "loggers": loggers},
            raise_on_error=False,
        )
        record.succeeded = result.success
    kept = operations_of(decide(settings)).reports.newest(REPORT, 20)
    own = (report for report in kept if report.body.get("run_id") == record.run_id)
    return record, next(own, None)


def planned(settings: Settings, options: SliceOptions) -> list[dict[str, Any]]:
    """The parts that a slice would have now; nobody is asked and nothing is written.

    Raises:
        ConfigurationError: a symbol, vendor or timeframe is not configured.
    """
    quiet_dagster()
    from adapters.clock import SystemClock
    from adapters.configuration import load_universe
    from adapters.vendors.registry import profile_of
    from jobs.market_slice import MarketSliceConfig
    from market_data.pipeline.macro_calendar import demand_days
    from market_data.pipeline.market_slice import plan_slice

    asked = MarketSliceConfig(**options.given())
    wish, window = asked.wish(), asked.macro_window()
    universe, now = load_universe(settings), SystemClock().now()
    if window is not None:
        demand_days(universe.first_session, now, *window)

    def off(vendor: str) -> str:
        return profile_of(universe.vendor(vendor).reader).why_off()

    parts: list[dict[str, Any]] = [
        {
            "part": part.name,
            "timeframe": str(part.wanted),
            "sessions": {"first": str(part.first), "last": str(part.last)},
            "vendors": {feed.vendor: list(feed.symbols) for feed in part.feeds},
        }
        for part in plan_slice(universe, wish, now, off)
    ]
    return [*parts, _macro(window)]


def _macro(window: tuple[date, date] | None) -> dict[str, Any]:
    """The macro part, and why it is off where it is."""
    from adapters.vendors.registry import MACRO

    if window is None:
        return {"part": "macro", "status": "off", "days": None}
    days = {"first": str(window[0]), "last": str(window[1])}
    if reason := MACRO.why_off():
        return {"part": "macro", "status": "off", "days": days, "reason": f"FRED is off: {reason}"}
    return {"part": "macro", "days": days}
