"""`emp quality outdated`: scores that other rules made, and scoring exactly these anew."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

from emp.commands.options import JsonOption, split
from emp.invocation import settings_of
from emp.output import print_json, print_line, records, table

EXAMPLES = """
Examples:\n
  emp quality outdated\n
  emp quality outdated --symbols AAPL,MSFT --start 2024-01-02 --end 2024-03-28 --rescore

A score keeps the version of the rules that made it: limits (config/quality.yaml), order of the
vendors, and the entry of config/expectations.yaml that fits. Listed too are scores that say
otherwise than the flags that are kept of their bars, and sessions that nobody has scored.

Without --start and --end: every session that is stored.
"""
SHOWN_ROWS = 50


def outdated(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only these symbols.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="First session, 2024-01-02.")
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="DATE", help="Last session, included.")] = None,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Score them anew, and no others.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List scores that were made by other rules than those in force, or are missing."""
    from emp.platforms import platform_of
    from emp.rescoring import get_outdated_scores
    from market_data.pipeline.rescore import rescore as score_anew

    settings, names = settings_of(context), split(symbols) or None
    by_other_rules = pl.col("rule_version") != pl.col("in_force")
    found = get_outdated_scores(start, end, symbols=names, settings=settings)
    done = score_anew(platform_of(settings), found) if rescore else None
    if as_json:
        told = {"outdated": records(found)}
        print_json(told if done is None else {**told, "rescored": vars(done)})
        return
    by_others = found.filter(pl.col("score").is_not_null() & by_other_rules)
    print_line(f"{by_others.height} scores were made by other rules than those in force")
    if more := found.height - by_others.height:
        print_line(
            f"{more} sessions are not judged, or their score knows not all flags of their bars"
        )
    if found.height:
        print_line(table(by_symbol(found).head(SHOWN_ROWS)))
    if done is not None:
        print_line(f"{done.scores} scored anew, {done.changed} with another score or status")


def by_symbol(found: pl.DataFrame) -> pl.DataFrame:
    """How many sessions of each symbol and dataset, and from when to when."""
    return found.group_by("symbol", "dataset", maintain_order=True).agg(
        sessions=pl.len(), first=pl.col("session").min(), last=pl.col("session").max()
    )
