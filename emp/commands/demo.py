"""`emp demo`: the whole graph over two invented vendors, and what the checks found of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emp.commands.options import JsonOption
from emp.invocation import invocation, settings_of
from emp.output import print_json, print_line

EXAMPLES = """
Examples:\n
  emp demo\n
  emp demo --data-dir /tmp/emp-demo
"""


def demo(
    context: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the data there.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run everything over sample data with planted errors; a second run finds all of it there."""
    from emp.demonstration import demonstrate, sentences
    from emp.narration import Narrator

    settings = settings_of(context)
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    with Narrator(debug=invocation(context).debug) as narrator:
        shown = demonstrate(settings, narrator)
    if as_json:
        print_json(shown.told())
    else:
        for line in sentences(shown, settings):
            print_line(line)
    raise typer.Exit(0 if shown.succeeded else 1)
