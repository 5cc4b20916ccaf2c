"""`emp doctor`: a look at every part that the installation stands on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emp.invocation import settings_of
from emp.output import print_json, print_line
from emp.reporting import DEGRADED_STATUS

if TYPE_CHECKING:
    from adapters.probes import Finding

EXAMPLES = """
Examples:\n
  emp doctor\n
  emp doctor --format markdown --timeout 30\n
  emp doctor --format json --env-file production.env

Exit status: 0 when every part is ok or off, 3 when one is degraded, 1 when one is an error.
"""
TIMEOUT_SECONDS = 20.0
"""Longer than a part's own time-outs, so that it can say what is wrong: KAFKA_TIMEOUT_SECONDS, ten
seconds by default, is the longest."""


def doctor(
    context: typer.Context,
    form: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="Form of the report.")
    ] = "table",
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which a part counts as not answering.")
    ] = TIMEOUT_SECONDS,
) -> None:
    """Probe every part at once and say how it does, and what to do where it does not."""
    from adapters.probes import State, run_probes, worst
    from emp.parts import installed, probes_of, vendors_of

    found = installed(settings_of(context))
    probes = [*probes_of(found), *vendors_of(found)]
    findings = run_probes(probes, timeout=timeout)
    overall = worst(findings)
    if form == "json":
        print_json(
            {"mode": found.mode, "reason": found.reason, "state": overall, "parts": rows(findings)}
        )
    else:
        parts = as_markdown(findings) if form == "markdown" else as_lines(findings)
        print_line(f"mode: {found.mode} ({found.reason})\n\n{parts}\n\nstate: {overall}")
    if overall is State.ERROR:
        raise typer.Exit(1)
    if overall is State.DEGRADED:
        raise typer.Exit(DEGRADED_STATUS)


def rows(findings: list[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON objects."""
    return [asdict(finding) for finding in findings]


def as_lines(findings: list[Finding]) -> str:
    """A line per part, below it what was found and what to do; whole, whatever its length."""
    width = max(len(f.part) for f in findings)
    lines = []
    for f in findings:
        lines.append(f"{f.part:<{width}}  {f.state:<8}  {f.seconds:.2f} s")
        lines += [f"    {text}" for text in (f.detail, f.cure and f"cure: {f.cure}") if text]
    return "\n".join(lines)


def as_markdown(findings: list[Finding]) -> str:
    """Findings as a table of Markdown, with whole texts."""
    head = ("part", "state", "detail", "cure", "seconds")
    cells = [(f.part, f.state, f.detail, f.cure, f"{f.seconds:.2f}") for f in findings]
    lines = [head, ("---",) * len(head), *cells]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
