"""`emp config`: what the settings are, and whether they suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from emp.commands.options import JsonOption
from emp.output import print_json, print_line

if TYPE_CHECKING:
    from adapters.examination import Examination
    from adapters.variables import Problem

app = typer.Typer(help="What the settings are, and whether they suffice.", no_args_is_help=True)

CHECK_EXAMPLES = """
Examples:\n
  emp config check\n
  emp config check --mode institutional --env-file production.env
"""


@app.command("check", epilog=CHECK_EXAMPLES)
def check(
    mode: Annotated[
        str | None, typer.Option(help="Check for this mode instead of EMP_MODE.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Name every setting that is missing or wrong, before anything starts; exit 1 if one is."""
    from adapters.examination import examine
    from adapters.settings import Mode
    from adapters.variables import Problem

    known = mode is None or mode in list(Mode)
    found = examine(Mode(mode) if mode is not None and known else None)
    problems = list(found.problems)
    if not known:
        problems.append(Problem("--mode", f"one of {', '.join(Mode)}"))
    if as_json:
        print_json(
            {
                "mode": found.mode,
                "problems": _rows([*problems, *found.lacks]),
                "notes": _rows(found.notes),
                "ok": not problems,
            }
        )
    else:
        for line in (*problems, *found.lacks, *(f"note: {note}" for note in found.notes)):
            print_line(str(line))
        if not problems:
            print_line(_verdict(found))
    if problems:
        raise typer.Exit(1)


def _verdict(found: Examination) -> str:
    from adapters.settings import Mode

    if found.lacks:
        return "auto: bootstrap mode, for these reasons"
    mode = "auto: institutional mode" if found.mode is Mode.AUTO else found.mode
    return f"{mode}: every setting is there and right"


def _rows(problems: list[Problem]) -> list[dict[str, str]]:
    return [{"variable": p.variable, "cure": p.cure} for p in problems]


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
