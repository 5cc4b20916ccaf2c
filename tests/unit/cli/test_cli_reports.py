"""How a report ends: what it shows, where it writes it, and the exit status of its grade."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emp.reporting import concluded
from market_data.operations.account import Account
from market_data.operations.grades import Grade, Reason
from market_data.operations.readiness import Readiness, Section

NOW = datetime(2024, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(("grade", "status"), [("ok", 0), ("warn", 3), ("fail", 1)])
def test_the_exit_status_is_that_of_the_grade(
    grade: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Reason(Grade(grade), "a feed is late")] if grade != "ok" else []
    account = Account("slo_report", "Objectives", NOW, tuple(found), {})
    verdict = Readiness(NOW, "bootstrap", (Section.of("ingest", found, {}),))
    out = tmp_path / "report.md"
    assert concluded("json", account, out) == status
    assert json.loads(capsys.readouterr().out)["status"] == grade
    assert out.read_text().startswith(f"# Objectives: {grade}")
    assert concluded("markdown", verdict, None) == status
    assert capsys.readouterr().out.startswith(f"# Readiness: {grade}")
