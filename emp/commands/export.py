"""`emp export`: write datasets as files for Spark and others, list and verify them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from emp.commands.options import FormOption, JsonOption, split
from emp.invocation import invocation, settings_of
from emp.output import print_json, print_line
from market_data.operations.grades import Grade

app = typer.Typer(help="Exports: run, list, files, verify.", rich_markup_mode=None)

RUN_EXAMPLES = """
Writes hive-partitioned Parquet (zstd) with a manifest below EMP_EXPORT_DIR, as a run that the UI
shows, and reads it back. The years or months that the sessions lie in are written whole; others
stay. What counts is what manifest.json names: a run that is killed changes nothing.

Examples:\n
  emp export run bars_1d --all --engine polars\n
  emp export run bars_1m bars_1d --start 2024-01-02 --end 2024-03-28\n
  SPARK_MASTER=spark://host:7077 emp export run bars_1m --all\n
  emp export run --dry-run
"""
VERIFY_EXAMPLES = """
Every file is read and compared with its checksum, its rows and its content digest; with --source
every row is compared with the source as well. Exit status 1 where anything differs.

Examples:\n
  emp export verify bars_1d\n
  emp export verify bars_1d --source --json
"""

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="EXPORT...", help="bars_1d, or all whose source holds anything."),
]
NameArgument = Annotated[str, typer.Argument(metavar="EXPORT", help="bars_1d.")]
ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="FOLDER", help="Of exports; else EMP_EXPORT_DIR.")
]

EngineOption = Annotated[
    Literal["spark", "polars"] | None,
    typer.Option(help="What writes them; else EMP_EXPORT_ENGINE."),
]
DRILL_EXAMPLES = """
Works in a folder of its own below that of the exports and removes it; nothing of the installation
changes. Fails where a cycle is too slow, tells another digest, or leaves something behind.

Examples:\n
  emp export drill bars_1d --cycles 10 --engine polars\n
  emp export drill bars_1m --warn 120 --fail 600 --format markdown
"""


@app.command("run", epilog=RUN_EXAMPLES)
def run(
    context: typer.Context,
    names: NamesArgument = None,
    *,
    start: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="First session; seven days ago, if not given."),
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="DATE", help="Last session, included.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that the source holds, in place of what was there.")
    ] = False,
    engine: EngineOption = None,
    to: ToOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be written.")
    ] = False,
) -> None:
    """Write exports and read them back."""
    from emp.exports import Wish, parts_of, plan_told, planned, run_told, sessions_of, with_options
    from emp.narration import Narrator

    wish = Wish(split(names), start, end, everything)
    wish.check()
    settings = with_options(settings_of(context), engine, to)
    store, source = parts_of(settings)
    chosen = planned(source, wish)
    sessions = sessions_of(settings, wish, chosen, datetime.now(UTC).date())
    if dry_run or not chosen:
        print_json({"dry_run": dry_run, "exports": plan_told(settings, chosen, sessions)})
        return
    from emp.run import run_exports

    with Narrator(debug=invocation(context).debug) as narrator:
        jobs = [one.job for one in chosen]
        record = run_exports(settings, jobs, sessions, narrator, anew=everything)
    print_json(run_told(store, chosen, sessions, record))
    raise typer.Exit(0 if record.succeeded else 1)


@app.command("list")
def list_(context: typer.Context, *, to: ToOption = None, as_json: JsonOption = False) -> None:
    """List the exports that there are."""
    from adapters.exports.looking import store_of
    from emp.exports import state_told, with_options
    from market_data.exports.jobs import export_jobs

    store = store_of(with_options(settings_of(context), None, to))
    found = [told for job in export_jobs() if (told := state_told(store, job)) is not None]
    if as_json:
        print_json(found)
        return
    for one in found:
        print_line(f"{one['job']}: {one['damaged']}" if "damaged" in one else _line(one))
    if not found:
        print_line(f"nothing was exported to {store.root} yet")


@app.command("files")
def files(
    context: typer.Context, name: NameArgument, *, to: ToOption = None, as_json: JsonOption = False
) -> None:
    """Print the files that count, one per line, for whoever reads them."""
    from adapters.exports.looking import store_of
    from emp.exports import files_of, with_options
    from market_data.exports.jobs import export_job

    store = store_of(with_options(settings_of(context), None, to))
    job = export_job(name)
    manifest, paths = files_of(store, job)
    if as_json:
        print_json({**manifest.summary(), "paths": [str(path) for path in paths]})
        return
    for path in paths:
        print_line(str(path))


@app.command("verify", epilog=VERIFY_EXAMPLES)
def verify(
    context: typer.Context,
    name: NameArgument,
    *,
    source: Annotated[
        bool, typer.Option("--source", help="Compare every row with the source as well.")
    ] = False,
    to: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read an export back, and compare it with what it says of itself."""
    from emp.export_verifying import verified_told
    from emp.exports import with_options
    from emp.narration import Narrator

    settings = with_options(settings_of(context), None, to)
    with Narrator(debug=invocation(context).debug) as narrator:
        told = verified_told(settings, name, narrator.step, with_source=source)
    if as_json:
        print_json(told)
    else:
        for problem in told["problems"]:
            print_line(problem)
        for found in told["differences"]:
            print_line(f"{found['check']}: {found['symbol']} {found['session']} {found['detail']}")
        print_line(f"{'whole' if told['whole'] else 'NOT whole'}: {_line(told)}")
    raise typer.Exit(0 if told["whole"] else 1)


@app.command("drill", epilog=DRILL_EXAMPLES)
def drill(
    context: typer.Context,
    names: NamesArgument = None,
    *,
    cycles: Annotated[int, typer.Option(min=1, max=1000, help="How often each.")] = 3,
    warn: Annotated[float, typer.Option(metavar="SECONDS", help="A slower cycle warns.")] = 60.0,
    fail: Annotated[float, typer.Option(metavar="SECONDS", help="A slower cycle fails.")] = 300.0,
    engine: EngineOption = None,
    to: ToOption = None,
    form: FormOption = "json",
) -> None:
    """Export the same rows again and again beside the exports, and judge it."""
    from emp.exports import drilled, with_options
    from emp.narration import Narrator
    from emp.reporting import show

    settings = with_options(settings_of(context), engine, to)
    with Narrator(debug=invocation(context).debug) as narrator:
        done = drilled(
            settings, split(names) or ["bars_1d"], narrator.step, cycles=cycles, limits=(warn, fail)
        )
    show(form, done.to_json(), done.to_markdown(), None)
    raise typer.Exit(0 if done.grade is not Grade.FAIL else 1)


def _line(told: dict[str, Any]) -> str:
    from emp.backfills import size

    return (
        f"{told['job']} number {told['number']} of {told['written_at'][:19]} by "
        f"{told['engine'].get('name')}: {told['rows']:,} rows in {told['files']} files, "
        f"{size(told['bytes'])}, {told['first']} to {told['last']}, digest {told['digest']}"
    )
