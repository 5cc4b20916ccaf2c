"""`emp report slo` and its like: Markdown and JSON, kept, and an exit status that tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.operations_opening import open_operations
from adapters.settings import Settings
from emp.cli import run
from emp.commands.operations_reports import REPORTS
from market_data.operations.reports import MAKERS
from market_data.ports import IngestRun
from market_data.timeframes import Timeframe


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation without data."""
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EMP_MODE", "bootstrap")
    return Settings(data_dir=tmp_path / "data")


def test_every_report_has_a_command() -> None:
    assert {report for report, _ in REPORTS.values()} == set(MAKERS)


@pytest.mark.parametrize("name", REPORTS)
def test_an_empty_installation_is_ok(
    name: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", name, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    report = REPORTS[name][0]
    assert (told["report"], told["status"]) == (report, "ok")
    kept = open_operations(settings.local_operations_url).reports.newest(report)
    assert dict(kept[0].body) == told


def test_failed_fetches_leave_an_item_open_and_lose_an_objective(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = open_operations(settings.local_operations_url).journal
    for number in (2, 1):
        at = datetime.now(UTC) - timedelta(minutes=number)
        day = at.date()
        journal.add(
            IngestRun(
                fetch_id=f"f{number}",
                run_id="",
                vendor="sample_a",
                timeframe=Timeframe.D1,
                symbols=("DEMO-BTC",),
                sessions=(day, day),
                status="failed",
                rows=0,
                new_rows=0,
                rejected_rows=0,
                started_at=at,
                ended_at=at,
                error="HTTP 503",
                trouble="unavailable",
            )
        )
    out = tmp_path / "checklist.md"
    assert run(["report", "checklist", "--out", str(out)]) == 1
    text = capsys.readouterr().out
    assert out.read_text() == text
    assert "| [ ] | jobs done | 2 attempts of 1 feeds in 24 hours" in text
    assert "docs/runbooks/objectives.md#item_open" in text
    assert run(["report", "slo"]) == 1
    assert "success is 0.00%, below 80.00%" in capsys.readouterr().out
    assert run(["report", "trends"]) == 1
    assert "the last 2 runs failed" in capsys.readouterr().out
    assert run(["export-status"]) == 0
    newest = json.loads(capsys.readouterr().out)["fetches"][0]
    assert (newest["status"], newest["rows"], newest["symbols"]) == ("failed", 0, 1)
    assert (newest["duration_seconds"], newest["freshness_seconds"]) == (0.0, None)
