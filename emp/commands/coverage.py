"""`emp coverage`: session by session, what the ledger knows."""

from __future__ import annotations

from typing import Annotated

import typer

from emp.commands.options import (
    EndOption,
    JsonOption,
    StartOption,
    SymbolArguments,
    TimeframeOption,
    split,
)
from emp.invocation import settings_of
from emp.output import print_json, print_line, records, table
from market_data.timeframes import Timeframe

EXAMPLES = """
Examples:\n
  emp coverage AAPL --start 2024-01-02 --end 2024-03-28\n
  emp coverage AAPL MSFT --start 2024-03-07 --end 2024-03-13 --timeframe 1m --vendor yahoo --json
"""


def coverage(
    context: typer.Context,
    symbols: SymbolArguments,
    start: StartOption,
    end: EndOption,
    timeframe: TimeframeOption = Timeframe.D1,
    vendor: Annotated[
        list[str] | None, typer.Option(help="Only this vendor; may be given several times.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say of every day what was asked of whom, and what came."""
    from emp.client import get_coverage

    frame = get_coverage(
        split(symbols),
        start,
        end,
        timeframe,
        vendors=split(vendor) or None,
        settings=settings_of(context),
    )
    if as_json:
        print_json(records(frame))
        return
    shown = ("vendor", "symbol", "session", "outcome", "rows", "final", "detail", "asked_at")
    print_line(table(frame.select(shown)))
    counts = frame.group_by("vendor", "symbol", "outcome", maintain_order=True).len("days")
    print_line()
    print_line(table(counts))
