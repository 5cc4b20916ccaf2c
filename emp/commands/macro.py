"""`emp macro`: releases of macro data: fetch them, read them, what they say for a symbol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emp.commands.options import JsonOption, SymbolArguments, split
from emp.invocation import invocation, settings_of
from emp.output import (
    Format,
    print_json,
    print_line,
    records,
    table_with_notes,
    write_frame,
)
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import date

    from adapters.settings import Settings

app = typer.Typer(help="Releases of macro data: employment, prices, output.", rich_markup_mode=None)

INGEST_EXAMPLES = """
Examples:\n
  emp macro ingest --start 2024-01-01 --end 2024-03-31\n
  emp macro ingest --start 2024-11-01 --end 2024-11-30 --dry-run

Needs FRED_API_KEY, which is free of charge. A range may reach a quarter ahead. Progress goes to
stderr, one JSON summary to stdout. Exit status: 0 fine, 1 a failure.
"""
COVERAGE_EXAMPLES = """
Examples:\n
  emp macro coverage --start 2024-10-01 --end 2024-10-31\n
  emp macro coverage --start 2024-10-01 --end 2024-10-31 --all --json

A release without a value, and days whose dates nobody asked for, with what the ledger knows of the
last question about them.
"""
EVENTS_EXAMPLES = """
Examples:\n
  emp macro events --start 2024-11-01 --end 2024-11-08\n
  emp macro events --start 2024-01-01 --end 2024-12-31 --importance high --as-of 2024-07-26
  --format csv
"""
BIAS_EXAMPLES = """
Examples:\n
  emp macro bias EURUSD AAPL\n
  emp macro bias EURUSD --at 2024-11-01T12:30 --format json
"""

StartDay = Annotated[str, typer.Option(metavar="DATE", help="First date of a release.")]
EndDay = Annotated[str, typer.Option(metavar="DATE", help="Last date, included.")]
OutOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write there instead of stdout.")
]


@app.command("ingest", epilog=INGEST_EXAMPLES)
def ingest(
    context: typer.Context,
    *,
    start: StartDay,
    end: EndDay,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print what it would ask and cost; ask and write nothing."),
    ] = False,
) -> None:
    """Ask FRED for dates and values of a range, and make the calendar of it."""
    from adapters.vendors.registry import MACRO
    from emp.macro_ingest import days_of, planned

    settings = settings_of(context)
    first, last = days_of(settings, start, end)
    if dry_run:
        plan, cost = planned(settings, first, last)
        for sentence in cost:
            typer.echo(sentence, err=True)
        print_json(plan)
        return
    if why := MACRO.why_off():
        raise ConfigurationError(f"FRED is off: {why}; a key is free of charge")
    summary, status = _execute(settings, first, last, debug=invocation(context).debug)
    print_json(summary)
    raise typer.Exit(status)


def _execute(
    settings: Settings, first: date, last: date, *, debug: bool
) -> tuple[dict[str, Any], int]:
    from emp.macro_ingest import summarise
    from emp.narration import Narrator
    from emp.run import run_macro

    with Narrator(debug=debug) as narrator:
        record = run_macro(settings, first, last, narrator)
        narrator.step("summary")
        summary = summarise(settings, record, first, last)
    return summary, 0 if record.succeeded else 1


@app.command("coverage", epilog=COVERAGE_EXAMPLES)
def coverage(
    context: typer.Context,
    *,
    start: StartDay,
    end: EndDay,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what came, and what is still to come.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say which releases of a range are missing, and why."""
    from emp.arguments import days_of
    from emp.platforms import platform_of
    from market_data.pipeline.macro_explained import explain_macro

    first, last = days_of(start, end, names=("--start", "--end"))
    found = explain_macro(platform_of(settings_of(context)), first, last)
    shown = found if everything else found.filter(found["reason"] != "")
    if as_json:
        print_json(records(shown))
    elif shown.is_empty():
        print_line("nothing is missing")
    else:
        print_line(table_with_notes(shown.drop("fetch_id"), "reason"))


@app.command("events", epilog=EVENTS_EXAMPLES)
def events(
    context: typer.Context,
    *,
    start: StartDay,
    end: EndDay,
    currency: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only these currencies.")
    ] = None,
    importance: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only high, medium, low.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE|TIME", help="What was known then.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "table",
    out: OutOption = None,
) -> None:
    """Print the releases of a range, with their values."""
    from emp.macro import get_macro_events

    frame = get_macro_events(
        start,
        end,
        currencies=split(currency) or None,
        importance=split(importance) or None,
        as_of=as_of,
        settings=settings_of(context),
    )
    if form == "table":
        frame = frame.drop("calendar", "series", "source", "unit", "known_at")
    write_frame(frame, form, out)


@app.command("bias", epilog=BIAS_EXAMPLES)
def bias(
    context: typer.Context,
    *,
    symbols: SymbolArguments,
    at: Annotated[
        str | None,
        typer.Option(metavar="DATE|TIME", help="As it was known then; now, if not given."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "table",
    out: OutOption = None,
) -> None:
    """Print what the releases around a moment say for or against symbols."""
    from emp.macro import get_macro_bias

    write_frame(get_macro_bias(split(symbols), at, settings=settings_of(context)), form, out)
