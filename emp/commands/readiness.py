"""`emp readiness`: the verdict over the whole installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emp.commands.doctor import DEGRADED_STATUS
from emp.invocation import settings_of

EXAMPLES = """
Examples:\n
  emp readiness\n
  emp readiness --format json --out readiness.json --env-file production.env

Exit status: 0 when every section is ok or off, 3 when one warns, 1 when one fails.
"""


def readiness(
    context: typer.Context,
    form: Annotated[
        Literal["json", "markdown"], typer.Option("--format", help="Form of the report.")
    ] = "markdown",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it to a file as well.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which a part counts as not answering.")
    ] = 20.0,
) -> None:
    """Fuse connectivity, migrations, ingest, quality, cache and Kafka into one verdict."""
    from emp.reporting import made_readiness, show
    from market_data.operations.grades import Grade

    settings = settings_of(context)
    verdict = made_readiness(settings, timeout=timeout)
    show(form, verdict.to_json(), verdict.to_markdown(), out)
    if verdict.grade is Grade.FAIL:
        raise typer.Exit(1)
    if verdict.grade is Grade.WARN:
        raise typer.Exit(DEGRADED_STATUS)
