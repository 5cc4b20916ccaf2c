"""`emp report`: pages to look at."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from emp.commands.operations_reports import add_to
from emp.commands.options import split
from emp.invocation import settings_of
from emp.output import print_line, replace_file

EXAMPLES = """
Examples:\n
  emp report quality --out report.html\n
  emp report quality --start 2024-01-02 --end 2024-03-28 --dataset curated/bars_1d

Without --start and --end: the 30 days before the newest session that is stored.
"""

app = typer.Typer(help="Pages to look at: quality; reports on operations.", rich_markup_mode=None)
add_to(app)


@app.callback()
def report() -> None:
    """Pages to look at: quality; reports on operations."""


@app.command("quality", epilog=EXAMPLES)
def quality(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page.")] = Path(
        "quality_report.html"
    ),
    datasets: Annotated[
        list[str] | None,
        typer.Option("--dataset", help="Only this one; default: all curated bars that are kept."),
    ] = None,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only these symbols.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="First session, 2024-01-02.")
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="DATE", help="Last session, included.")] = None,
) -> None:
    """Write one self-contained page: heat maps, trends, findings, drift, worst symbols."""
    from adapters.alerts.configuration import load_alert_rules
    from adapters.runbooks import linked_runbooks
    from emp.moments import day
    from emp.platforms import lake_instead, platform_of
    from emp.quality_report import page, quality_reports
    from market_data.errors import ConfigurationError, StoreUnavailableError

    settings = settings_of(context)
    platform = platform_of(settings)
    first = None if start is None else day(start, "start")
    last = None if end is None else day(end, "end")
    if first is not None and last is not None and last < first:
        raise ConfigurationError(f"the period ends ({end}) before it starts ({start})")
    ask = partial(
        quality_reports,
        datasets=datasets or (),
        start=first,
        end=last,
        symbols=split(symbols) or None,
    )
    try:
        reports = ask(platform)
    except StoreUnavailableError as error:
        reports = ask(lake_instead(platform, settings, error))
    days = [d for r in reports for d in r.scores.sessions]
    text = page(
        reports,
        made_at=platform.clock.now(),
        rule_version=platform.rule_version,
        period=(min(days), max(days)) if days else None,
        runbooks=linked_runbooks(load_alert_rules(settings).runbooks),
    )
    replace_file(out, text)
    print_line(str(out))
