"""`emp bars`: curated bars, printed or written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emp.commands.options import SymbolArguments, TimeframeOption, split
from emp.errors import PeriodError
from emp.invocation import settings_of
from emp.output import Format, write_frame
from market_data.timeframes import Timeframe

EXAMPLES = """
Examples:\n
  emp bars AAPL --last 20\n
  emp bars AAPL MSFT --start 2024-01-02 --end 2024-03-28 --adjusted total --format csv\n
  emp bars EURUSD --timeframe 1m --start 2024-03-11T13:30 --end 2024-03-11T14:00\n
  emp bars AAPL --start 2024-01-02 --as-of 2024-02-01 --format parquet --out aapl.parquet\n
  emp bars EURUSD --timeframe 1h --last 50 --impute prices=ffill,volume=zero,limit=3
"""

DEFAULT_LAST = 20


def bars(
    context: typer.Context,
    *,
    symbols: SymbolArguments,
    last: Annotated[
        int | None, typer.Option(min=1, help="Only the newest bars of each symbol.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE|TIME", help="First session, or first bar in UTC.")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(metavar="DATE|TIME", help="Last session (included), or end in UTC."),
    ] = None,
    timeframe: TimeframeOption = Timeframe.D1,
    adjusted: Annotated[
        Literal["none", "splits", "total"],
        typer.Option(help="Prices as they traded, or adjusted for splits, or for dividends too."),
    ] = "none",
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE|TIME", help="Curate again from what was known then."),
    ] = None,
    quality: Annotated[
        Literal["trusted", "ok", "all"],
        typer.Option(help="trusted leaves out errors, ok warnings too, all nothing."),
    ] = "trusted",
    running: Annotated[
        bool, typer.Option("--running", help="Also bars whose period is not over.")
    ] = False,
    impute: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="Make up missing bars: ffill, prices=interpolate,volume=zero,limit=3 ...; "
            "annotated: where people decided so; none: never.",
        ),
    ] = "annotated",
    checked: Annotated[
        bool,
        typer.Option(
            "--checked",
            help="Work out the flags of false ticks, jumps, flat runs and odd volumes anew, "
            "instead of those of the last scores.",
        ),
    ] = False,
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these columns: ts,symbol,close.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "table",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of stdout.")
    ] = None,
) -> None:
    """Print curated bars."""
    from emp.client import get_curated_bars, get_latest_bars, with_columns

    settings = settings_of(context)
    names = split(symbols)
    if last is not None and (start is not None or end is not None):
        raise PeriodError("say --last or --start and --end, not both")
    newest = last or (None if start or end else DEFAULT_LAST)
    if newest is not None and as_of is None:
        frame = get_latest_bars(
            names,
            newest,
            timeframe,
            adjusted=adjusted,
            quality=quality,
            running=running,
            impute=impute,
            checked=checked,
            settings=settings,
        )
    else:
        frame = get_curated_bars(
            names,
            start,
            end,
            timeframe,
            adjusted=adjusted,
            as_of=as_of,
            quality=quality,
            running=running,
            impute=impute,
            checked=checked,
            settings=settings,
        )
        if newest is not None:
            frame = frame.group_by("symbol", maintain_order=True).tail(newest)
    if columns:
        frame = with_columns(frame, split(columns))
    write_frame(frame, form, out)
