"""The job `ingest_market_slice`: the newest days of some symbols and macro releases, in one call.

What belongs here: its configuration, its parts as ranged runs of the graph, one after another, the
report that it keeps. Two of them never run at once: the later one waits.
What does not: which runs a slice takes (market_data/pipeline/market_slice.py), what an asset does.
"""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from jobs.inner_runs import run_inside
from jobs.macro_run import macro_selection
from jobs.ranged_run import bars_selection
from market_data.errors import ConfigurationError
from market_data.pipeline.macro_calendar import demand_days
from market_data.pipeline.market_slice import MarketSlice, SlicePart, plan_slice
from market_data.pipeline.platform import Platform
from market_data.pipeline.slice_report import (
    PartReport,
    PartStatus,
    brought,
    grade_of,
    macro_brought,
    overall,
)
from market_data.ports import Report
from market_data.timeframes import Timeframe
from resources.platform import PlatformResource

NAME = "ingest_market_slice"
STEP = "market_slice"
"""A job and its step must not share a name."""
REPORT = "market_slice"
PARENT_TAG = "emp/market_slice_run"

Graph = Callable[[], dg.Definitions]
"""The definitions that the job belongs to; known once they are made."""


class MarketSliceConfig(dg.Config):
    """What a slice asks for."""

    symbols: list[str] = Field(default_factory=list, description="Empty: all configured ones.")
    daily_lookback_days: int = Field(default=60, ge=0, description="Days of daily bars; 0: none.")
    intraday_lookback_days: int = Field(
        default=2, ge=0, description="Days of intraday bars; 0: none."
    )
    intraday_timeframe: str = Field(default="1m", description="1m, 5m, 15m, 30m, 1h or 4h.")
    vendors: list[str] = Field(
        default_factory=list, description="Empty: all that can be asked without files."
    )
    macro_start: str | None = Field(default=None, description="First day of the macro window.")
    macro_end: str | None = Field(default=None, description="Last day of the macro window.")
    refetch: bool = Field(
        default=False, description="Ask again for sessions that the ledger has an answer to."
    )

    def wish(self) -> MarketSlice:
        """The configuration in the domain's words.

        Raises:
            ConfigurationError: there is no such timeframe, or the macro window is none.
        """
        self.macro_window()
        try:
            timeframe = Timeframe(self.intraday_timeframe)
        except ValueError as error:
            raise ConfigurationError(
                f"intraday_timeframe={self.intraday_timeframe!r}; it takes 1m, 5m, 15m, 30m, 1h or "
                "4h"
            ) from error
        return MarketSlice(
            tuple(self.symbols),
            self.daily_lookback_days,
            self.intraday_lookback_days,
            timeframe,
            tuple(self.vendors),
            self.refetch,
        )

    def macro_window(self) -> tuple[date, date] | None:
        """First and last day of the macro window; None where none is asked for.

        Raises:
            ConfigurationError: one of them is missing or no day, or the end lies before the start.
        """
        if not (self.macro_start or self.macro_end):
            return None
        try:
            window = (
                date.fromisoformat(self.macro_start or ""),
                date.fromisoformat(self.macro_end or ""),
            )
        except ValueError as error:
            raise ConfigurationError(
                "macro_start and macro_end are two days, like 2024-01-02, or neither is given"
            ) from error
        if window[1] < window[0]:
            raise ConfigurationError(f"the macro window ends ({window[1]}) before it starts")
        return window


def market_slice_job(graph: Graph) -> dg.JobDefinition:
    """The job over a graph.

    Args:
        graph: gives the definitions whose assets the job makes.
    """

    @dg.op(name=STEP, out=dg.Out(dg.Nothing), description=__doc__)
    def market_slice(
        context: dg.OpExecutionContext, config: MarketSliceConfig, platform: PlatformResource
    ) -> Iterator[dg.Output[None]]:
        opened = platform.open()
        wish, window = config.wish(), config.macro_window()
        if window is not None:
            demand_days(opened.universe.first_session, opened.clock.now(), *window)
        context.log.info("taking its turn among the slices")
        with platform.job_locks().hold([NAME]):
            parts = plan_slice(opened.universe, wish, opened.clock.now(), opened.vendors.why_off)
            reports = [_run(context, graph(), opened, part) for part in parts]
            reports.append(_macro(context, graph(), opened, window))
        status = overall(reports)
        body = {
            "run_id": context.run_id,
            "status": str(status),
            "parts": [report.to_json() for report in reports],
        }
        made = Report(REPORT, opened.clock.now(), grade_of(status), body)
        platform.operations.open().reports.keep(made)
        shown: dict[str, Any] = {
            "status": str(status),
            "report": dg.MetadataValue.json(body),
        }
        if status is PartStatus.FAILED:
            reasons = [reason for r in reports for reason in r.reasons]
            raise dg.Failure("; ".join(reasons), metadata=shown, allow_retries=False)
        yield dg.Output(None, metadata=shown)

    @dg.job(name=NAME, description=__doc__)
    def job() -> None:
        market_slice()

    return job


def run_configuration(**options: Any) -> dict[str, Any]:
    """The run configuration of a slice; the names are those of `MarketSliceConfig`."""
    return {"ops": {STEP: {"config": {k: v for k, v in options.items() if v is not None}}}}


def _run(
    context: dg.OpExecutionContext, definitions: dg.Definitions, platform: Platform, part: SlicePart
) -> PartReport:
    told = f"{part.name} {part.wanted}, sessions {part.first} to {part.last}"
    context.log.info("%s: asking %s", told, ", ".join(feed.vendor for feed in part.feeds))
    chosen = bars_selection(
        part.timeframe,
        part.feeds,
        (part.first, part.last),
        symbols=part.symbols,
        also=part.also,
    )
    done = run_inside(context, definitions, chosen, part.name, PARENT_TAG)
    context.log.info("%s: %s", told, _ended(done))
    content = {**(done.content or {}), **brought(platform, part)}
    return PartReport(part.name, done.status, done.reasons, content)


def _macro(
    context: dg.OpExecutionContext,
    definitions: dg.Definitions,
    platform: Platform,
    window: tuple[date, date] | None,
) -> PartReport:
    if window is None:
        return PartReport("macro", PartStatus.OFF)
    if reason := platform.macro.off():
        return PartReport("macro", PartStatus.OFF, (f"macro: FRED is off: {reason}",))
    told = f"macro releases, {window[0]} to {window[1]}"
    context.log.info("%s: asking FRED", told)
    done = run_inside(context, definitions, macro_selection(window), "macro", PARENT_TAG)
    context.log.info("%s: %s", told, _ended(done))
    content = {**(done.content or {}), **macro_brought(platform, *window)}
    return PartReport("macro", done.status, done.reasons, content)


def _ended(done: PartReport) -> str:
    return "done" if done.status is PartStatus.OK else "ended with failures"
