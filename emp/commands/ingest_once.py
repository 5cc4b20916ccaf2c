"""`emp ingest-once`: one market slice, daily and intraday, through the graph."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emp.commands.options import split
from emp.commands.slice_options import (
    DailyOption,
    IntradayOption,
    IntradayTimeframeOption,
    MacroEndOption,
    MacroStartOption,
    RefetchOption,
    SymbolsOption,
    VendorsOption,
)
from emp.invocation import invocation, settings_of
from emp.output import print_json
from emp.slices import SliceOptions

if TYPE_CHECKING:
    from adapters.settings import Settings

EXAMPLES = """
Examples:\n
  emp ingest-once\n
  emp ingest-once --symbols EURUSD,AAPL --daily-lookback-days 90 --intraday-lookback-days 3
  --intraday-timeframe 5m --timeout 1800\n
  emp ingest-once --dry-run

It is the job ingest_market_slice of the UI. Two never run at once: the later one waits. Progress
goes to stderr, one JSON summary to stdout. Exit status: 0 fine, 1 a failure, 2 only with
--fail-on-quality, 124 out of time, 143 when a signal stopped it.
"""


STOPPED = 128 + signal.SIGTERM


def ingest_once(
    context: typer.Context,
    *,
    symbols: SymbolsOption = None,
    vendors: VendorsOption = None,
    daily_lookback_days: DailyOption = None,
    intraday_lookback_days: IntradayOption = None,
    intraday_timeframe: IntradayTimeframeOption = None,
    macro_start: MacroStartOption = None,
    macro_end: MacroEndOption = None,
    refetch: RefetchOption = False,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, help="End it after so long.")
    ] = None,
    fail_on_quality: Annotated[
        bool, typer.Option("--fail-on-quality", help="Exit with 2 when a check holds bars back.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print who would be asked for what; ask nobody.")
    ] = False,
) -> None:
    """Fetch the newest days of bars, curate, check and score them, once."""
    options = SliceOptions(
        symbols=split(symbols),
        vendors=split(vendors),
        daily_lookback_days=daily_lookback_days,
        intraday_lookback_days=intraday_lookback_days,
        intraday_timeframe=intraday_timeframe,
        macro_start=macro_start,
        macro_end=macro_end,
        refetch=refetch or None,
    )
    settings = settings_of(context)
    if dry_run:
        from emp.slices import planned

        print_json({"parts": planned(settings, options)})
        return
    strict = ["--fail-on-quality"] if fail_on_quality else []
    if timeout is not None:
        raise typer.Exit(_within(timeout, [*options.typed(), *strict]))
    summary, status = execute(settings, options, debug=invocation(context).debug)
    print_json(summary)
    held = status == 0 and summary["status"] == "held"
    raise typer.Exit(2 if held and fail_on_quality else status)


def execute(
    settings: Settings, options: SliceOptions, *, debug: bool
) -> tuple[dict[str, Any], int]:
    """Run one slice here: its summary and the exit status."""
    from emp.narration import Narrator
    from emp.slices import run_slice

    with Narrator(debug=debug) as narrator:
        record, report = run_slice(settings, options, narrator)
    failures = [{"step": f.step, "message": f.message} for f in record.failures]
    told = dict(report.body) if report else {"run_id": record.run_id, "status": "failed"}
    at = {"at": report.at.isoformat()} if report else {}
    status = STOPPED if record.interrupted else 0 if record.succeeded else 1
    return {**told, **at, "failures": failures}, status


def _within(timeout: float, words: list[str]) -> int:
    from emp.supervision import stopping, supervise

    with stopping() as stop:
        ended = supervise(["ingest-once", *words], timeout=timeout, stop=stop)
    sys.stdout.write(ended.stdout)
    if ended.timed_out:
        sys.stderr.write(f"emp: out of time after {timeout:g} s (--timeout)\n")
    return ended.status
