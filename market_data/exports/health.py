"""How the exports of an installation do, for readiness.

What belongs here: the section on exports. What does not: gathering what it is made from
(adapters/exports/looking.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from market_data.exports.manifest import Manifest
from market_data.operations.grades import Grade, Reason
from market_data.operations.readiness import Fact, Section
from market_data.ports import Report

REPORT = "export"
"""The name of the reports that exports leave; their body says `action` and `job`."""
NAME = "exports"
RUN, VERIFIED = "run", "verify"
WARN, FAIL = timedelta(days=2), timedelta(days=4)
"""From which age on a unit whose source has changed since is in trouble."""


@dataclass(frozen=True)
class ExportState:
    """An export as it is found.

    Attributes:
        manifest: that counts; None where it cannot be read.
        error: why it cannot.
        outdated: units whose source has another version by now.
    """

    manifest: Manifest | None
    error: str = ""
    outdated: Sequence[str] = ()


def evaluate_exports(
    states: Mapping[str, ExportState],
    reports: Sequence[Report],
    now: datetime,
    *,
    configured: bool,
) -> Section:
    """How exports do.

    Args:
        states: by the name of the export, those that were ever written.
        reports: named `export`, newest first.
        now: the moment, aware.
        configured: EMP_EXPORT_DIR is set.
    """
    if not states and not configured and not reports:
        return Section.switched_off(NAME, "nothing was exported, and EMP_EXPORT_DIR is not set")
    reasons = [*_failed(reports)]
    if not states:
        told = "nothing was exported yet: 'emp export run'"
        reasons.append(Reason(Grade.WARN, told))
    facts: dict[str, Fact] = {"exports": len(states)}
    for name, state in states.items():
        if state.manifest is None:
            reasons.append(Reason(Grade.FAIL, f"{name}: {state.error}", subject=name))
            continue
        told = f"{state.manifest.rows:,} rows of {state.manifest.written_at:%Y-%m-%d %H:%M}"
        facts[name] = f"{told}, {state.manifest.engine.get('name', '')}"
        reasons += _aged(name, state.manifest, state.outdated, now)
    return Section.of(NAME, reasons, facts)


def _failed(reports: Sequence[Report]) -> list[Reason]:
    """Exports whose newest run failed, or whose newest look found something."""
    newest: dict[tuple[str, str], Report] = {}
    for report in reports:
        action, job = str(report.body.get("action")), str(report.body.get("job"))
        newest.setdefault((action, job), report)
    found = []
    for (action, job), report in newest.items():
        if report.status == str(Grade.OK):
            continue
        problems = report.body.get("problems") or [report.body.get("error", "it failed")]
        cure = "'emp export run'" if action == RUN else f"'emp export run {job} --all'"
        found.append(Reason(Grade.FAIL, f"{job}, {action}: {problems[0]}; {cure}", subject=job))
    return found


def _aged(name: str, manifest: Manifest, outdated: Sequence[str], now: datetime) -> list[Reason]:
    """Units by their own age: a newer run may have written others."""
    written = [unit.written_at for unit in manifest.units if unit.name in set(outdated)]
    late = [at for at in written if now - at > WARN]
    if not late:
        return []
    age = now - min(late)
    grade = Grade.FAIL if age > FAIL else Grade.WARN
    told = (
        f"{name}: {len(late)} of its units changed since they were exported, the oldest "
        f"{age.days} days ago: 'emp export run {name} --all', or set EMP_EXPORT_DIR and let every "
        "day's run export"
    )
    return [Reason(grade, told, subject=name)]
