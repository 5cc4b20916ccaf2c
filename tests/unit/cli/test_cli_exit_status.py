"""The exit status of an ingest."""

from __future__ import annotations

from typing import Any

import pytest

from emp.hearing import RunFailure, RunRecord
from emp.summary import exit_status

BLOCKED = RunFailure("curated/bars_1d/checks", "held back", True)
BROKEN = RunFailure("raw/x_bars_1d", "no answer", False)


def summary(outcome: str = "rows", errors: int = 0) -> dict[str, Any]:
    return {"outcomes": {"A": {"outcome": outcome}}, "error_findings": errors}


@pytest.mark.parametrize(
    ("outcome", "errors", "failures", "strict", "status"),
    [
        ("rows", 0, [], True, 0),
        ("nothing", 0, [], True, 0),
        ("unavailable", 0, [], False, 0),
        ("rows", 3, [], False, 0),
        ("rows", 3, [], True, 2),
        ("failed", 0, [], False, 1),
        ("refused", 3, [], True, 1),
        ("rows", 0, [BROKEN], False, 1),
        ("rows", 3, [BROKEN], True, 1),
        ("rows", 3, [BLOCKED], True, 2),
        ("rows", 3, [BLOCKED], False, 1),
        ("rows", 3, [BLOCKED, BROKEN], True, 1),
    ],
)
def test_quality_decides_only_when_asked_and_after_failures(
    outcome: str, errors: int, failures: list[RunFailure], strict: bool, status: int
) -> None:
    record = RunRecord("id", succeeded=not failures, failures=failures)
    assert exit_status(summary(outcome, errors), record, fail_on_quality=strict) == status
