"""How old the newest backup may be that was read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from market_data.operations.backups import REPORT, evaluate_backups
from market_data.operations.grades import Grade
from market_data.ports import Report

NOW = datetime(2024, 3, 8, 12, tzinfo=UTC)


def report(days: float, action: str = "create", grade: Grade = Grade.OK, **body: Any) -> Report:
    at = NOW - timedelta(days=days)
    known = {"action": action, "name": f"b{days}", "verified": True, "taken_at": at.isoformat()}
    return Report(REPORT, at, str(grade), {**known, **body})


def test_without_a_folder_for_backups_the_part_is_off() -> None:
    assert evaluate_backups([], NOW, configured=False).off
    section = evaluate_backups([], NOW, configured=True)
    assert section.grade is Grade.FAIL
    assert "'emp backup create'" in section.reasons[0].text


@pytest.mark.parametrize(
    ("days", "grade"),
    [(0.1, Grade.OK), (10.4, Grade.OK), (10.6, Grade.WARN), (17.4, Grade.WARN), (17.6, Grade.FAIL)],
)
def test_it_ages(days: float, grade: Grade) -> None:
    assert evaluate_backups([report(days)], NOW, configured=True).grade is grade


def test_only_what_was_read_back_counts_and_of_its_own_moment() -> None:
    unread = report(1, verified=False)
    old = report(2, "verify", taken_at=(NOW - timedelta(days=20)).isoformat())
    assert evaluate_backups([unread, old], NOW, configured=False).grade is Grade.FAIL
    assert evaluate_backups([unread, old, report(3)], NOW, configured=False).grade is Grade.OK


def test_a_failure_fails_until_another_one_succeeds() -> None:
    failed = report(0.5, grade=Grade.FAIL, verified=False, error="the disk is full")
    section = evaluate_backups([failed, report(3)], NOW, configured=True)
    assert section.grade is Grade.FAIL
    assert section.reasons[-1].text == "backup b0.5: the disk is full"
    restored = report(0.1, "restore", verified=None)
    section = evaluate_backups([restored, report(0.2), failed], NOW, configured=True)
    assert section.grade is Grade.OK
    assert section.facts["newest restore"] == "2024-03-08 09:36"
