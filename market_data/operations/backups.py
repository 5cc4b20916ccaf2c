"""How old the newest backup may be that was read back.

What belongs here: the section of readiness on backups. What does not: making them
(adapters/backup).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from market_data.operations.grades import Grade, Reason
from market_data.operations.readiness import Section
from market_data.ports import Report

REPORT = "backup"
"""The name of the reports that backups leave; their body says `action`, `name` and `verified`."""
NAME = "backups"
EVERY = timedelta(days=7)
WARN, FAIL = 1.5 * EVERY, 2.5 * EVERY
CREATED, VERIFIED, RESTORED = "create", "verify", "restore"


def evaluate_backups(reports: Sequence[Report], now: datetime, *, configured: bool) -> Section:
    """How the newest backups came out.

    Args:
        reports: named `backup`, newest first.
        now: the moment, aware.
        configured: EMP_BACKUP_DIR is set.
    """
    if not reports and not configured:
        return Section.switched_off(NAME, "EMP_BACKUP_DIR is not set: nothing is backed up")
    whole = [r for r in reports if r.body.get("verified") and r.body.get("taken_at")]
    newest = max((_taken(report) for report in whole), default=None)
    facts: dict[str, str | int | float | bool | None] = {
        "newest verified": None if newest is None else f"{newest:%Y-%m-%d %H:%M}",
        "newest restore": next(
            (f"{r.at:%Y-%m-%d %H:%M}" for r in reports if r.body.get("action") == RESTORED), None
        ),
    }
    return Section.of(NAME, [*_ages(newest, now), *_failures(reports)], facts)


def _taken(report: Report) -> datetime:
    return datetime.fromisoformat(str(report.body["taken_at"]))


def _ages(newest: datetime | None, now: datetime) -> list[Reason]:
    if newest is None:
        return [Reason(Grade.FAIL, "no backup was made and read back yet: 'emp backup create'")]
    age = now - newest
    if age <= WARN:
        return []
    grade = Grade.FAIL if age > FAIL else Grade.WARN
    text = (
        f"the newest backup that was read back is {age.days} days old, one is made every "
        f"{EVERY.days} days: is the schedule back_up on?"
    )
    return [Reason(grade, text)]


def _failures(reports: Sequence[Report]) -> list[Reason]:
    """What the newest backup, or look at one, found wrong."""
    newest = next((r for r in reports if r.body.get("action") in (CREATED, VERIFIED)), None)
    if newest is None or newest.status == str(Grade.OK):
        return []
    told = str(newest.body.get("error", "it is damaged"))
    return [Reason(Grade.FAIL, f"backup {newest.body.get('name', '')}: {told}")]
