"""`emp vendors`: who can be asked for bars, on which terms, and who is on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from emp.commands.options import JsonOption
from emp.invocation import settings_of
from emp.output import print_json, print_line

if TYPE_CHECKING:
    from emp.vendors import VendorLine

EXAMPLES = """
Examples:\n
  emp vendors\n
  emp vendors --on\n
  emp vendors --json

The terms come from config/reference/vendors.yaml, which is reviewed by hand; the limits that are
kept come from the settings, see 'emp budget'.
"""


def vendors(
    context: typer.Context,
    on: Annotated[bool, typer.Option("--on", help="Only those that can be asked now.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List vendors with tier, cost, latency, entitlement, limits, and whether they are on."""
    from emp.vendors import vendor_lines

    lines = [line for line in vendor_lines(settings_of(context)) if line.on or not on]
    if as_json:
        print_json([asdict(line) for line in lines])
        return
    for line in lines:
        print_line(_told(line))
        print_line()


def _told(line: VendorLine) -> str:
    reader = f"reader {line.reader}, " if line.reader else ""
    head = f"{line.name} ({reader}tier {line.tier}): {line.standing}"
    terms = {
        "who": line.title,
        "bars": ", ".join(line.timeframes),
        "cost": line.cost,
        "latency": line.latency,
        "entitlement": line.entitlement,
        "limits": line.limits,
        "kept": ", ".join(line.kept),
        "note": line.note,
    }
    return "\n".join([head, *(f"  {name:12} {text}" for name, text in terms.items() if text)])
