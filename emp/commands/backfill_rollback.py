"""`emp backfill rollback`: back to what was there before a backfill."""

from __future__ import annotations

from typing import Annotated

import typer

from emp.commands.backfill_options import IdArgument
from emp.commands.options import JsonOption
from emp.invocation import invocation, settings_of
from emp.output import print_json, print_line
from market_data.errors import ConfigurationError

EXAMPLES = """
Examples:\n
  emp backfill rollback 3f2a --dry-run\n
  emp backfill rollback 3f2a\n
  emp backfill rollback 3f2a --undo

Bars, scores and flags are what they were when it was launched, in the store of either mode; what it
fetched counts as never said, so that no later curation brings it back, and stays in the raw logs.
The ledger asks again for what it lacked then. Splits and dividends that it alone has brought are
withdrawn as well, so that adjusted prices are what they were. A rollback that was killed is
finished by the same command again; --undo takes it back.
"""


def rollback(
    context: typer.Context,
    id_: IdArgument,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take a rollback back, or one that was killed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Return to the snapshot that was taken when a backfill was launched."""
    from emp.backfill_rollback import roll, rolled_lines
    from emp.narration import Narrator

    if dry_run and undo:
        raise ConfigurationError("give either --dry-run or --undo")
    with Narrator(debug=invocation(context).debug) as narrator:
        told = roll(settings_of(context), id_, narrator.step, dry_run=dry_run, undo=undo)
    if as_json:
        print_json(told)
        return
    for line in rolled_lines(told):
        print_line(line)
