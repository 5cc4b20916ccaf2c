"""`emp actions`: corporate actions from files, withdrawals, and those that are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emp.commands.options import JsonOption, split
from emp.invocation import invocation, settings_of
from emp.output import print_json, print_line, records, table

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

    from adapters.settings import Settings
    from emp.actions import ActionsFile, Known
    from market_data.pipeline.outdated import Outdated

app = typer.Typer(
    help="Corporate actions: splits and dividends that adjustment reads.",
    rich_markup_mode=None,
)

IMPORT_EXAMPLES = """
Examples:\n
  emp actions import factor_files/aapl.csv --symbol AAPL\n
  emp actions import splits.csv --source mybroker --dry-run

A CSV file has the columns symbol, ex_date, kind (split or dividend), value (a 2:1 split is 2, a
dividend is cash per share) and, if you like, known_at. Rows that are refused go to the quarantine,
each with its reasons; import the corrected file again.
"""
WITHDRAW_EXAMPLES = """
Examples:\n
  emp actions withdraw AAPL 2024-06-10\n
  emp actions withdraw AAPL 2024-05-10 --kind dividend
"""
LIST_EXAMPLES = """
Examples:\n
  emp actions list --symbols AAPL\n
  emp actions list --symbols AAPL,MSFT --json\n
  emp actions list --conflicts
"""


@app.command("import", epilog=IMPORT_EXAMPLES)
def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    *,
    form: Annotated[
        Literal["csv", "lean_factors"] | None,
        typer.Option("--format", help="Format of the file; told from its header, if not given."),
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="Platform symbol that a factor file speaks of.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Who says it; csv or lean_factor_file, if not given.")
    ] = None,
    known_now: Annotated[
        bool,
        typer.Option("--known-now", help="Known from now on, whatever the file says."),
    ] = False,
    known_since_ex_date: Annotated[
        bool,
        typer.Option(
            "--known-since-ex-date",
            help="Known since the ex-date, though bars were fetched since: a first load of history."
            " Reads as of earlier times change.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the file holds; write nothing.")
    ] = False,
) -> None:
    """Take the splits and dividends of a file, and curate anew the bars that they change.

    The same file again adds nothing, and finishes what an import left undone.
    """
    from adapters.backend import open_platform
    from emp.actions import keep, known_conflicts, read_actions_file
    from market_data.errors import ConfigurationError
    from market_data.pipeline.outdated import outdated

    if known_now and known_since_ex_date:
        raise ConfigurationError("give --known-now or --known-since-ex-date, not both")
    known: Known = "now" if known_now else "since_ex_date" if known_since_ex_date else "when_told"

    settings = settings_of(context)
    platform = open_platform(settings)
    read = read_actions_file(platform, file, form=form, symbol=symbol, source=source, known=known)
    told = _told(read, file)
    if dry_run:
        found = known_conflicts(platform, read.symbols, also=read.actions)
        print_json({**told, "dry_run": True, "conflicts": records(found)})
        return
    told["new_or_changed"] = keep(platform, read)
    stale = {name: outdated(platform, name) for name in read.symbols}
    told["curated_again"], done = _all_curated_anew(context, settings, stale, read.actions)
    told["conflicts"] = records(known_conflicts(platform, read.symbols))
    print_json(told)
    raise typer.Exit(0 if done else 1)


@app.command("withdraw", epilog=WITHDRAW_EXAMPLES)
def withdraw_action(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="Platform symbol.")],
    ex_date: Annotated[str, typer.Argument(metavar="EX_DATE", help="Its day, 2024-01-02.")],
    *,
    kind: Annotated[
        Literal["split", "dividend"], typer.Option(help="What it was said to be.")
    ] = "split",
) -> None:
    """Say that there was no such split or dividend, and curate anew the bars that it changes.

    Known from now on: reads as of earlier times still see it. What a source states anew after it
    counts again.
    """
    from adapters.backend import open_platform
    from emp.actions import withdraw
    from emp.moments import day
    from market_data.pipeline.outdated import outdated

    settings = settings_of(context)
    platform = open_platform(settings)
    stood = withdraw(platform, symbol, day(ex_date, "EX_DATE"), kind)
    again, done = _all_curated_anew(context, settings, {symbol: outdated(platform, symbol)}, stood)
    print_json({"withdrawn": records(stood), "curated_again": again})
    raise typer.Exit(0 if done else 1)


def _told(read: ActionsFile, file: Path) -> dict[str, Any]:
    return {
        "file": str(file),
        "format": read.form,
        "source": read.source,
        "symbols": read.symbols,
        "splits": read.actions.filter(kind="split").height,
        "dividends": read.actions.filter(kind="dividend").height,
        "refused": [
            {"row": json.loads(row), "reasons": reasons.split(",")}
            for row, reasons in read.rejected.select("row", "reasons").iter_rows()
        ],
    }


def _all_curated_anew(
    context: typer.Context,
    settings: Settings,
    stale: Mapping[str, Sequence[Outdated]],
    actions: pl.DataFrame,
) -> tuple[list[dict[str, Any]], bool]:
    """Curate anew what is outdated, by symbol; what that was, and whether it succeeded.

    Features are made anew in which these bars have a part, or one of the splits: it stands within
    the windows of the bars after it, whether or not a bar is another now.
    """
    done = True
    for name, ranges in stale.items():
        own = actions.filter(symbol=name, kind="split")["ex_date"].unique().sort()
        done &= _made_anew(settings, name, ranges, own.to_list(), debug=invocation(context).debug)
    again = [
        {
            "symbol": name,
            "timeframe": str(found.timeframe),
            "first": found.first.isoformat(),
            "last": found.last.isoformat(),
            "outdated_sessions": found.sessions,
        }
        for name, ranges in stale.items()
        for found in ranges
    ]
    return again, done


def _made_anew(
    settings: Settings,
    symbol: str,
    stale: Sequence[Outdated],
    splits: Sequence[date],
    *,
    debug: bool,
) -> bool:
    """Say what is outdated and make it anew; whether that succeeded."""
    from emp.narration import Narrator
    from emp.run import renew_features, run_curation

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
        changed = [(found.first, found.last) for found in stale]
        split = [(day, day) for day in splits if not any(a <= day <= b for a, b in changed)]
        done &= renew_features(settings, symbol, [*changed, *split], narrator)
    return done


@app.command("list", epilog=LIST_EXAMPLES)
def list_actions(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only these symbols.")
    ] = None,
    conflicts: Annotated[
        bool, typer.Option("--conflicts", help="Only where sources contradict each other.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the actions that are known now, or what sources contradict each other about."""
    from adapters.backend import open_platform
    from emp.actions import known_conflicts

    platform = open_platform(settings_of(context))
    names = split(symbols) or None
    for name in names or ():
        platform.universe.instrument(name)
    if conflicts:
        frame, none = known_conflicts(platform, names), "no source contradicts another"
    else:
        frame, none = platform.actions.read(symbols=names), "no actions are known"
    if as_json:
        print_json(records(frame))
    else:
        print_line(table(frame) if frame.height else none)
