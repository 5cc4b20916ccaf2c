"""`emp coverage`: session by session, what the ledger knows, and why bars are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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
from emp.output import print_json, print_line, records, table, table_with_notes
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    import polars as pl

    from market_data.pipeline.platform import Platform

EXAMPLES = """
Examples:\n
  emp coverage AAPL --start 2024-01-02 --end 2024-03-28\n
  emp coverage AAPL MSFT --start 2024-03-07 --end 2024-03-13 --timeframe 1m --vendor yahoo --json\n
  emp coverage AAPL --start 2024-01-02 --end 2024-03-28 --gaps\n
  emp coverage AAPL --start 2024-01-02 --end 2024-03-28 --outdated

--outdated compares the curated bars with what curating the raw logs gives now: after a revision, a
late split, a changed limit or a changed order of vendors they differ until they are made again.
"""


def coverage(
    context: typer.Context,
    *,
    symbols: SymbolArguments,
    start: StartOption,
    end: EndOption,
    timeframe: TimeframeOption = Timeframe.D1,
    vendor: Annotated[
        list[str] | None, typer.Option(help="Only this vendor; may be given several times.")
    ] = None,
    gaps: Annotated[
        bool,
        typer.Option("--gaps", help="Only what nobody has: ranges, with each vendor's reason."),
    ] = False,
    outdated: Annotated[
        bool, typer.Option("--outdated", help="Only curated sessions that are out of date.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say of every day what was asked of whom, what came, and why bars are missing."""
    import polars as pl

    from emp.client import get_coverage
    from emp.platforms import platform_of
    from market_data.pipeline.explain import gaps as gaps_of
    from market_data.pipeline.explain import together

    settings = settings_of(context)
    if outdated:
        found = _outdated(platform_of(settings), split(symbols), timeframe, (start, end))
        _print(found, as_json=as_json, none="no curated session is out of date")
        return
    known = get_coverage(
        split(symbols), start, end, timeframe, vendors=split(vendor) or None, settings=settings
    )
    everybody = together(known)
    if gaps:
        nobody = everybody.filter(pl.col("reason") != "").select("symbol", "session")
        missing = gaps_of(known.join(nobody, on=["symbol", "session"], maintain_order="left"))
        _print(missing, as_json=as_json, none="nothing is missing")
        return
    if as_json:
        print_json(records(known))
        return
    shown = ("vendor", "symbol", "session", "outcome", "rows", "final", "reason", "asked_at")
    print_line(table_with_notes(known.select(shown), "reason"))
    counts = known.group_by("vendor", "symbol", "outcome", maintain_order=True).len("days")
    if known["vendor"].n_unique() > 1:
        over_all = everybody.group_by("vendor", "symbol", "outcome", maintain_order=True)
        counts = counts.vstack(over_all.len("days"))
    print_line()
    print_line(table(counts))


def _print(frame: pl.DataFrame, *, as_json: bool, none: str) -> None:
    if as_json:
        print_json(records(frame))
    else:
        print_line(_text(frame) if frame.height else none)


def _text(frame: pl.DataFrame) -> str:
    return table_with_notes(frame, "reason") if "reason" in frame.columns else table(frame)


def _outdated(
    platform: Platform, symbols: list[str], timeframe: Timeframe, span: tuple[str, str]
) -> pl.DataFrame:
    """Columns symbol, timeframe, first, last, sessions: ranges that are out of date."""
    import polars as pl

    from emp.moments import day
    from market_data.pipeline.outdated import outdated

    sessions = day(span[0], "--start"), day(span[1], "--end")
    for symbol in symbols:
        platform.universe.instrument(symbol)
    rows: list[tuple[Any, ...]] = [
        (symbol, str(found.timeframe), found.first, found.last, found.sessions)
        for symbol in symbols
        for found in outdated(platform, symbol, timeframes=[timeframe], sessions=sessions)
    ]
    return pl.DataFrame(
        rows,
        schema={
            "symbol": pl.String,
            "timeframe": pl.String,
            "first": pl.Date,
            "last": pl.Date,
            "sessions": pl.Int64,
        },
        orient="row",
    )
