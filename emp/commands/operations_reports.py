"""`emp report slo` and its like: reports on operations, made now."""

from __future__ import annotations

from collections.abc import Callable

import typer

from emp.commands.options import FormOption, OutOption
from emp.invocation import settings_of

EXAMPLES = """
Examples:\n
  emp report {name}\n
  emp report {name} --format json --out {name}.json

It is kept among the reports, and told to listeners in institutional mode.

Exit status: 0 when it is ok, 3 when it warns, 1 when it fails.
"""

REPORTS = {
    "slo": ("slo_report", "Objectives of thirty days: met, missed, lost, and the budget left."),
    "checklist": ("daily_checklist", "What to go through today, each item ticked or open."),
    "retention": ("data_retention", "Whether there is as much history as is asked for."),
    "health": ("ingest_health", "Ingest by dimension: ok, warn or fail, with reasons."),
    "metrics": ("ingest_metrics", "The numbers of ingest by dimension."),
    "trends": ("ingest_trends", "The newest run of every feed against the ten before it."),
    "observability": ("ingest_observability", "Numbers, health and latency in one payload."),
}
"""Name of a command to the report that it makes, and what it says."""


def add_to(app: typer.Typer) -> None:
    """Add a command per report."""
    for name, (report, told) in REPORTS.items():
        app.command(name, help=told, epilog=EXAMPLES.format(name=name))(_command(report))


def _command(name: str) -> Callable[..., None]:
    def command(
        context: typer.Context,
        form: FormOption = "markdown",
        out: OutOption = None,
    ) -> None:
        from adapters.operations_reports import make_reports
        from emp.parts import installed
        from emp.platforms import platform_of
        from emp.reporting import concluded, operations_of

        settings = settings_of(context)
        operations = operations_of(installed(settings))
        (made,) = make_reports(settings, platform_of(settings), operations, [name])
        raise typer.Exit(concluded(form, made, out))

    return command
