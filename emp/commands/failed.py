"""`emp failed`: sessions that are failed now, since when, why, and what mends them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line

if TYPE_CHECKING:
    from market_data.operations.failed_sessions import Failed

EXAMPLES = """
Examples:\n
  emp failed\n
  emp failed --kind run --json\n
  emp failed --kind fetch --kind run --fail

Not what broke some night, but what nobody has made good since: questions that no vendor has
answered, sessions that no run has made since the one that failed, and bars whose score is RED.

Exit status: 0, or 1 with --fail where anything is told.
"""


class Kind(StrEnum):
    """What may have failed."""

    FETCH = "fetch"
    RUN = "run"
    SCORE = "score"


def failed(
    context: typer.Context,
    *,
    kind: Annotated[
        list[Kind] | None, typer.Option(help="Only these; may be given several times.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Scores of so many days are looked at.")] = 30,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with 1 where anything is.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell which sessions are failed now, since when, why, and what mends them."""
    from emp.failed import failed as found_in

    wanted = set(kind or Kind)
    found = [f for f in found_in(settings_of(context), days=days) if f.kind in wanted]
    if as_json:
        print_json([each.told() for each in found])
    else:
        for each in found:
            for line in _lines(each):
                print_line(line)
            print_line()
        if not found:
            print_line("nothing is failed now")
    raise typer.Exit(1 if fail and found else 0)


def _lines(found: Failed) -> list[str]:
    first, last = found.sessions
    what = "sessions" if not found.symbols else f"symbol-sessions of {len(found.symbols)} symbols"
    since = f", since {found.since:%Y-%m-%d %H:%M} UTC" if found.since else ""
    return [
        f"{found.dataset} ({found.kind}): {found.count} {what}, {first} to {last}{since}",
        f"  why: {found.why}",
        f"  {found.cure}",
    ]
