"""`emp purge`: remove records of old runs now, or tell which would go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line

EXAMPLES = """
Examples:\n
  emp purge --dry-run\n
  emp purge --dry-run --older-than 30d --json\n
  emp purge --older-than 180d

The schedule purge_run_records does the same every night, by 'retention' of config/automation.yaml.
Runs that hold the newest materialisation, attempt or evaluation of a session stay, however old. No
market data goes.
"""


def purge(
    context: typer.Context,
    *,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="30d, 720h ...; else retention.runs of the file."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell, and remove nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove records of Dagster's old runs, but for those that sessions stand on."""
    from emp.purging import purge as purge_now

    purged = purge_now(
        settings_of(context), datetime.now(UTC), older_than=older_than, dry_run=dry_run
    )
    if as_json:
        print_json(
            {
                "ended_before": purged.before.isoformat(),
                "runs": purged.runs,
                "kept": purged.kept,
                "removed": purged.removed,
            }
        )
        return
    done = f"{purged.removed} removed" if not dry_run else f"{purged.runs} would go"
    print_line(
        f"runs that ended before {purged.before:%Y-%m-%d %H:%M} UTC: {done}, {purged.kept} stay "
        "for the sessions that stand on them"
    )
