"""`emp health`: one word for a dataset, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from emp.commands.options import JsonOption, split
from emp.invocation import settings_of
from emp.output import print_json, print_line

EXAMPLES = """
Examples:\n
  emp health curated/bars_1d --as-of 2024-03-01\n
  emp health raw/yahoo_bars_1d --symbols AAPL,MSFT --json\n
  emp health --fail-on-quality || echo "do not trade on it"

The sessions that were over at --as-of are judged by what is known of them now.

Exit status: 0, or 2 with --fail-on-quality where it is RED, or any session of any symbol is.
"""

SHOWN_REASONS = 12


def health(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Argument(help="curated/bars_1d, raw/<vendor>_bars_1d, quality/scores ...")
    ] = "curated/bars_1d",
    as_of: Annotated[
        str | None,
        typer.Option(metavar="MOMENT", help="2024-03-01 (its first moment, UTC); default: now."),
    ] = None,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only these symbols.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Days before that which are looked at.")] = 7,
    fail_on_quality: Annotated[
        bool, typer.Option("--fail-on-quality", help="Exit with 2 where it or any session is RED.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether a dataset is GREEN, YELLOW or RED, and why."""
    from emp.health import get_dataset_health
    from market_data.quality.score import RED

    found = get_dataset_health(
        dataset, as_of, symbols=split(symbols) or None, days=days, settings=settings_of(context)
    )
    if as_json:
        print_json(found.told())
    else:
        counts = ", ".join(f"{count} {status}" for status, count in found.counts.items())
        score = "" if found.score is None else f"; mean score {found.score:.2f}"
        print_line(f"{found.dataset}: {found.status}")
        print_line(
            f"sessions of {found.sessions[0]} to {found.sessions[1]} that were over at "
            f"{found.as_of:%Y-%m-%d %H:%M} UTC: {counts}, of {found.symbols} symbol(s){score}"
        )
        if found.accepted:
            print_line(f"{found.accepted} finding(s) are accepted ('emp annotate list')")
        for reason in found.reasons[:SHOWN_REASONS]:
            print_line(f"  {reason.status:<6} {reason.text}")
        if len(found.reasons) > SHOWN_REASONS:
            print_line(f"  and {len(found.reasons) - SHOWN_REASONS} more (--json has all)")
    # A dataset may be YELLOW although a check found an error in some of it.
    if fail_on_quality and (found.status == RED or found.counts[RED]):
        raise typer.Exit(2)
