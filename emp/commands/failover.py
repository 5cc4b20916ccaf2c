"""`emp failover`: whether TimescaleDB is away, a rehearsal, making what was missed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from emp.commands.options import JsonOption, split
from emp.invocation import settings_of
from emp.output import print_json, print_line, table_with_notes

if TYPE_CHECKING:
    import polars as pl

    from emp.failover import Status
    from market_data.failover.state import MissedSlice

app = typer.Typer(
    help="TimescaleDB away: status, a rehearsal, making what was missed.",
    rich_markup_mode=None,
)

STATUS_EXAMPLES = """
Examples:\n
  emp failover status\n
  emp failover status --json

Exit status 1 while TimescaleDB is away, or a missed slice has no attempts left.
"""
DRILL_EXAMPLES = """
Examples:\n
  emp failover drill\n
  emp failover drill --symbols AAPL,EURUSD --format json

It changes nothing but the report that it keeps. Exit status 1 where it failed.
"""
RESTORE_EXAMPLES = """
Examples:\n
  emp failover restore --dry-run\n
  emp failover restore

The sensor watch_the_store does the same by itself. Exit status 1 where a slice is open still.
"""


@app.command("status", epilog=STATUS_EXAMPLES)
def status(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show the standing, the newest decisions, and the slices that TimescaleDB missed."""
    from emp.failover import status_of
    from market_data.failover.state import Standing

    found = status_of(settings_of(context))
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    stuck = any(missed.attempts >= found.attempts for missed in found.open)
    raise typer.Exit(1 if stuck or found.standing is Standing.AWAY else 0)


@app.command("drill", epilog=DRILL_EXAMPLES)
def drill(
    context: typer.Context,
    *,
    symbols: Annotated[
        str | None, typer.Option(help="Whose bars, separated by commas; those fetched last.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="markdown or json.")] = "markdown",
) -> None:
    """Rehearse an outage beside the warehouse, and measure the recovery."""
    from emp.failover import rehearsed
    from market_data.operations.grades import Grade

    if form not in ("markdown", "json"):
        raise typer.BadParameter("--format takes markdown or json")
    done = rehearsed(settings_of(context), list(split(symbols)))
    if form == "json":
        print_json(done.to_json())
    else:
        print_line(done.to_markdown().rstrip("\n"))
    raise typer.Exit(1 if done.grade is Grade.FAIL else 0)


@app.command("restore", epilog=RESTORE_EXAMPLES)
def restore(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be made; make nothing.")
    ] = False,
) -> None:
    """Make every missed slice now and compare it with the lake."""
    from emp.failover import restore as make
    from emp.failover import status_of

    settings = settings_of(context)
    if dry_run:
        found = status_of(settings).open
        print_line(table_with_notes(_slices(found), "note") if found else "nothing was missed")
        return
    left = make(settings, lambda told: sys.stderr.write(f"emp: {told}\n"))
    if left:
        print_line(table_with_notes(_slices(left), "note"))
        raise typer.Exit(1)
    print_line("every missed slice is whole")


def _show(found: Status) -> None:
    if not found.watched:
        print_line("bootstrap mode: there is no server that may be away")
    since = f" since {found.decisions[0].at:%Y-%m-%d %H:%M:%S} UTC" if found.decisions else ""
    print_line(f"{found.standing}{since}; {len(found.open)} missed slices wait")
    for decision in found.decisions:
        moment = f"{decision.at:%Y-%m-%d %H:%M:%S}"
        print_line(
            f"  {decision.number}. {moment} {decision.was} -> {decision.became}: {decision.reason}"
        )
    if found.missed:
        print_line(table_with_notes(_slices(found.missed), "note"))


def _slices(found: list[MissedSlice]) -> pl.DataFrame:
    import polars as pl

    rows = [
        (
            missed.number,
            missed.dataset,
            len(missed.symbols),
            f"{missed.first}",
            f"{missed.last}",
            missed.attempts,
            f"whole, {missed.rows} rows" if missed.replayed_at else "waits",
            missed.remark,
        )
        for missed in found
    ]
    names = ["slice", "dataset", "symbols", "first", "last", "attempts", "state", "note"]
    return pl.DataFrame(rows, schema=names, orient="row")
