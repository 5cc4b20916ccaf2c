"""`emp outages`: when vendors could not be asked, and the commands that fill what they left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line

if TYPE_CHECKING:
    from market_data.operations.outages import Lacking, Outage

EXAMPLES = """
Examples:\n
  emp outages\n
  emp outages --vendor tws --json

An outage is an unbroken run of attempts that nobody answered; it ends with the first one that is
answered again. What is still lacking of what was asked for is counted in the ledger, and each line
below it is the command that asks for it.
"""


def outages(
    context: typer.Context,
    vendor: Annotated[str | None, typer.Option(help="Only this vendor's.")] = None,
    lacking: Annotated[
        bool, typer.Option("--lacking", help="Only outages of which something is still lacking.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell of outages of vendors, the newest first, and what is lacking since."""
    from adapters.backend import open_platform
    from market_data.operations.outages import outages as found_in
    from market_data.pipeline.outage_backfills import ATTEMPTS, left_by

    platform = open_platform(settings_of(context))
    if vendor is not None:
        platform.universe.vendor(vendor)
    told: list[tuple[Outage, list[Lacking]]] = []
    for outage in found_in(platform.journal.runs(vendor=vendor, limit=ATTEMPTS)):
        left = left_by(platform, outage)
        if left or not lacking:
            told.append((outage, left))
    if as_json:
        print_json([_record(outage, left) for outage, left in told])
        return
    for outage, left in told:
        for line in _lines(outage, left):
            print_line(line)
        print_line()
    if not told:
        print_line("no outages" + (" of which anything is lacking" if lacking else ""))


def _lines(outage: Outage, left: list[Lacking]) -> list[str]:
    ended = f"until {outage.ended:%Y-%m-%d %H:%M:%S}" if outage.ended else "still open"
    attempts = f"{len(outage.attempts)} attempt{'s' if len(outage.attempts) > 1 else ''}"
    lines = [
        f"{outage.vendor}: from {outage.began:%Y-%m-%d %H:%M:%S} {ended} (UTC), {attempts}, "
        f"the last at {outage.last_seen:%Y-%m-%d %H:%M:%S}",
        f"  reason: {outage.reason}",
    ]
    if not left:
        lines.append("  nothing is lacking")
    for part in left:
        first, last = part.sessions
        lines += [
            f"  lacking: {part.timeframe}, {part.symbol_sessions} symbol-sessions of "
            f"{len(part.symbols)} symbols, {first} to {last}",
            f"    {part.command(outage.vendor)}",
        ]
    return lines


def _record(outage: Outage, left: list[Lacking]) -> dict[str, Any]:
    return {
        "vendor": outage.vendor,
        "began": outage.began.isoformat(),
        "ended": outage.ended.isoformat() if outage.ended else None,
        "last_seen": outage.last_seen.isoformat(),
        "attempts": len(outage.attempts),
        "reason": outage.reason,
        "lacking": [
            {
                "timeframe": str(part.timeframe),
                "symbols": list(part.symbols),
                "first": part.sessions[0].isoformat(),
                "last": part.sessions[1].isoformat(),
                "symbol_sessions": part.symbol_sessions,
                "command": part.command(outage.vendor),
            }
            for part in left
        ],
    }
