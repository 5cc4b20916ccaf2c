"""`emp features`: which there are, making them, how they stand, taking them to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emp.commands.options import (
    EndOption,
    JsonOption,
    StartOption,
    SymbolArguments,
    TimeframeOption,
    split,
)
from emp.invocation import invocation, settings_of
from emp.output import Format, print_json, print_line, records, table, write_frame
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from market_data.features.registry import FeatureGroup

app = typer.Typer(help="Features of bars: what models are told.", rich_markup_mode=None)

LIST_EXAMPLES = """
Examples:\n
  emp features list\n
  emp features list indicators_1d_v1
"""
MAKE_EXAMPLES = """
Examples:\n
  emp features make --start 2024-02-01 --end 2024-02-29\n
  emp features make --symbols AAPL --timeframes 1d,1h --start 2020-01-02 --end 2024-02-29

Makes them of the curated bars that are stored; nobody is asked for bars. Rows beside the range that
its bars have a part in follow. One JSON summary goes to stdout. Exit status: 0 fine, 1 a failure.
"""
STATUS_EXAMPLES = """
Examples:\n
  emp features status --start 2024-02-01 --end 2024-02-29\n
  emp features status --timeframes 1d --start 2024-02-01 --end 2024-02-29 --json

Findings count rows; docs/runbooks/check-features.md says what to do about each.
"""
GET_EXAMPLES = """
Examples:\n
  emp features get AAPL --start 2024-02-01 --end 2024-02-29\n
  emp features get AAPL MSFT --groups price_1d_v1,confluence_v1 --start 2020-01-02 --end 2024-02-29
  --format parquet --out features.parquet\n
  emp features get AAPL --start 2024-02-01 --end 2024-02-29 --as-of 2024-03-01
"""

TimeframesOption = Annotated[
    str, typer.Option(metavar="1d,1h", help="Of these timeframes; all that have features if none.")
]
SymbolsOption = Annotated[list[str] | None, typer.Option(metavar="A,B", help="Only these symbols.")]


@app.command("list", epilog=LIST_EXAMPLES)
def list_groups(
    group: Annotated[str, typer.Argument(metavar="[GROUP]", help="Show its columns.")] = "",
    *,
    as_json: JsonOption = False,
) -> None:
    """List the groups, or the columns of one with their meaning."""
    from emp.feature_tables import columns_table, groups_table

    found = columns_table(group) if group else groups_table()
    if as_json:
        print_json(records(found))
    else:
        print_line(table(found))


@app.command("make", epilog=MAKE_EXAMPLES)
def make(
    context: typer.Context,
    *,
    start: StartOption,
    end: EndOption,
    symbols: SymbolsOption = None,
    timeframes: TimeframesOption = "",
) -> None:
    """Make the features of a range of sessions anew, with their checks, as one run."""
    from emp.arguments import days_of
    from emp.feature_tables import made
    from emp.narration import Narrator
    from emp.platforms import platform_of
    from emp.run import run_features

    settings = settings_of(context)
    first, last = days_of(start, end, names=("--start", "--end"))
    names = split(symbols)
    universe = platform_of(settings).universe
    for name in names:
        universe.instrument(name)
    chosen = _timeframes(timeframes)
    with Narrator(debug=invocation(context).debug) as narrator:
        record = run_features(settings, chosen, names, first, last, narrator)
    print_json(made(settings, record, _groups_of(chosen), first, last))
    raise typer.Exit(0 if record.succeeded else 1)


@app.command("status", epilog=STATUS_EXAMPLES)
def status(
    context: typer.Context,
    *,
    start: StartOption,
    end: EndOption,
    timeframes: TimeframesOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say how the features of a range stand: rows, and what their checks find now."""
    import polars as pl

    from emp.arguments import days_of
    from emp.feature_tables import status_of

    first, last = days_of(start, end, names=("--start", "--end"))
    found = status_of(settings_of(context), _groups_of(_timeframes(timeframes)), first, last)
    if as_json:
        print_json(found)
        return
    shown = [
        {**row, "findings": ", ".join(f"{code} {n}" for code, n in row["findings"].items())}
        for row in found
    ]
    print_line(table(pl.DataFrame(shown)))


@app.command("get", epilog=GET_EXAMPLES)
def get(
    context: typer.Context,
    symbols: SymbolArguments,
    *,
    start: StartOption,
    end: EndOption,
    timeframe: TimeframeOption = Timeframe.D1,
    groups: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Feature groups; those of the timeframe if none."),
    ] = None,
    labels: Annotated[bool, typer.Option(help="With what came after each bar.")] = True,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE|TIME", help="Made anew of what was known then."),
    ] = None,
    revisions: Annotated[
        Literal["known", "newest"],
        typer.Option(help="Of restated bars: those known to each row, or the newest."),
    ] = "known",
    form: Annotated[Format, typer.Option("--format", help="Form of the output.")] = "table",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of stdout.")
    ] = None,
) -> None:
    """Print features as they were known when each bar ended, or write them to a file."""
    from emp.features import get_features_for_training

    found = get_features_for_training(
        split(symbols),
        start,
        end,
        str(timeframe),
        groups=split(groups) or None,
        include_labels=labels,
        as_of=as_of,
        revisions=revisions,
        settings=settings_of(context),
    )
    if form == "parquet" and out is not None:
        # With its metadata.
        found.to_parquet(out)
        return
    write_frame(found.frame, form, out)


def _timeframes(text: str) -> list[Timeframe]:
    from emp.arguments import timeframe_of
    from market_data.features.registry import FEATURE_TIMEFRAMES

    chosen = [timeframe_of(name) for name in split(text)] or list(FEATURE_TIMEFRAMES)
    if without := [t for t in chosen if t not in FEATURE_TIMEFRAMES]:
        raise ConfigurationError(
            f"there are no features of {', '.join(without)}; there are of: "
            f"{', '.join(FEATURE_TIMEFRAMES)}"
        )
    return chosen


def _groups_of(timeframes: Sequence[Timeframe]) -> list[FeatureGroup]:
    """The groups of some timeframes, and those of none."""
    from market_data.features.registry import GROUPS

    return [g for g in GROUPS if g.timeframe is None or g.timeframe in timeframes]
