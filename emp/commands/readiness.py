"""`emp readiness`: the verdict over the whole installation."""

from __future__ import annotations

from typing import Annotated

import typer

from emp.commands.options import FormOption, OutOption
from emp.invocation import settings_of

EXAMPLES = """
Examples:\n
  emp readiness\n
  emp readiness --format json --out readiness.json --env-file production.env

Exit status: 0 when every section is ok or off, 3 when one warns, 1 when one fails.
"""


def readiness(
    context: typer.Context,
    form: FormOption = "markdown",
    out: OutOption = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which a part counts as not answering.")
    ] = 20.0,
) -> None:
    """Fuse connectivity, migrations, ingest, quality, cache and Kafka into one verdict."""
    from emp.reporting import concluded, made_readiness

    verdict = made_readiness(settings_of(context), timeout=timeout)
    raise typer.Exit(concluded(form, verdict, out))
