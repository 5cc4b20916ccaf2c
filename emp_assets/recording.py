"""Which failures of single sessions a run records, and what its summary says of the others.

What belongs here: the choice, and the table of what was left out.
What does not: writing records (check_states.py), how many there may be (evidence.py), telling of
what was left out (market_data/alerts/range_sources.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from emp_assets.check_states import SessionResult, worth_recording
from emp_assets.evidence import RECORDED, RECORDED_WARNINGS
from emp_assets.metadata import table

UNTOLD = "not_recorded"
"""Metadata of a summary: by check, the failing sessions that have no record of their own."""


def chosen(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    results: Mapping[str, Sequence[SessionResult]],
    selected: Collection[str],
) -> list[SessionResult]:
    """What is recorded of single sessions: all of the checks asked for, of the others the worst.

    The result of the newest session is always recorded, and last of its check: the UI shows the
    last record of all as the state of the check.

    Args:
        instance: where the records are.
        asset: of the checks.
        results: by check, the newest session first, at least that one.
        selected: checks that the run was asked for.
    """
    earlier = [r for check, each in results.items() if check not in selected for r in each[1:]]
    worth = worth_recording(instance, asset, earlier, RECORDED, RECORDED_WARNINGS)
    kept = {(r.check, r.session) for r in worth}
    return [
        result
        for check, (newest, *others) in results.items()
        for result in (
            *(r for r in reversed(others) if check in selected or (check, r.session) in kept),
            newest,
        )
    ]


def untold_sessions(
    failed: Sequence[SessionResult],
    untold: Sequence[SessionResult],
    keys: Sequence[str],
    findings: pl.DataFrame,
) -> dict[str, Any]:
    """Metadata of a summary: by check, the failures of which only this summary tells.

    Args:
        failed: results of single sessions that failed.
        untold: those of them that are not recorded.
        keys: sessions of the run.
        findings: of the run.
    """
    if not untold:
        return {}
    count = dict(findings.group_by("check").len().iter_rows())
    told = []
    for check in dict.fromkeys(r.check for r in untold):
        of_all = [r for r in failed if r.check == check]
        left = [r.session for r in untold if r.check == check]
        told.append(
            {
                "check": check,
                "first": min(left),
                "last": max(left),
                "untold": len(left),
                "failed": len(of_all),
                "errors": sum(r.severity is dg.AssetCheckSeverity.ERROR for r in of_all),
                "sessions": len(keys),
                "findings": count[check],
            }
        )
    return {UNTOLD: table(pl.DataFrame(told), rows=len(told))}
