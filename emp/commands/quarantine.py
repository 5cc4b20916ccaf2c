"""`emp quarantine`: the rows that were refused; look, try again, drop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emp.commands.options import JsonOption, split
from emp.invocation import invocation, platform_for, settings_of
from emp.output import print_json, print_line, records, table, table_with_notes
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    import polars as pl

    from emp.quarantine import FailedCuration
    from market_data.pipeline.platform import Platform
    from market_data.ports import Refused

app = typer.Typer(help="Rows that were refused: list, show, replay, drop.", rich_markup_mode=None)

LIST_EXAMPLES = """
Examples:\n
  emp quarantine list\n
  emp quarantine list --symbols AAPL --start 2024-01-02 --end 2024-03-28 --json\n
  emp quarantine list --reason ohlc --export dead_letters/
"""
SHOW_EXAMPLES = """
Example:\n
  emp quarantine show 3f2a...
"""
REPLAY_EXAMPLES = """
Examples:\n
  emp quarantine replay --symbols AAPL --timeframe 1d --dry-run\n
  emp quarantine replay 3f2a...

A row that a rule refused is tried by curating its session again under today's rules, a row that a
reader refused by reading the archived answer again. The same command again changes nothing more.

Exit status: 0, or 1 where curating the sessions again failed or a check holds them back.
"""
DROP_EXAMPLES = """
Example:\n
  emp quarantine drop 3f2a... --reason "a test print of the exchange" --yes

A dropped row stays in the list of --status dropped, with who dropped it, when and why.
"""

Rows = Annotated[
    list[str] | None, typer.Argument(metavar="[ROW_ID]...", help="Rows; their beginnings do.")
]
Vendors = Annotated[list[str] | None, typer.Option("--vendor", help="Only of this vendor.")]
TimeframeFilter = Annotated[Timeframe | None, typer.Option(help="Only of this timeframe.")]
Symbols = Annotated[list[str] | None, typer.Option(metavar="A,B", help="Only these symbols.")]
Start = Annotated[str | None, typer.Option(metavar="DATE", help="First session, 2024-01-02.")]
End = Annotated[str | None, typer.Option(metavar="DATE", help="Last session, included.")]
Stage = Annotated[
    Literal["fetch", "curate"] | None,
    typer.Option(help="Refused by a reader (fetch) or by a rule (curate)."),
]
Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="Only rows with this reason among theirs.")
]

PREVIEW = 50


@app.command("list", epilog=LIST_EXAMPLES)
def list_rows(
    context: typer.Context,
    *,
    vendor: Vendors = None,
    timeframe: TimeframeFilter = None,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    stage: Stage = None,
    reason: Reasons = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="open (unless given), resolved, replayed, dropped or all."),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many rows.")] = PREVIEW,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write all rows as dead letters, a file per failure."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print refused rows, and how many there are by reason."""
    from emp.quarantine import export as export_rows
    from emp.quarantine_names import demand_known, statuses_of

    platform = platform_for(context)
    asked = statuses_of(split(status))
    wanted = _filter(vendor, timeframe, symbols, (start, end), stage, reason, asked)
    demand_known(platform, wanted)
    counts = platform.quarantine.reasons(wanted)
    if export is not None:
        written = export_rows(platform.quarantine.entries(wanted), export)
        print_json(
            {"files": len(written), "rows": int(counts["rows"].sum()), "folder": str(export)}
        )
        return
    rows = platform.quarantine.entries(wanted, limit=limit)
    if as_json:
        print_json({"by_reason": records(counts), "rows": records(rows)})
        return
    if counts.is_empty():
        print_line("no rows")
        return
    total = int(counts["rows"].sum())
    shown = ("row_id", "vendor", "timeframe", "symbol", "session", "ts", "stage", "reasons")
    print_line(table(rows.select(shown)))
    print_line(f"{rows.height} of {total} rows; --limit shows more\n" if total > limit else "")
    print_line(table(counts))


@app.command("show", epilog=SHOW_EXAMPLES)
def show(
    context: typer.Context,
    row_id: Annotated[str, typer.Argument(metavar="ROW_ID", help="The row; a beginning does.")],
) -> None:
    """Print one row as it came, why it was refused, and where its answer is kept."""
    from market_data.dead_letters import values_of

    platform = platform_for(context)
    (row,) = records(platform.quarantine.entries(_named(platform, [row_id])))
    fetch = platform.journal.of([row["fetch_id"]])
    told: dict[str, Any] = {
        **row,
        "reasons": row["reasons"].split(","),
        "row": values_of(row["row"]),
    }
    told["fetch"] = None
    if fetch:
        (run,) = fetch
        told["fetch"] = {
            "fetch_id": run.fetch_id,
            "run_id": run.run_id,
            "symbols": list(run.symbols),
            "sessions": [str(day) for day in run.sessions],
            "asked_at": run.started_at.isoformat(),
            "payloads": list(run.payloads),
            "payload_folder": f"{settings_of(context).lake_place}/payloads",
        }
    print_json(told)


@app.command("replay", epilog=REPLAY_EXAMPLES)
def replay(
    context: typer.Context,
    *,
    row_ids: Rows = None,
    vendor: Vendors = None,
    timeframe: TimeframeFilter = None,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    stage: Stage = None,
    reason: Reasons = None,
    spec: Annotated[
        str | None, typer.Option(help="Format of archived files whose vendor has none configured.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be accepted; write nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Try open rows again under today's rules."""
    from emp.narration import Narrator
    from emp.quarantine import replay as replay_rows
    from emp.quarantine import would_replay
    from emp.quarantine_names import demand_known

    platform = platform_for(context)
    wanted = (
        _named(platform, row_ids)
        if row_ids
        else _filter(vendor, timeframe, symbols, (start, end), stage, reason, ["open"])
    )
    demand_known(platform, wanted)
    failed: list[FailedCuration] = []
    if dry_run:
        judged = would_replay(platform, wanted, spec=spec)
    else:
        with Narrator(debug=invocation(context).debug) as narrator:
            judged, failed = replay_rows(
                settings_of(context), platform, wanted, narrator, spec=spec
            )
    _print_verdicts(judged, [str(one) for one in failed], as_json=as_json, dry_run=dry_run)
    raise typer.Exit(1 if failed else 0)


def _print_verdicts(
    judged: pl.DataFrame, failed: list[str], *, as_json: bool, dry_run: bool
) -> None:
    shown = judged.select(
        "row_id", "vendor", "timeframe", "symbol", "session", "stage", "reasons", "verdict", "why"
    )
    counts = judged.group_by("verdict", maintain_order=True).len("rows")
    if as_json:
        numbers = dict.fromkeys(("accepted", "refused again", "not tried"), 0)
        told = numbers | dict(counts.iter_rows())
        print_json({"dry_run": dry_run, **told, "failed": failed, "rows": records(shown)})
        return
    if judged.is_empty():
        print_line("no open rows")
        return
    print_line(table_with_notes(shown, "why"))
    print_line()
    print_line(table(counts))
    for sentence in failed:
        print_line(f"\n{sentence}")


@app.command("drop", epilog=DROP_EXAMPLES)
def drop(
    context: typer.Context,
    row_ids: Annotated[list[str], typer.Argument(metavar="ROW_ID...", help="Open rows.")],
    reason: Annotated[str, typer.Option(help="Why nobody wants them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Close rows that nobody wants; they stay in the record."""
    from emp.quarantine import who

    if not reason.strip():
        raise ConfigurationError("--reason is empty: say why nobody wants these rows")
    platform = platform_for(context)
    rows = platform.quarantine.entries(_named(platform, row_ids))
    if not yes:
        print_line(
            table(rows.select("row_id", "vendor", "timeframe", "symbol", "session", "reasons"))
        )
        typer.confirm(f"drop {rows.height} row(s)?", abort=True)
    dropped = platform.quarantine.decide(
        rows["row_id"].to_list(), "dropped", at=platform.clock.now(), by=who(), reason=reason
    )
    print_json({"dropped": dropped, "not_open": rows.height - dropped})


def _filter(
    vendors: list[str] | None,
    timeframe: Timeframe | None,
    symbols: list[str] | None,
    span: tuple[str | None, str | None],
    stage: str | None,
    reasons: list[str] | None,
    statuses: list[str] | None,
) -> Refused:
    from datetime import date

    from emp.moments import day
    from market_data.ports import Refused

    start, end = span
    sessions = None
    if start or end:
        sessions = (
            day(start, "--start") if start else date.min,
            day(end, "--end") if end else date.max,
        )
    return Refused(
        vendors=split(vendors) or None,
        timeframe=timeframe,
        symbols=split(symbols) or None,
        sessions=sessions,
        stages=[stage] if stage else None,
        reasons=split(reasons) or None,
        statuses=statuses,
    )


def _named(platform: Platform, names: list[str]) -> Refused:
    """The rows of these names, or of these beginnings of names.

    Raises:
        ConfigurationError: there is no such row, or a beginning is that of several.
    """
    from market_data.ports import Refused

    whole = []
    for name in names:
        found = platform.quarantine.named(name)
        if len(found) != 1:
            trouble = "there is no row" if not found else f"{len(found)} rows begin with"
            raise ConfigurationError(f"{trouble} {name!r}; 'emp quarantine list' shows them")
        whole += found
    return Refused(row_ids=whole)
