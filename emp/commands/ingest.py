"""`emp ingest`: a vendor's bars, or a user's own files, through the graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emp.commands.options import JsonOption, split
from emp.invocation import invocation, settings_of
from emp.output import print_json, print_line, table
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from adapters.settings import Settings
    from emp.ingestion import Prepared
    from emp.leaving import Leaving

EXAMPLES = """
Examples:\n
  emp ingest --vendor yahoo --symbols "EURUSD=X,AAPL" --lookback-days 120 --timeframe 1d\n
  emp ingest --vendor yahoo --symbols AAPL --start 2024-01-02 --end 2024-03-28 --dry-run\n
  emp ingest --path aapl.zip --spec lean_daily\n
  emp ingest --path bars/ --spec plain --vendor mybroker --resample\n
  emp ingest --vendor yahoo --symbols AAPL --lookback-days 9 --leave pricing/ --cache-max-entries 9

Symbols are the platform's or the vendor's own; one that nobody configured is registered beside the
data, its class and calendar assumed, and said so. A second run asks only for what the ledger lacks.
Progress goes to stderr, one JSON summary to stdout.
"""


def ingest(
    context: typer.Context,
    *,
    vendor: Annotated[
        str | None, typer.Option(help="Who is asked, or for whom the files speak.")
    ] = None,
    symbols: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Symbols; all that the vendor serves, if not given."),
    ] = None,
    timeframe: Annotated[
        Timeframe | None, typer.Option(help="Length of a bar; 1d, or that of the format.")
    ] = None,
    lookback_days: Annotated[
        int | None, typer.Option(metavar="N", help="From N days ago until now.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="First session, 2024-01-02.")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Last session, included; the newest, if not given."),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(metavar="FILE|FOLDER", help="Files to read; without dates, all they hold."),
    ] = None,
    spec: Annotated[
        str | None, typer.Option(help="Format of the files, see 'emp files specs'.")
    ] = None,
    prices_as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Day on which split-adjusted files were exported."),
    ] = None,
    refetch: Annotated[
        bool, typer.Option("--refetch", help="Ask again for what was answered.")
    ] = False,
    resample: Annotated[
        bool, typer.Option("--resample", help="Curate 5m to 1d from 1m bars as well.")
    ] = False,
    fail_on_quality: Annotated[
        bool, typer.Option("--fail-on-quality", help="Exit with 2 on an error finding.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be asked; ask and write nothing.")
    ] = False,
    leave: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also leave the bars as files, with their issues."),
    ] = None,
    leave_format: Annotated[
        Literal["parquet", "csv"], typer.Option(help="Format of the files that --leave writes.")
    ] = "parquet",
    cache_retention_days: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Files of --leave older than N days go."),
    ] = None,
    cache_max_entries: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="The newest N entries of --leave stay."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch bars, curate, check and score them."""
    from datetime import UTC, datetime

    from emp.ingestion import Wish, prepare
    from emp.leaving import Leaving

    settings = settings_of(context)
    leaving = Leaving(leave, leave_format, cache_retention_days, cache_max_entries)
    leaving.check()
    wish = Wish(
        vendor=vendor,
        symbols=split(symbols),
        timeframe=timeframe,
        start=start,
        end=end,
        lookback_days=lookback_days,
        path=path,
        spec=spec,
        refetch=refetch,
        prices_as_of=prices_as_of,
    )
    prepared = prepare(settings, wish, datetime.now(UTC))
    if dry_run:
        _rehearse(settings, prepared, as_json=as_json)
        return
    debug = invocation(context).debug
    summary, status = execute(
        settings,
        prepared,
        resample=resample,
        debug=debug,
        strict=fail_on_quality,
        leaving=leaving,
    )
    print_json(summary)
    raise typer.Exit(status)


def execute(
    settings: Settings,
    prepared: Prepared,
    *,
    resample: bool,
    debug: bool,
    strict: bool,
    leaving: Leaving | None = None,
) -> tuple[dict[str, Any], int]:
    """Register what is new, run the graph, and say what came of it: summary and exit status."""
    from adapters.backend import open_platform
    from adapters.configuration import register
    from emp.leaving import leave_files
    from emp.narration import Narrator
    from emp.run import coarser, run_feeds
    from emp.summary import EXIT_OK, EXIT_QUALITY, Scope, exit_status, summarise

    also = coarser(prepared.timeframe) if resample else ()
    scope = Scope(prepared.feed, prepared.timeframe, prepared.first, prepared.last, also)
    with Narrator(debug=debug) as narrator:
        for sentence in (*prepared.notes, *prepared.registration.sentences()):
            narrator.say(sentence)
        if prepared.registration:
            register(
                settings,
                instruments=prepared.registration.instruments,
                vendors=prepared.registration.vendors,
            )
        record = run_feeds(
            settings,
            prepared.timeframe,
            [prepared.feed],
            prepared.first,
            prepared.last,
            also=also,
            narrator=narrator,
        )
        narrator.step("summary")
        platform = open_platform(settings)
        summary = summarise(settings, platform, scope, record)
    summary["registered"] = prepared.registration.told()
    summary["notes"] = [*prepared.notes, *_unread(prepared, summary)]
    summary["ui"] = (
        f"'emp dev' shows this run on http://127.0.0.1:{settings.ui_port}/runs/{record.run_id}"
    )
    status = exit_status(summary, record, fail_on_quality=strict)
    if leaving is not None and leaving.folder is not None:
        summary["left"], bad = leave_files(
            platform, scope, leaving, record.run_id, sound=not (strict and status), strict=strict
        )
        status = status or (EXIT_QUALITY if strict and bad else EXIT_OK)
    return summary, status


def _unread(prepared: Prepared, summary: dict[str, Any]) -> list[str]:
    """What a person has to know whose files were not opened."""
    feed = prepared.feed
    if feed.path is None or any(o["asked"] for o in summary["outcomes"].values()):
        return []
    return [
        "every session of the files was answered before, so that they were not read; --refetch "
        "reads corrected files again"
    ]


def _rehearse(settings: Settings, prepared: Prepared, *, as_json: bool) -> None:
    """Print the plan of an ingest."""
    from emp.plans import plan_frame, told
    from emp.platforms import rehearsal
    from market_data.pipeline.planning import IngestRequest, plan_ingest
    from market_data.pipeline.questions import plan_cost

    feed = prepared.feed
    request = IngestRequest(
        feed.vendor,
        prepared.timeframe,
        feed.symbols,
        prepared.first,
        prepared.last,
        feed.refetch,
    )
    with rehearsal(settings, prepared.universe) as platform:
        plan = plan_ingest(platform, request)
        vendors = platform.vendors
        limited = bool(vendors.windows(feed.vendor)) and not vendors.why_off(feed.vendor)
        vendor = vendors.open(feed.vendor) if limited else None
        cost = plan_cost(platform, request, plan, vendor) if vendor else None
    content = told(prepared, plan, cost)
    if as_json:
        print_json(content)
        return
    for sentence in (*prepared.notes, *prepared.registration.sentences()):
        print_line(sentence)
    print_line(
        f"{feed.vendor} {prepared.timeframe}, sessions {prepared.first} to {prepared.last}: "
        f"{content['lacking']} symbol-sessions lack an answer, {plan.answered} have one, "
        f"{plan.not_begun} have not begun; {len(plan.fetches)} questions"
    )
    for sentence in cost.sentences() if cost else ():
        print_line(sentence)
    if plan.fetches:
        print_line(table(plan_frame(prepared, plan)))
