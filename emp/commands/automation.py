"""`emp automation`: what runs by itself, what comes next, letting a schedule run again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line, table, table_with_notes

if TYPE_CHECKING:
    import polars as pl

    from emp.automation import ScheduleStatus, Tick

app = typer.Typer(
    help="What runs by itself: status, what comes, letting a schedule run again.",
    rich_markup_mode=None,
)

STATUS_EXAMPLES = """
Examples:\n
  emp automation status\n
  emp automation status --json

Exit status 1 where a schedule is cut off.
"""
NEXT_EXAMPLES = """
Examples:\n
  emp automation next\n
  emp automation next --hours 72 --json

Only schedules that are on; docs/automation.md says how to turn one on.
"""
RESUME_EXAMPLES = """
Example:\n
  emp automation resume refresh_1m

What failed before counts no more; the alert closes with the next look at the platform.
"""


@app.command("status", epilog=STATUS_EXAMPLES)
def status(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show every schedule: on or off, its newest tick and its next, failures in a row."""
    from emp.automation import statuses

    found = statuses(settings_of(context), datetime.now(UTC))
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        print_line(table_with_notes(_statuses_frame(found), "became"))
    raise typer.Exit(1 if any(each.state.cut_at for each in found) else 0)


@app.command("next", epilog=NEXT_EXAMPLES)
def coming(
    context: typer.Context,
    *,
    hours: Annotated[float, typer.Option(metavar="N", min=0.1, max=744, help="So far ahead.")] = 24,
    as_json: JsonOption = False,
) -> None:
    """Print the ticks to come, in UTC and on the schedule's own clock."""
    from emp.automation import coming as ticks_of

    ticks = ticks_of(settings_of(context), datetime.now(UTC), timedelta(hours=hours))
    if as_json:
        print_json([{**asdict(tick), "local": tick.local} for tick in ticks])
    elif not ticks:
        print_line("nothing is on that ticks by then")
    else:
        print_line(table(_ticks_frame(ticks)))


@app.command("resume", epilog=RESUME_EXAMPLES)
def resume(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the schedule.")],
) -> None:
    """Let a schedule that was cut off run again, from its next tick on."""
    from emp.automation import resume as let_run

    was_cut = let_run(settings_of(context), name, datetime.now(UTC))
    print_line(f"{name} runs again with its next tick" if was_cut else f"{name} was not cut off")


def _statuses_frame(found: list[ScheduleStatus]) -> pl.DataFrame:
    import polars as pl

    rows = [
        (
            each.name,
            ("on" if each.on else "off") + (" by default" if each.by_default else ""),
            _minute(each.last),
            each.outcome,
            _minute(each.next),
            each.state.failures,
            _minute(each.state.cut_at),
        )
        for each in found
    ]
    names = ["schedule", "state", "last (UTC)", "became", "next (UTC)", "failures", "cut off since"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _ticks_frame(ticks: list[Tick]) -> pl.DataFrame:
    import polars as pl

    rows = [
        (tick.schedule, _minute(tick.at), f"{tick.local:%a %H:%M}", tick.zone) for tick in ticks
    ]
    return pl.DataFrame(rows, schema=["schedule", "UTC", "local", "zone"], orient="row")


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
