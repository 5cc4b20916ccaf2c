"""Every schedule and sensor by its name, with its state in both modes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import dagster as dg
import pytest

from adapters.automation import load_automation
from adapters.configuration import load_universe
from adapters.modes import Installation
from adapters.settings import PROJECT, Mode, Settings
from definitions import build_definitions
from jobs.automation import automation_schedules
from jobs.automation.limits import MAX_RETRIES_TAG, MAX_RUNTIME_TAG
from jobs.automation.market_close import close_name
from market_data.automation.policy import AutomationPolicy

ASK_VENDORS = {
    "daily_market_data": "0 1 * * *, UTC",
    "close_24_7": "30 0 * * *, UTC",
    "close_fx": "30 17 * * *, America/New_York",
    "close_xnys": "30 16 * * *, America/New_York",
    "refresh_1m": "*/5 * * * *, UTC",
    "refresh_5m": "*/5 * * * *, UTC",
    "refresh_15m": "*/15 * * * *, UTC",
    "refresh_30m": "*/15 * * * *, UTC",
    "refresh_1h": "*/15 * * * *, UTC",
    "refresh_1d": "0 * * * *, UTC",
}
LOCAL = {
    "weekly_upkeep": "40 3 * * 0, UTC",
    "monthly_upkeep": "20 4 1 * *, UTC",
    "purge_run_records": "10 3 * * *, UTC",
    "apply_retention": "30 3 1 * *, UTC",
}
NOON = datetime(2024, 3, 8, 12, tzinfo=UTC)
OTHERS = {
    "back_up",
    "daily_exports",
    "daily_macro_releases",
    "daily_operations_reports",
    "hourly_ingest_reports",
    "monthly_failover_drill",
}
SENSORS = {
    "alert_delivery",
    "alerts_of_runs",
    "alerts_of_the_platform",
    "drive_backfills",
    "rebuild_after_corporate_actions",
    "reference_files",
}


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(Settings(data_dir=tmp_path_factory.mktemp("data")))


def states(mode: Mode, policy: AutomationPolicy | None = None) -> dict[str, bool]:
    settings = Settings()
    made = automation_schedules(
        Installation(settings, mode, "as the test says"),
        load_universe(settings),
        policy or load_automation(settings),
    )
    return {s.name: s.default_status is dg.DefaultScheduleStatus.RUNNING for s in made}


def test_each_has_its_clock(defs: dg.Definitions):
    found = {
        s.name: f"{s.cron_schedule}, {s.execution_timezone}"
        for s in defs.schedules or ()
        if isinstance(s, dg.ScheduleDefinition)
    }
    assert {n: c for n, c in found.items() if n not in OTHERS} == ASK_VENDORS | LOCAL
    assert set(found) == OTHERS | set(ASK_VENDORS) | set(LOCAL)


def test_the_sensors(defs: dg.Definitions):
    found = {s.name: s.default_status for s in defs.sensors or ()}
    assert set(found) >= SENSORS
    assert {found[name] for name in SENSORS} == {dg.DefaultSensorStatus.RUNNING}


def test_bootstrap_asks_no_vendor_until_it_is_told_to():
    assert states(Mode.BOOTSTRAP) == dict.fromkeys(ASK_VENDORS, False) | dict.fromkeys(LOCAL, True)


def test_institutional_mode_works_by_itself():
    assert states(Mode.INSTITUTIONAL) == dict.fromkeys([*ASK_VENDORS, *LOCAL], True)


def test_the_policy_decides_otherwise():
    on, off = (AutomationPolicy.model_validate({"started": said}) for said in ("on", "off"))
    assert all(states(Mode.BOOTSTRAP, on).values())
    assert not any(states(Mode.INSTITUTIONAL, off)[name] for name in ASK_VENDORS)


def test_a_timeframe_that_is_not_named_is_not_refreshed():
    policy = AutomationPolicy.model_validate({"refresh": {"every": {"1h": "20m"}}})
    named = {name for name in states(Mode.BOOTSTRAP, policy) if name.startswith("refresh")}
    assert named == {"refresh_1h"}


def test_each_says_what_it_is_for(defs: dg.Definitions):
    for found in [*(defs.schedules or ()), *(defs.sensors or ())]:
        assert len(found.description or "") > 30, found.name


def test_the_page_names_each(defs: dg.Definitions):
    page = (PROJECT / "docs" / "automation.md").read_text()
    ours = [*(defs.schedules or ()), *(defs.sensors or ())]
    families = {"refresh_<timeframe>": "refresh_", "close_<calendar>": "close_"}
    for found in ours:
        named = next((n for n, start in families.items() if found.name.startswith(start)), "")
        assert f"`{found.name}`" in page or (named and f"`{named}`" in page), found.name


def test_no_run_of_a_schedule_takes_for_ever(defs: dg.Definitions):
    """Those of bars and of macro data are looked at where their ticks are."""
    elsewhere = {*ASK_VENDORS, "daily_macro_releases"}
    for name in {s.name for s in defs.schedules or ()} - elsewhere:
        schedule = defs.resolve_schedule_def(name)
        assert isinstance(schedule, dg.ScheduleDefinition)
        with dg.build_schedule_context(
            scheduled_execution_time=NOON,
            repository_def=defs.get_repository_def(),
            resources=defs.resources,
        ) as context:
            (request,) = schedule.evaluate_tick(context).run_requests or ()
        assert request.tags[MAX_RUNTIME_TAG] == "21600", name
        assert request.tags[MAX_RETRIES_TAG] == ("0" if name.startswith("hourly") else "1"), name


def test_names_of_calendars_are_names_of_schedules():
    assert close_name("24/7") == "close_24_7"
    assert close_name("fx@1a2b3c4d5e6f") == "close_fx"


def test_the_page_names_each_of_them_once(defs: dg.Definitions) -> None:
    rows = [
        line.split("|")[1]
        for line in (PROJECT / "docs" / "automation.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    named = Counter(name for row in rows for name in row.split("`")[1::2])
    assert [name for name, count in named.items() if count > 1] == []
    assert OTHERS | LOCAL.keys() | SENSORS <= set(named)
