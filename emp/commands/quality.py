"""`emp quality`: what the checks find, and the scores; its summary per symbol and session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emp.commands.options import JsonOption, TimeframeOption, split
from emp.commands.outdated_scores import EXAMPLES as OUTDATED_EXAMPLES
from emp.commands.outdated_scores import outdated
from emp.invocation import settings_of
from emp.output import (
    Format,
    print_json,
    print_line,
    records,
    table,
    table_with_notes,
    write_frame,
)
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

EXAMPLES = """
Examples:\n
  emp quality --symbols AAPL --start 2024-01-02 --end 2024-03-28\n
  emp quality --symbols AAPL,MSFT --start 2024-03-07 --end 2024-03-13 --timeframe 1m --json\n
  emp quality summary curated/bars_1d --start 2024-01-02 --end 2024-03-28
"""
SUMMARY_EXAMPLES = """
Examples:\n
  emp quality summary --start 2024-01-02 --end 2024-03-28\n
  emp quality summary raw/yahoo_bars_1d --symbols AAPL --format csv --out quality.csv

Without --start and --end: the last 30 days.
"""

app = typer.Typer(help="Findings and scores.", rich_markup_mode=None)
Start = Annotated[str | None, typer.Option(metavar="DATE", help="First session, 2024-01-02.")]
End = Annotated[str | None, typer.Option(metavar="DATE", help="Last session, included.")]

SHOWN_ROWS = 50

app.command("outdated", epilog=OUTDATED_EXAMPLES)(outdated)


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def quality(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Platform symbols.")
    ] = None,
    start: Start = None,
    end: End = None,
    timeframe: TimeframeOption = Timeframe.D1,
    as_json: JsonOption = False,
) -> None:
    """Print findings, errors first, decisions about them, and scores, worst first."""
    if context.invoked_subcommand is not None:
        if symbols or start or end or as_json:
            raise ConfigurationError(
                f"options of 'emp quality {context.invoked_subcommand}' stand after its name"
            )
        return
    from emp.annotations import listed
    from emp.judgements import decided_quality_scores, get_findings
    from emp.moments import day
    from emp.platforms import platform_of

    if not symbols or start is None or end is None:
        raise ConfigurationError("'emp quality' takes --symbols, --start and --end")
    settings = settings_of(context)
    names = split(symbols)
    findings = get_findings(names, start, end, timeframe, settings=settings)
    span = (day(start, "--start"), day(end, "--end"))
    scores = decided_quality_scores(names, span, timeframe, settings=settings)
    decisions = listed(platform_of(settings), symbols=names, sessions=span).drop("state")
    if as_json:
        print_json(
            {
                "symbols": names,
                "timeframe": str(timeframe),
                "sessions": {"first": start, "last": end},
                "findings": records(findings),
                "scores": records(scores),
                "decisions": records(decisions),
            }
        )
        return
    accepted = int((findings["state"] == "accepted").sum())
    counted = f", {accepted} of them accepted" if accepted else ""
    print_line(f"{findings.height} findings{counted}" + _first_of(findings.height))
    if findings.height:
        dropped = ("code", "rows", *(() if accepted else ("state", "decision")))
        print_line(table(findings.head(SHOWN_ROWS).drop(dropped)))
    if decisions.height:
        print_line(f"\n{decisions.height} decisions about these sessions")
        print_line(table_with_notes(decisions.head(SHOWN_ROWS), "reason"))
    worst = scores.sort("score", "session", "symbol", maintain_order=True)
    print_line()
    print_line(f"{scores.height} scores, worst first" + _first_of(scores.height))
    if scores.height:
        shown = ("symbol", "session", "score", "status", "coverage", "observed", "reasons")
        print_line(table(worst.head(SHOWN_ROWS).select(shown)))


def _first_of(rows: int) -> str:
    return f"; the first {SHOWN_ROWS} (--json has all)" if rows > SHOWN_ROWS else ""


@app.command("summary", epilog=SUMMARY_EXAMPLES)
def summary(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Argument(help="curated/bars_1d, raw/<vendor>_bars_1d, quality/scores ...")
    ] = "curated/bars_1d",
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only these symbols.")
    ] = None,
    start: Start = None,
    end: End = None,
    form: Annotated[Format, typer.Option("--format", help="Form of the rows.")] = "table",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of to stdout.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print status, score, coverage and findings per symbol and session."""
    from emp.health import get_data_quality_summary

    rows = get_data_quality_summary(
        dataset, start, end, symbols=split(symbols) or None, settings=settings_of(context)
    )
    write_frame(rows, "json" if as_json else form, out)
