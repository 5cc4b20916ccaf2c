"""`emp run`: a market slice again and again, until told to stop."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from emp.commands.options import split
from emp.commands.slice_options import (
    DailyOption,
    IntradayOption,
    IntradayTimeframeOption,
    SymbolsOption,
    VendorsOption,
)
from emp.invocation import settings_of
from emp.output import print_json
from emp.slices import SliceOptions
from emp.supervision import Stop, stopping, supervise

EXAMPLES = """
Examples:\n
  emp run\n
  emp run --interval 900 --jitter 30 --symbols EURUSD --timeout 600

Each slice is an 'emp ingest-once' in a process of its own. SIGINT or SIGTERM ends the slice that
runs, then this command, with exit status 0; after --max-failures slices in a row that failed it
ends with 1. A JSON line per slice goes to stdout.
"""


@dataclass
class Tally:
    """How the slices of one 'emp run' went."""

    slices: int = 0
    failed: int = 0
    failed_in_a_row: int = 0

    def count(self, *, failed: bool) -> None:
        """Take one slice into account."""
        self.slices += 1
        self.failed += failed
        self.failed_in_a_row = self.failed_in_a_row + 1 if failed else 0


def run(
    context: typer.Context,
    *,
    symbols: SymbolsOption = None,
    vendors: VendorsOption = None,
    daily_lookback_days: DailyOption = None,
    intraday_lookback_days: IntradayOption = None,
    intraday_timeframe: IntradayTimeframeOption = None,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", min=60, help="From one slice's start to the next.")
    ] = 3600.0,
    jitter: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="At most so much more, by chance."),
    ] = 120.0,
    max_failures: Annotated[
        int, typer.Option(metavar="N", min=1, help="Failures in a row that end it.")
    ] = 3,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="Time of one slice.")
    ] = 3600.0,
) -> None:
    """Ingest a market slice at an interval, until SIGINT or SIGTERM."""
    settings_of(context)
    options = SliceOptions(
        symbols=split(symbols),
        vendors=split(vendors),
        daily_lookback_days=daily_lookback_days,
        intraday_lookback_days=intraday_lookback_days,
        intraday_timeframe=intraday_timeframe,
    )
    tally = Tally()
    with stopping() as stop:
        while not stop and tally.failed_in_a_row < max_failures:
            began = datetime.now(UTC)
            _once(options, timeout, stop, tally)
            if stop or tally.failed_in_a_row >= max_failures:
                break
            taken = (datetime.now(UTC) - began).total_seconds()
            pause = max(0.0, interval - taken) + random.uniform(0, jitter)  # noqa: S311  no secret
            sys.stderr.write(f"the next slice begins in {pause:.0f} s\n")
            sys.stderr.flush()
            stop.wait(pause)
    cause = stop.signal.name if stop.signal else "failures"
    print_json({"slices": tally.slices, "failed": tally.failed, "ended_by": cause})
    raise typer.Exit(0 if stop else 1)


def _once(options: SliceOptions, timeout: float, stop: Stop, tally: Tally) -> None:
    ended = supervise(["ingest-once", *options.typed()], timeout=timeout, stop=stop)
    if stop:
        return
    tally.count(failed=ended.status != 0)
    line: dict[str, Any] = {"status": ended.status, "timed_out": ended.timed_out}
    if ended.stdout.strip():
        line["slice"] = json.loads(ended.stdout)
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
