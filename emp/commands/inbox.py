"""`emp inbox`: drop folders, what lies in them, what became of what lay there."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line
from market_data.wording import sayable

if TYPE_CHECKING:
    from emp.inbox import FolderStatus

app = typer.Typer(help="Drop folders: what waits, what became of it.", rich_markup_mode=None)

STATUS_EXAMPLES = """
Examples:\n
  emp inbox status\n
  emp inbox status --json

Exit status 1 where files could not be taken in. docs/files.md says how to set up a folder.
"""


@app.callback()
def inbox() -> None:
    """Drop folders: what waits, what became of it."""


@app.command("status", epilog=STATUS_EXAMPLES)
def status(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show every drop folder: files that lie in it, and its newest batch."""
    from emp.inbox import folders

    found = folders(settings_of(context))
    if as_json:
        print_json([asdict(each) for each in found])
    elif not found:
        print_line("no drop folder is configured: see drop in config/automation.yaml")
    for each in found if not as_json else ():
        _print(each)
    raise typer.Exit(1 if any(each.failed for each in found) else 0)


def _print(each: FolderStatus) -> None:
    there = "" if each.exists else ", which does not exist"
    print_line(f"{each.name}: {each.folder}{there}, for {each.vendor} in the format {each.spec}")
    oldest = f", the oldest of {each.oldest}" if each.oldest else ""
    print_line(f"  {each.files} files lie in it, {each.bytes:,} bytes{oldest}")
    newest: dict[str, Any] = dict(each.newest)
    if not newest:
        print_line("  no batch of it is known")
        return
    print_line(
        f"  newest batch {newest['at']}: {len(newest['taken'])} files taken in, "
        f"{newest['new_rows']:,} new rows, {newest['rejected_rows']:,} rejected"
    )
    for name, why in each.failed.items():
        print_line(f"  not taken in: {sayable(name)}: {why}")
