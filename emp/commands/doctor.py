"""`emp doctor`: a look at every part that the installation stands on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emp.invocation import settings_of
from emp.output import print_json, print_line

if TYPE_CHECKING:
    from adapters.probes import Finding

EXAMPLES = """
Examples:\n
  emp doctor\n
  emp doctor --format markdown --timeout 10\n
  emp doctor --format json --env-file production.env

Exit status: 0 when every part is ok or off, 3 when one is degraded, 1 when one is an error.
"""
DEGRADED_STATUS = 3


def doctor(
    context: typer.Context,
    form: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="Form of the report.")
    ] = "table",
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which a part counts as not answering.")
    ] = 10.0,
) -> None:
    """Probe every part at once and say how it does, and what to do where it does not."""
    from adapters.probes import State, run_probes, worst
    from emp.parts import installed, probes_of

    found = installed(settings_of(context))
    findings = run_probes(probes_of(found), timeout=timeout)
    overall = worst(findings)
    if form == "json":
        print_json(
            {"mode": found.mode, "reason": found.reason, "state": overall, "parts": rows(findings)}
        )
    else:
        print_line(f"mode: {found.mode} ({found.reason})")
        print_line()
        print_line(as_table(findings))
        print_line()
        print_line(f"state: {overall}")
    if overall is State.ERROR:
        raise typer.Exit(1)
    if overall is State.DEGRADED:
        raise typer.Exit(DEGRADED_STATUS)


def rows(findings: list[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON objects."""
    return [asdict(finding) for finding in findings]


def as_table(findings: list[Finding]) -> str:
    """Findings as a table that reads well on a screen and is Markdown as well."""
    import polars as pl

    from emp.output import table

    return table(
        pl.DataFrame(
            [
                (
                    f.part,
                    str(f.state),
                    f.detail.replace("|", "/"),
                    f.cure.replace("|", "/"),
                    f"{f.seconds:.2f}",
                )
                for f in findings
            ],
            schema=["part", "state", "detail", "cure", "seconds"],
            orient="row",
        )
    )
