"""`emp config`: what the settings are, and whether they suffice."""

from __future__ import annotations

from typing import Annotated

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line

app = typer.Typer(help="What the settings are, and whether they suffice.", no_args_is_help=True)

CHECK_EXAMPLES = """
Examples:\n
  emp config check\n
  emp config check --mode institutional --env-file production.env
"""


@app.command("check", epilog=CHECK_EXAMPLES)
def check(
    context: typer.Context,
    mode: Annotated[
        str | None, typer.Option(help="Check for this mode instead of EMP_MODE.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Name every setting that is missing or wrong, before anything starts; exit 1 if one is."""
    from adapters.configuration import load_thresholds, load_universe
    from adapters.modes import check as check_servers
    from adapters.modes import decide
    from adapters.settings import Mode
    from adapters.variables import Problem
    from market_data.errors import ConfigurationError

    settings = settings_of(context)
    wanted = Mode(mode) if mode in list(Mode) else settings.mode
    problems = [] if wanted is Mode.BOOTSTRAP else check_servers(settings)[0]
    if mode is not None and mode not in list(Mode):
        problems.append(Problem("--mode", f"one of {', '.join(Mode)}"))
    for load, name in ((load_universe, "universe.yaml"), (load_thresholds, "quality.yaml")):
        try:
            load(settings)
        except ConfigurationError as error:
            problems.append(Problem(name, str(error)))
    serious = wanted is not Mode.AUTO
    found = decide(settings) if settings.mode is wanted and not problems else None
    if as_json:
        told = [{"variable": p.variable, "cure": p.cure} for p in problems]
        print_json({"mode": str(wanted), "problems": told, "ok": not (problems and serious)})
    else:
        for problem in problems:
            print_line(str(problem))
        if not problems:
            print_line(f"{wanted}: every setting is there and right")
        elif not serious:
            print_line("auto: bootstrap mode, for these reasons")
        if found is not None and wanted is Mode.AUTO:
            print_line(found.reason)
    if problems and serious:
        raise typer.Exit(1)


@app.command("variables")
def variables(as_json: JsonOption = False) -> None:
    """List every variable that the platform reads, with its default and its meaning."""
    from dataclasses import asdict

    from adapters.modes import settings_classes
    from adapters.variables import variables_of

    found = [v for kind in settings_classes() for v in variables_of(kind)]
    if as_json:
        print_json([asdict(variable) for variable in found])
        return
    for variable in found:
        default = f" (default: {variable.default})" if variable.default else ""
        print_line(f"{', '.join(variable.names)}{default}: {variable.meaning}")
