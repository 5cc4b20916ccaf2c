"""`emp retention`: which rows of the warehouse are older than is kept, and removing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from emp.commands.options import JsonOption
from emp.invocation import invocation, settings_of
from emp.output import print_json, print_line

if TYPE_CHECKING:
    from market_data.retention.leaving import Leaving

app = typer.Typer(help="Rows that are older than is kept: plan, apply.", rich_markup_mode=None)

PLAN_EXAMPLES = """
Examples:\n
  emp retention plan\n
  emp retention plan --json

What is kept for how long says config/retention.yaml; as shipped everything is kept for good.
Whether there is enough history says 'emp report retention'.
"""
APPLY_EXAMPLES = """
Examples:\n
  emp retention apply\n
  emp retention apply --yes\n
  emp retention apply --all --yes --json

Without --yes nothing is removed. Bars and macro events go only where the raw logs, which stay, make
the same again; what they do not make stays and is told. The schedule apply_retention does the same
on the first of a month.
"""


@app.callback()
def retention() -> None:
    """Rows of the warehouse that are older than is kept: plan, apply."""


@app.command("plan", epilog=PLAN_EXAMPLES)
def plan(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show what may go now, by dataset; nothing is removed."""
    from adapters.retention_removal import leaving_of
    from emp.platforms import platform_of

    settings = settings_of(context)
    found = leaving_of(settings, platform_of(settings))
    if as_json:
        print_json([_told(leaving) for leaving in found])
        return
    _show(found)


@app.command("apply", epilog=APPLY_EXAMPLES)
def apply(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it only tell.")] = False,
    whole: Annotated[
        bool, typer.Option("--all", help="Also where more than removal.at_most of a dataset goes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove what is older than is kept, where the raw logs make it again."""
    from adapters.retention_removal import apply_retention, leaving_of
    from emp.narration import Narrator
    from emp.parts import installed
    from emp.platforms import platform_of
    from emp.reporting import operations_of

    settings = settings_of(context)
    platform = platform_of(settings)
    if not yes:
        found = leaving_of(settings, platform)
        if as_json:
            print_json({"removed": [], "would_go": [_told(leaving) for leaving in found]})
            return
        _show(found)
        if found:
            print_line("nothing was removed: repeat it with --yes")
        return
    operations = operations_of(installed(settings))
    with Narrator(debug=invocation(context).debug) as narrator:
        done = apply_retention(settings, platform, operations, whole=whole, tell=narrator.step)
    if as_json:
        held_back = [_told(leaving) for leaving in done.held_back]
        print_json({"removed": done.told(), "held_back": held_back})
    else:
        for told in done.told():
            stays = f", {told['kept']} stay: the raw logs do not make them again"
            print_line(
                f"{told['dataset']} {told['first']} to {told['last']}: {told['gone']} rows went"
                + (stays if told["kept"] else "")
            )
        for leaving in done.held_back:
            print_line(
                f"{leaving.dataset}: nothing went, {leaving.rows} of {leaving.held} rows would "
                "have, more than removal.at_most; --all removes them"
            )
        if not done.done and not done.held_back:
            print_line("nothing is older than is kept")
    raise typer.Exit(1 if done.held_back else 0)


def _show(found: list[Leaving]) -> None:
    for leaving in found:
        first, last = leaving.sessions
        print_line(
            f"{leaving.dataset} {first} to {last}: {leaving.rows} of {leaving.held} rows "
            f"({leaving.share:.1%}) are older than is kept"
        )
    if not found:
        print_line("nothing is older than is kept")


def _told(leaving: Leaving) -> dict[str, Any]:
    return {
        "dataset": leaving.dataset,
        "first": str(leaving.sessions[0]),
        "last": str(leaving.sessions[1]),
        "rows": leaving.rows,
        "of": leaving.held,
        "share": round(leaving.share, 4),
        "months": [
            {
                "first": str(removal.sessions[0]),
                "last": str(removal.sessions[1]),
                "symbols": len(removal.symbols),
                "rows": removal.rows,
            }
            for removal in leaving.removals
        ],
    }
