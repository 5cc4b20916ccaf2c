"""`emp migrate-store`: what bootstrap mode holds into institutional mode, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emp.commands.options import split
from emp.invocation import invocation, settings_of
from emp.output import print_json
from market_data.errors import ConfigurationError

if TYPE_CHECKING:
    from emp.narration import Narrator
    from market_data.pipeline.migration import Compared, Report

EXAMPLES = """
Copied: every curated dataset, scores, reference tables, and of the operations database ledger,
journal, quarantine, corporate actions and annotations. The lake (raw log, payloads) is the same in
both modes and stays. Not copied, as they belong to one installation's processes: leases, reports,
Dagster's records, and events that wait for Kafka ('emp kafka relay' sends them).

The source is only read, and its readers go on. The target is replaced month by month, table by
table, each in one step. EMP_MODE does not matter here; changing it afterwards is the switch. The
same command again copies what has changed since, and finishes what was stopped.

Examples:\n
  emp migrate-store --to institutional --dry-run\n
  emp migrate-store --to institutional --env-file production.env\n
  emp migrate-store --to institutional --verify-only\n
  emp migrate-store --to bootstrap --datasets curated/bars_1d,operations/ledger\n
  emp migrate-store --to institutional --overwrite --datasets reference/instruments

Exit status: 0 when both sides tell the same, and with --dry-run; 1 otherwise.
"""

_SUMMED = ("rows", "rows_that_differ", "rows_only_in_target", "slices", "slices_copied",
           "rows_copied")  # fmt: skip


def migrate_store(
    context: typer.Context,
    to: Annotated[
        Literal["institutional", "bootstrap"], typer.Option(help="The mode that is copied to.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be copied.")
    ] = False,
    verify_only: Annotated[
        bool, typer.Option("--verify-only", help="Only compare; a difference is an error.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Rows that only the target holds may go.")
    ] = False,
    datasets: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Only these: curated/bars_1d, operations/ledger ..."),
    ] = None,
) -> None:
    """Copy what one mode holds into the other, with equal digests on both sides.

    Prints per dataset rows, slices, seconds, and of each month the digests of what both sides tell.
    """
    from adapters.settings import Mode
    from emp.narration import Narrator
    from emp.store_migration import LEFT_OUT, opened_sides
    from market_data.pipeline.migration import compare, copy, demand_equality

    if dry_run and verify_only:
        raise ConfigurationError("give either --dry-run or --verify-only")
    writing = not (dry_run or verify_only)
    with (
        opened_sides(
            settings_of(context), Mode(to), split(datasets), writing=writing, overwrite=overwrite
        ) as sides,
        Narrator(debug=invocation(context).debug) as narrator,
    ):
        if sides.waiting_events:
            narrator.say(
                f"note: {sides.waiting_events} events wait for Kafka at the source and stay there; "
                "'emp kafka relay' in its mode sends them"
            )
        if writing:
            reports = copy(sides.parts, tell=narrator.step, overwrite=overwrite)
        else:
            reports = compare(sides.parts, tell=narrator.step, thorough=verify_only)
            _tell_of_refusal(narrator, reports, overwrite=overwrite)
    print_json(
        {
            "to": to,
            "action": "verify" if verify_only else "dry-run" if dry_run else "copy",
            **summary(reports),
            "left_out": LEFT_OUT,
            "waiting_events": sides.waiting_events,
        }
    )
    if not dry_run:
        demand_equality(reports)


def _tell_of_refusal(narrator: Narrator, reports: Sequence[Report], *, overwrite: bool) -> None:
    """Say before a copy is tried that it would be refused."""
    own = [r.name for r in reports if any(piece.foreign for piece in r.outcome.pieces)]
    if own and not overwrite:
        narrator.say(
            f"note: the target holds rows of its own in {', '.join(own)}: a copy would be refused "
            "without --overwrite"
        )


def summary(reports: Sequence[Report]) -> dict[str, Any]:
    """Totals, and each part with its months, as JSON."""
    parts = [_part(report) for report in reports]
    totals = {name: sum(part[name] for part in parts) for name in _SUMMED}
    seconds = round(sum(report.seconds for report in reports), 3)
    equal = all(part["equal"] for part in parts)
    return {"equal": equal, **totals, "seconds": seconds, "datasets": parts}


def _part(report: Report) -> dict[str, Any]:
    outcome = report.outcome
    return {
        "name": report.name,
        "equal": all(piece.equal for piece in outcome.pieces),
        "rows": sum(piece.source_rows for piece in outcome.pieces),
        "rows_that_differ": sum(p.source_rows for p in outcome.pieces if not p.equal),
        "rows_only_in_target": sum(piece.foreign for piece in outcome.pieces),
        "slices": outcome.slices,
        "slices_copied": outcome.slices_copied,
        "rows_copied": outcome.rows_copied,
        "copied_again": report.again,
        "seconds": round(report.seconds, 3),
        "digests": [_piece(piece) for piece in outcome.pieces],
    }


def _piece(piece: Compared) -> dict[str, Any]:
    return {
        "month": piece.piece or None,
        "rows": {"source": piece.source_rows, "target": piece.target_rows},
        "digest": {"source": piece.source_digest or None, "target": piece.target_digest or None},
        "equal": piece.equal,
    }
