"""`emp summary`: what the installation is set up to do, and what it did last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emp.invocation import settings_of
from emp.output import print_json, print_line

if TYPE_CHECKING:
    from market_data.universe import Universe

EXAMPLES = """
Examples:\n
  emp summary\n
  emp summary --format json
"""


def summary(
    context: typer.Context,
    form: Annotated[
        Literal["json", "markdown"], typer.Option("--format", help="Form of the summary.")
    ] = "markdown",
) -> None:
    """Say what is configured, and how the last slice, readiness and rehearsal came out."""
    from adapters.configuration import load_universe
    from emp.status import REPORTS, status

    settings = settings_of(context)
    told = status(settings, datetime.now(UTC))
    told["universe"] = _universe(load_universe(settings))
    if form == "json":
        print_json(told)
        return
    universe = told["universe"]
    print_line(f"# Market data: {told['mode']}")
    print_line(f"\n{told['reason']}\n")
    print_line(f"- symbols: {universe['symbols']} ({_joined(universe['asset_classes'])})")
    for vendor, timeframes in universe["vendors"].items():
        print_line(f"- vendor {vendor}: {', '.join(timeframes)}")
    print_line("\n| report | status | made |\n|---|---|---|")
    for name in REPORTS:
        made = told[name]
        row = (made["status"], made["at"]) if made else ("missing", REPORTS[name])
        print_line(f"| {name} | {row[0]} | {row[1]} |")
    for part in (told["market_slice"] or {"report": {"parts": []}})["report"]["parts"]:
        rows = sum(part.get("rows", {}).values())
        print_line(f"\n- {part['part']}: {part['status']}, {rows} rows")
        for reason in part["reasons"]:
            print_line(f"  - {reason}")


def _universe(universe: Universe) -> dict[str, Any]:
    classes = sorted({str(i.asset_class) for i in universe.instruments})
    return {
        "symbols": len(universe.instruments),
        "asset_classes": {
            name: sum(str(i.asset_class) == name for i in universe.instruments) for name in classes
        },
        "vendors": {v.name: [str(t) for t in v.timeframes] for v in universe.vendors},
    }


def _joined(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())
