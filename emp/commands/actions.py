"""`emp actions`: corporate actions from files, and those that are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emp.commands.options import JsonOption, split
from emp.invocation import invocation, settings_of
from emp.output import print_json, print_line, records, table
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from adapters.settings import Settings
    from emp.actions import Outdated

app = typer.Typer(
    help="Corporate actions: splits and dividends that adjustment reads.",
    rich_markup_mode=None,
)

IMPORT_EXAMPLES = """
Example:\n
  emp actions import factor_files/aapl.csv --spec lean_factor_file --symbol AAPL
"""
LIST_EXAMPLES = """
Examples:\n
  emp actions list --symbols AAPL\n
  emp actions list --symbols AAPL,MSFT --json
"""


@app.command("import", epilog=IMPORT_EXAMPLES)
def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    symbol: Annotated[str, typer.Option(help="Platform symbol that the file speaks of.")],
    spec: Annotated[
        Literal["lean_factor_file"], typer.Option(help="Format of the file.")
    ] = "lean_factor_file",
) -> None:
    """Take the splits and dividends of a file, and curate anew the bars that they change.

    The same file again adds nothing, and finishes what an import left undone.
    """
    from adapters.backend import open_platform
    from emp.actions import factor_file_actions, outdated

    settings = settings_of(context)
    platform = open_platform(settings)
    instrument = platform.universe.instrument(symbol)
    if not instrument.asset_class.is_adjustable:
        raise ConfigurationError(f"{symbol} is {instrument.asset_class}: it has no splits")
    now = platform.clock.now()
    found = factor_file_actions(file, instrument, source=spec, now=now)
    kept = platform.actions.add(found, now=now)
    stale = outdated(platform, symbol)
    done = _curate_anew(settings, symbol, stale, debug=invocation(context).debug)
    print_json(
        {
            "symbol": symbol,
            "file": str(file),
            "splits": found.filter(kind="split").height,
            "dividends": found.filter(kind="dividend").height,
            "new_or_changed": kept,
            "curated_again": [
                {
                    "timeframe": str(slice_.timeframe),
                    "first": slice_.first.isoformat(),
                    "last": slice_.last.isoformat(),
                    "outdated_sessions": slice_.sessions,
                }
                for slice_ in stale
            ],
        }
    )
    raise typer.Exit(0 if done else 1)


def _curate_anew(
    settings: Settings, symbol: str, stale: Sequence[Outdated], *, debug: bool
) -> bool:
    """Say what is outdated and curate it anew; whether that succeeded."""
    from emp.narration import Narrator
    from emp.run import run_curation

    done = True
    with Narrator(debug=debug) as narrator:
        for found in stale:
            narrator.say(
                f"curated {found.timeframe} bars of {symbol} are outdated on {found.sessions} "
                f"sessions from {found.first} to {found.last}: curating them anew"
            )
            record = run_curation(
                settings, found.timeframe, [symbol], found.first, found.last, narrator=narrator
            )
            done &= record.succeeded
    return done


@app.command("list", epilog=LIST_EXAMPLES)
def list_actions(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only these symbols.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the actions that are known now."""
    from adapters.backend import open_platform

    platform = open_platform(settings_of(context))
    names = split(symbols) or None
    for name in names or ():
        platform.universe.instrument(name)
    frame = platform.actions.read(symbols=names).sort("symbol", "ex_date", "kind")
    if as_json:
        print_json(records(frame))
    else:
        print_line(table(frame) if frame.height else "no actions are known")
