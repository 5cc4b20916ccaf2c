"""`emp automation`: what is on, what comes, letting a schedule run again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorTick, TickData, TickStatus

from adapters.operations_opening import open_operations
from adapters.settings import Settings
from emp import automation
from emp.cli import run
from market_data.automation.cutoff import CutoffState

CUT = datetime(2024, 3, 12, 1, tzinfo=UTC)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Settings(data_dir=tmp_path)


def test_status_next_and_resume(installed: Settings, capsys: pytest.CaptureFixture[str]):
    assert run(["automation", "status", "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert (found["daily_market_data"]["on"], found["daily_market_data"]["next"]) == (False, None)
    assert found["weekly_upkeep"]["on"]
    assert found["weekly_upkeep"]["by_default"]

    assert run(["automation", "next", "--hours", "168", "--json"]) == 0
    ticks = json.loads(capsys.readouterr().out)
    (weekly,) = (t for t in ticks if t["schedule"] == "weekly_upkeep")
    at = datetime.fromisoformat(weekly["at"])
    assert (at.isoweekday(), at.hour, at.minute) == (7, 3, 40)
    assert [t["at"] for t in ticks] == sorted(t["at"] for t in ticks)
    assert not any(t["schedule"] == "daily_market_data" for t in ticks), "it is off"

    states = open_operations(installed.local_operations_url).automation
    states.keep(CutoffState("refresh_1m", 3, cut_at=CUT, probed_at=CUT), CUT)
    assert states.get("refresh_1m") == CutoffState("refresh_1m", 3, cut_at=CUT, probed_at=CUT)
    assert run(["automation", "status"]) == 1
    assert "2024-03-12 01:00" in capsys.readouterr().out
    assert run(["automation", "resume", "refresh_1m"]) == 0
    assert "runs again" in capsys.readouterr().out
    (kept,) = states.all()
    assert (kept.failures, kept.cut_at, kept.probed_at) == (0, None, None)
    assert kept.resumed_at is not None

    # It was taken out of the configuration while it was cut off.
    states.keep(CutoffState("close_xmad", 3, cut_at=CUT), CUT)
    assert run(["automation", "resume", "close_xmad"]) == 0
    assert "runs again" in capsys.readouterr().out
    assert states.get("close_xmad").cut_at is None

    assert run(["automation", "resume", "refresh_2m"]) == 1
    assert "there are: daily_market_data" in capsys.readouterr().err


@dg.job
def nothing() -> None:
    """A job of which a run can be on record."""


@pytest.mark.parametrize(
    ("run_status", "told"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, "not_started"),
        (dg.DagsterRunStatus.FAILURE, "failure"),
        (None, "skipped: it is a holiday"),
    ],
)
def test_what_became_of_a_tick_is_what_became_of_its_run(
    run_status: dg.DagsterRunStatus | None, told: str
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        runs, status, reason = [], TickStatus.SKIPPED, "it is a holiday"
        if run_status is not None:
            runs = [instance.create_run_for_job(nothing, status=run_status).run_id]
            status, reason = TickStatus.SUCCESS, None
        data = TickData(
            "origin",
            "nightly",
            InstigatorType.SCHEDULE,
            status,
            CUT.timestamp(),
            run_ids=runs,
            skip_reason=reason,
        )
        assert automation._outcome(instance, InstigatorTick(1, data)) == told
