"""The sections of readiness on reports that are made once a day.

What belongs here: the verdict on what such a report said, and on its age. What does not: making it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from market_data.operations.grades import Grade, Reason
from market_data.operations.readiness import Section
from market_data.ports import Report

OLD = timedelta(days=2)
"""A report that is made every day is missing from here on."""
_TOLD = 5


def evaluate_kept(name: str, report: Report | None, now: datetime) -> Section:
    """How the newest report of a name came out; off where none was ever made.

    Args:
        name: of the report, which is that of its asset.
        report: the newest; None where there is none.
        now: the moment, aware.
    """
    if report is None:
        return Section.switched_off(name, f"not made yet: materialise operations/{name}")
    age = now - report.at
    facts = {"made": f"{report.at:%Y-%m-%d %H:%M}", "status": report.status}
    found = [f for f in report.body.get("findings", []) if isinstance(f, dict)]
    reasons = [
        Reason(
            Grade(f["grade"]),
            f"{f['subject']}: {f['text']}" if f["subject"] else str(f["text"]),
            str(f["code"]),
            str(f["subject"]),
            f["value"],
            f["limit"],
        )
        for f in found[:_TOLD]
    ]
    if len(found) > _TOLD:
        text = f"{len(found) - _TOLD} more findings: see the report"
        reasons.append(Reason(Grade(report.status), text))
    if age > OLD:
        text = f"it is {age.days} days old: does the schedule daily_operations_reports run?"
        reasons.append(Reason(Grade.WARN, text))
    return Section.of(name, reasons, facts)
