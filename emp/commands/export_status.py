"""`emp export-status`: the state of the installation as JSON, for dashboards."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from emp.invocation import settings_of

EXAMPLES = """
Examples:\n
  emp export-status\n
  emp export-status --out /srv/dashboard/emp.json --complete

What was never made is null, and named in "missing" with what makes it; with --complete the exit
status is then 1. A file is replaced in one step, so that a reader never meets half of it.
"""


def export_status(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to a file instead of stdout.")
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Exit with 1 when a report is missing.")
    ] = False,
) -> None:
    """Write readiness, the last slice and rehearsal, connectors and fetches as one JSON."""
    from emp.output import print_json, replace_file, to_json
    from emp.status import status

    told = status(settings_of(context), datetime.now(UTC))
    if out is None:
        print_json(told)
    else:
        replace_file(out, to_json(told))
    for name, cure in told["missing"].items():
        sys.stderr.write(f"emp: missing: {name}: {cure}\n")
    if complete and told["missing"]:
        raise typer.Exit(1)
