"""`emp lake`: the lake's tables - versions, upkeep, restore and repair.

What belongs here: what is typed, and what a person is asked. What does not: what they are told
(lake_telling.py), what is done (emp/lake.py, emp/lake_repair.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emp.commands.lake_telling import repaired_as_json, tell, tell_damage
from emp.commands.options import JsonOption, split
from emp.invocation import invocation, settings_of
from emp.output import Format, print_json, print_line, records, table, write_frame
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from market_data.ports.lake import Tended

EXAMPLES = """
Examples:\n
  emp lake tables\n
  emp lake history curated/bars_1d\n
  emp lake show curated/bars_1d --version 12 --symbols AAPL\n
  emp lake show raw/yahoo_bars_1d --at 2024-03-01T12:00 --format csv\n
  emp lake optimize\n
  emp lake vacuum --dry-run\n
  emp lake restore curated/bars_1d --version 12\n
  emp lake repair curated/bars_1d

A dataset that TimescaleDB keeps has no versions, and is refused. The schedules weekly_upkeep and
monthly_upkeep optimize and vacuum every dataset by themselves.
"""

app = typer.Typer(
    name="lake", help="Versions, upkeep and repair of the lake's tables.", epilog=EXAMPLES
)

DatasetArgument = Annotated[
    str, typer.Argument(metavar="DATASET", help="curated/bars_1d, raw/yahoo_bars_1m ...")
]
SomeDatasetArgument = Annotated[
    str | None, typer.Argument(metavar="[DATASET]", help="One dataset; all, if not given.")
]
VersionOption = Annotated[int | None, typer.Option(help="Its number, of 'emp lake history'.")]
AtOption = Annotated[
    str | None, typer.Option(metavar="DATE|TIME", help="The newest version by then, UTC.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("tables")
def tables(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """List the tables, their files and bytes."""
    from emp.lake import get_lake_tables

    found = get_lake_tables(settings=settings_of(context))
    if as_json:
        print_json(records(found))
        return
    print_line(table(found) if found.height else "nothing is stored with versions yet")


@app.command("history")
def history(
    context: typer.Context, dataset: DatasetArgument, *, as_json: JsonOption = False
) -> None:
    """List the versions of a dataset, newest first."""
    from emp.lake import get_lake_history

    found = get_lake_history(dataset, settings=settings_of(context))
    if as_json:
        print_json(records(found))
        return
    print_line(table(found))


@app.command("show")
def show(
    context: typer.Context,
    dataset: DatasetArgument,
    *,
    version: VersionOption = None,
    at: AtOption = None,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only these; all, if not given.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE|TIME", help="First session, or first bar in UTC.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="DATE|TIME", help="Last session, or end in UTC.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these columns: ts,symbol,close.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "table",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of stdout.")
    ] = None,
) -> None:
    """Print the rows of a version, as they are stored."""
    from emp.lake import get_lake_rows

    rows = get_lake_rows(
        dataset,
        version=version,
        at=at,
        symbols=split(symbols) or None,
        start=start,
        end=end,
        columns=split(columns) or None,
        settings=settings_of(context),
    )
    write_frame(rows, form, out)


@app.command("optimize")
def optimize(
    context: typer.Context, dataset: SomeDatasetArgument = None, *, as_json: JsonOption = False
) -> None:
    """Make each folder one sorted file, and write a checkpoint; no row changes."""
    from emp.lake import tables_named

    done = [t.optimize() for t in tables_named(dataset, settings_of(context)).values()]
    tell(done, as_json=as_json)


@app.command("vacuum")
def vacuum(
    context: typer.Context,
    dataset: SomeDatasetArgument = None,
    *,
    retention: Annotated[
        str, typer.Option(metavar="TIME", help="How far back versions stay whole: 720h, 60d.")
    ] = "720h",
    force: Annotated[
        bool, typer.Option("--force", help="The retention may be shorter than 720h.")
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove files that no version within the retention needs."""
    from emp.lake import tables_named
    from market_data.durations import duration

    try:
        keep = duration(retention)
    except ValueError as error:
        raise ConfigurationError(f"--retention {retention}: {error}") from error
    found = tables_named(dataset, settings_of(context))
    told = [t.vacuum(keep, dry_run=True, force=force) for t in found.values()]
    going = sum(len(t.removed) for t in told)
    if dry_run or not going or not _agreed(told, f"remove {going} files", yes=yes):
        tell(told, as_json=as_json)
        return
    tell([t.vacuum(keep, dry_run=False, force=force) for t in found.values()], as_json=as_json)


@app.command("restore")
def restore(
    context: typer.Context,
    dataset: DatasetArgument,
    *,
    version: VersionOption = None,
    at: AtOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a dataset hold what a former version held, as a new version."""
    from emp.lake import moment_of, tables_named
    from emp.lake import restore as bring_back

    settings = settings_of(context)
    if at is not None:
        # A number from here on: what is committed while a person thinks changes no question.
        (found,) = tables_named(dataset, settings).values()
        version, at = found.version_of(version, moment_of(version, at)), None
    told = bring_back(dataset, settings, version=version)
    question = f"make {dataset} what version {version} held"
    if dry_run or not _agreed([told], question, yes=yes):
        tell([told], as_json=as_json)
        return
    done = bring_back(dataset, settings, version=version, dry_run=False)
    tell([done], as_json=as_json)


@app.command("repair")
def repair(
    context: typer.Context,
    dataset: DatasetArgument,
    *,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Read every file whole, not its size and footer.")
    ] = False,
    remake: Annotated[
        bool, typer.Option(help="Curate and score lost sessions anew from the raw logs.")
    ] = True,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a damaged table lost; then go on without it, and make it anew where that can be."""
    from emp.lake_repair import repair as mend
    from emp.narration import Narrator

    settings = settings_of(context)
    found = mend(dataset, settings, thorough=thorough)
    if not found.whole and not dry_run:
        if not yes and not as_json:
            tell_damage(dataset, found)
        if _agreed([], f"go on without what {dataset} lost", yes=yes):
            with Narrator(debug=invocation(context).debug) as narrator:
                found = mend(
                    dataset,
                    settings,
                    thorough=thorough,
                    dry_run=False,
                    remake=remake,
                    progress=narrator.step,
                )
    if as_json:
        print_json(repaired_as_json(dataset, found))
    else:
        tell_damage(dataset, found)
    if not found.whole and found.tended is None:
        raise typer.Exit(1)


def _agreed(told: list[Tended], question: str, *, yes: bool) -> bool:
    """Whether a person wants it; who cannot be asked must have said so."""
    if yes:
        return True
    if not sys.stdin.isatty():
        sys.stderr.write("emp: nothing was done: say --yes to do it\n")
        return False
    tell(told, as_json=False)
    return typer.confirm(f"{question}?")
