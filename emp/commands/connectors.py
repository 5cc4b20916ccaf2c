"""`emp connectors`: the servers of the installation, redacted, for people and for other tools."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from emp.commands.doctor import TIMEOUT_SECONDS
from emp.invocation import settings_of
from emp.output import print_json, print_line

EXAMPLES = """
Examples:\n
  emp connectors\n
  emp connectors --format markdown --connectivity
"""


def connectors(
    context: typer.Context,
    form: Annotated[
        Literal["json", "markdown"], typer.Option("--format", help="Form of the manifest.")
    ] = "json",
    connectivity: Annotated[
        bool, typer.Option("--connectivity", help="Look at each server as well.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for that look.")
    ] = TIMEOUT_SECONDS,
) -> None:
    """Print which servers the installation speaks to, with topics; no secret is in it."""
    from adapters.probes import run_probes
    from emp.parts import installed, manifest, probes_of

    found = installed(settings_of(context))
    told: dict[str, Any] = manifest(found)
    if connectivity:
        told["connectivity"] = {
            f.part: {"state": str(f.state), "detail": f.detail, "cure": f.cure}
            for f in run_probes(probes_of(found), timeout=timeout)
        }
    if form == "json":
        print_json(told)
        return
    print_line(f"# Connectors: {told['mode']}")
    for name, connector in told["connectors"].items():
        print_line(f"\n## {name}\n")
        for key, value in connector.items():
            shown = (
                ", ".join(f"{k}: {v}" for k, v in value.items())
                if isinstance(value, dict)
                else value
            )
            print_line(f"- {key}: {shown}")
    if connectivity:
        print_line("\n## connectivity\n")
    for part, state in told.get("connectivity", {}).items():
        cure = f"; {state['cure']}" if state["cure"] else ""
        print_line(f"- {part}: {state['state']}, {state['detail']}{cure}")
