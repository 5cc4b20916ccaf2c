"""config/automation.yaml: what is shipped, what is refused, what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.automation import load_automation
from adapters.settings import PROJECT, Settings
from market_data.automation.policy import AutomationPolicy, RefreshRules, WallClock
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

NOON = datetime(2024, 3, 12, 12, tzinfo=UTC)


def policy_of(folder: Path, **content: Any) -> AutomationPolicy:
    (folder / "automation.yaml").write_text(yaml.safe_dump(content))
    return load_automation(Settings(config_dir=folder))


def test_the_shipped_file_says_what_holds_without_one(tmp_path: Path):
    shipped = load_automation(Settings())
    assert load_automation(Settings(config_dir=tmp_path)) == shipped
    # Sections of others have tests of their own; those of schedules are written out in full.
    written = yaml.safe_load((PROJECT / "config" / "automation.yaml").read_text())
    ours = {"started", "jitter", "max_runtime", "retries", "cutoff", "daily", "close", "refresh"}
    assert ours <= set(written)
    nothing = AutomationPolicy()
    for name in (*ours, "upkeep"):
        assert getattr(shipped, name) == getattr(nothing, name), name


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"daily": {"at": "25:00"}}, "daily.at: must be a time of day in quotes"),
        ({"close": {"times": {"XNYS": "16:00"}}}, "close.times.XNYS: must be a time of day and a"),
        ({"close": {"times": {"XNYS": "16:00 Mars/Base"}}}, "close.times.XNYS: must be"),
        ({"refresh": {"every": {"1m": "7m"}}}, "refresh: must divide an hour into whole minutes"),
        ({"refresh": {"every": {"2m": "5m"}}}, "refresh.every.2m"),
        ({"retries": {"waits": ["5"]}}, "retries.waits.0: must be a number with a unit"),
        ({"cutoff": {"failures": 0}}, "cutoff.failures"),
        ({"dayly": {}}, "dayly: Extra inputs"),
        ({"backfill": {"off_peak": "22:00-06:00"}}, "backfill.off_peak: must be two different"),
        ({"backfill": {"off_peak": "22:00-22:00 UTC"}}, "backfill.off_peak: must be two"),
        ({"backfill": {"off_peak": "22:00-06:61 UTC"}}, "backfill.off_peak: must be two"),
        ({"upkeep": {"keep": "6d"}}, "upkeep.keep"),
        (
            {"upkeep": {"keep": "7d"}, "backfill": {"max_runtime": "7d"}},
            "upkeep.keep must be at least 8d: a run may take 7d",
        ),
    ],
)
def test_a_mistake_is_told_with_its_key(tmp_path: Path, content: dict[str, Any], told: str):
    with pytest.raises(ConfigurationError, match=r"automation\.yaml: ") as refused:
        policy_of(tmp_path, **content)
    assert told in str(refused.value)


def test_a_file_that_has_not_changed_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = policy_of(tmp_path, jitter="1m")
    with monkeypatch.context() as patch:
        patch.setattr("adapters.automation.load_rules", lambda *_: pytest.fail("it was read"))
        assert load_automation(Settings(config_dir=tmp_path)) is first
    assert policy_of(tmp_path, jitter="3m").jitter == timedelta(minutes=3)


def test_schedules_that_ask_vendors_start_where_the_policy_says():
    def starts(said: str) -> tuple[bool, bool]:
        policy = AutomationPolicy.model_validate({"started": said})
        return policy.starts(institutional=False), policy.starts(institutional=True)

    assert starts("auto") == (False, True)
    assert starts("on") == (True, True)
    assert starts("off") == (False, False)


@pytest.mark.parametrize("said", ["on", "off", "auto"])
def test_the_switch_may_be_written_without_quotes(tmp_path: Path, said: str):
    (tmp_path / "automation.yaml").write_text(f"started: {said}\n")
    assert load_automation(Settings(config_dir=tmp_path)).started == said


def test_cron_expressions():
    assert WallClock(time(16, 0), "America/New_York").cron(timedelta(minutes=30)) == "30 16 * * *"
    assert WallClock(time(23, 45), "UTC").cron(timedelta(minutes=30)) == "15 0 * * *"
    every = RefreshRules.model_validate({"every": {"1m": "5m", "1d": "60m"}})
    assert every.cron(Timeframe.M1) == "*/5 * * * *"
    assert every.cron(Timeframe.D1) == "0 * * * *"


@pytest.mark.parametrize(
    ("now", "tick"),
    [
        (datetime(2024, 3, 12, 2, 59, 59, tzinfo=UTC), datetime(2024, 3, 11, 1, tzinfo=UTC)),
        (datetime(2024, 3, 12, 3, 0, tzinfo=UTC), datetime(2024, 3, 12, 1, tzinfo=UTC)),
        (datetime(2024, 1, 1, 0, 30, tzinfo=UTC), datetime(2023, 12, 31, 1, tzinfo=UTC)),
        (NOON, datetime(2024, 3, 12, 1, tzinfo=UTC)),
    ],
)
def test_the_tick_whose_time_is_up(now: datetime, tick: datetime):
    assert AutomationPolicy().daily.due_before(now) == tick
