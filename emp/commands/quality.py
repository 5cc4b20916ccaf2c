"""`emp quality`: what the checks find, and the scores."""

from __future__ import annotations

from typing import Annotated

import typer

from emp.commands.options import EndOption, JsonOption, StartOption, TimeframeOption, split
from emp.invocation import settings_of
from emp.output import print_json, print_line, records, table
from market_data.timeframes import Timeframe

EXAMPLES = """
Examples:\n
  emp quality --symbols AAPL --start 2024-01-02 --end 2024-03-28\n
  emp quality --symbols AAPL,MSFT --start 2024-03-07 --end 2024-03-13 --timeframe 1m --json
"""

SHOWN_ROWS = 50


def quality(
    context: typer.Context,
    symbols: Annotated[list[str], typer.Option(metavar="A,B", help="Platform symbols.")],
    start: StartOption,
    end: EndOption,
    timeframe: TimeframeOption = Timeframe.D1,
    as_json: JsonOption = False,
) -> None:
    """Print findings, errors first, and scores, worst first."""
    from emp.client import get_findings, get_quality_scores

    settings = settings_of(context)
    names = split(symbols)
    findings = get_findings(names, start, end, timeframe, settings=settings)
    scores = get_quality_scores(names, start, end, timeframe, settings=settings)
    if as_json:
        print_json(
            {
                "symbols": names,
                "timeframe": str(timeframe),
                "sessions": {"first": start, "last": end},
                "findings": records(findings),
                "scores": records(scores),
            }
        )
        return
    print_line(f"{findings.height} findings" + _first_of(findings.height))
    if findings.height:
        print_line(table(findings.head(SHOWN_ROWS).drop("code", "rows")))
    worst = scores.sort("score", "session", "symbol", maintain_order=True)
    print_line()
    print_line(f"{scores.height} scores, worst first" + _first_of(scores.height))
    if scores.height:
        shown = ("symbol", "session", "score", "status", "coverage", "observed", "reasons")
        print_line(table(worst.head(SHOWN_ROWS).select(shown)))


def _first_of(rows: int) -> str:
    return f"; the first {SHOWN_ROWS} (--json has all)" if rows > SHOWN_ROWS else ""
