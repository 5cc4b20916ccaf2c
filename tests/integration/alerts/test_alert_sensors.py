"""From a fault in the data to the webhook, and from its mending to the recovery message.

A real Dagster instance, the real graph, the real operations database, HTTP on the loopback.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import pytest
import yaml

from adapters.operations_opening import open_operations
from adapters.settings import PROJECT, Settings
from market_data.automation.cutoff import CutoffState
from market_data.automation.policy import DailyRules
from market_data.errors import StoreUnavailableError
from market_data.ports import IngestRun
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from resources.run_processes import LOST
from sensors.alerts import alert_delivery, alerts_of_runs, platform_alerts
from tests.support.graph import Graph
from tests.support.instances import kept_instance
from tests.support.replay_server import ReplayServer, json_body
from tests.support.worlds import FileVendor, World

HOOK = "/services/T0/s3cr3t-path"
DAYS = ["2024-02-05", "2024-02-06", "2024-02-07", "2024-02-08", "2024-02-09"]
CHAIN = ["raw/of_aaa_bars_1d", "curated/bars_1d"]
COVERAGE = "check|curated/bars_1d|coverage|2024-02-07"


@dataclass
class House:
    """A graph with a vendor of files, a webhook, and the sensors' cursors."""

    graph: Graph
    file: Path
    server: ReplayServer
    config: Path
    cursors: dict[str, str | None] = field(default_factory=dict)

    def write(self, *missing: str) -> None:
        """The vendor's file, without some days."""
        rows = "".join(
            f"{day},50,51,49,50.{number},1000\n"
            for number, day in enumerate(DAYS)
            if day not in missing
        )
        self.file.write_text(f"date,open,high,low,close,volume\n{rows}")

    def run(self, first: str = DAYS[0], last: str = DAYS[-1]) -> dg.ExecuteInProcessResult:
        return self.graph.run(CHAIN, first, last, symbols=["AAA"], config={"refetch": True})

    def tick(self, sensor: dg.SensorDefinition) -> str:
        with dg.build_sensor_context(
            instance=self.graph.instance,
            cursor=self.cursors.get(sensor.name),
            repository_def=self.graph.defs.get_repository_def(),
            resources=self.graph.defs.resources,
        ) as context:
            told = sensor(context)
        if isinstance(told, dg.SensorResult):
            self.cursors[sensor.name] = told.cursor
            assert isinstance(told.skip_reason, dg.SkipReason)
            return str(told.skip_reason.skip_message)
        return str(told.skip_message)

    def look(self) -> str:
        """A tick of the look at the platform."""
        return self.tick(self.graph.defs.get_sensor_def("alerts_of_the_platform"))

    def ticks(self) -> list[Any]:
        """One round of the daemon; the messages that the webhook got by it."""
        before = len(self.server.asked)
        self.tick(alerts_of_runs)
        self.tick(alert_delivery)
        return [a.json for a in self.server.asked[before:]]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    config = tmp_path / "config"
    copytree(PROJECT / "config", config)
    file = tmp_path / "aaa.csv"
    World.at(tmp_path, datetime(2024, 3, 1, tzinfo=UTC)).register(
        FileVendor("of_aaa", {"1d": ("plain_daily", file)}, ("AAA",)),
        instruments=(Instrument(symbol="AAA", asset_class=AssetClass.EQUITY, calendar="XNYS"),),
    )
    # A real instance, its records in SQLite: an ephemeral one keeps no ticks.
    with ReplayServer() as server, kept_instance() as instance:
        made = Graph(Settings(data_dir=tmp_path / "data", config_dir=config), instance)
        server.reply(HOOK, json_body({"ok": True}))
        monkeypatch.setenv("ALERT_URL", f"{server.url}{HOOK}")
        found = House(made, file, server, config)
        configure(found)
        found.write()
        assert found.ticks() == []
        yield found


def configure(house: House, **changes: Any) -> None:
    content = {
        "collect": "0s",
        "routes": [{"name": "hook", "type": "webhook", "url_env": "ALERT_URL"}],
        **changes,
    }
    (house.config / "alerts.yaml").write_text(yaml.safe_dump(content))


def keys(message: Any) -> set[str]:
    return {alert["key"] for alert in message["alerts"]}


def test_a_fault_travels_to_the_webhook_and_its_mending_too(house: House):
    cursor = house.cursors["alerts_of_runs"]
    house.write(DAYS[2])
    result = house.run()
    assert result.success, "a check that does not block leaves the run green"
    (opened,) = house.ticks()
    assert opened["state"] == "opened"
    assert COVERAGE in keys(opened)
    (alert,) = [a for a in opened["alerts"] if a["key"] == COVERAGE]
    assert (alert["severity"], alert["level"]) == ("error", "SEV-2")
    assert (alert["asset"], alert["first_session"]) == ("curated/bars_1d", DAYS[2])
    assert alert["symbols"] == ["AAA"]
    assert alert["owners"] == ["team:market-data"]
    pages = (PROJECT / "docs/runbooks").as_uri()
    assert alert["runbook"] == f"{pages}/check-coverage.md#no_data"
    assert house.server.asked[-1].headers["idempotency-key"] == opened["id"]

    # The daemon died after the step and before the cursor was kept: nothing is done twice.
    house.cursors["alerts_of_runs"] = cursor
    assert house.ticks() == []

    house.write()
    house.run()
    (recovered,) = house.ticks()
    assert recovered["state"] == "recovered"
    assert COVERAGE in keys(recovered)
    assert recovered["resolved"] == [opened["id"]]
    assert house.ticks() == []


def test_a_fault_and_its_repair_in_one_tick_are_told_to_nobody(house: House):
    house.write(DAYS[2])
    house.run()
    house.write()
    house.run()
    assert house.ticks() == []
    # Bars of a year ago were never current: they cannot become stale.
    assert house.look() == "0 messages"
    seen = json.loads(house.cursors["alerts_of_the_platform"] or "")
    assert seen["current"] == {"curated/bars_1d": []}


def test_runs_before_the_first_tick_flood_nobody(house: House):
    house.write(DAYS[2])
    house.run()
    house.cursors.clear()
    assert house.ticks() == []


def test_a_run_whose_process_was_killed_alerts_and_stops_no_later_alert(house: House):
    """Its end has no data; and the cursor is one of the first version, without places."""
    after = json.loads(house.cursors["alerts_of_runs"] or "")["after"]
    instance = house.graph.instance
    job = house.graph.defs.resolve_job_def("run_backfill_piece")
    config = {"backfill": "b1", "number": 0, "token": "t1"}
    run = instance.create_run_for_job(
        job,
        run_config={"ops": {"backfill_piece": {"config": config}}},
        status=dg.DagsterRunStatus.STARTED,
    )
    instance.report_run_failed(run, LOST)
    house.cursors["alerts_of_runs"] = json.dumps({"version": 1, "after": after})
    (opened,) = house.ticks()
    (alert,) = opened["alerts"]
    assert alert["kind"] == "run"
    assert LOST in alert["detail"]
    house.write(DAYS[2])
    house.run()
    (later,) = house.ticks()
    assert COVERAGE in keys(later)


def test_an_exception_in_a_check_alerts(house: House, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("no such column: tiger-lily-password")

    monkeypatch.setenv("SOME_PASSWORD", "tiger-lily-password")
    monkeypatch.setattr("market_data.quality.checks.check_staleness", broken)
    monkeypatch.setattr("market_data.pipeline.inspection.check_bars", broken, raising=False)
    result = house.run()
    assert not result.success
    (opened,) = house.ticks()
    failed = [a for a in opened["alerts"] if a["kind"] == "run"]
    assert failed
    assert all("could not be run" in a["title"] for a in failed)
    assert all("no such column: ***" in a["detail"] for a in failed)
    monkeypatch.undo()
    assert "tiger-lily" not in json.dumps(opened)


def test_the_look_at_the_platform_tells_of_bars_that_end_too_early(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    from market_data.alerts.facts import AgeFact

    today, found = date(2024, 3, 1), {"due": date(2024, 3, 1)}

    def ages(_: object) -> list[AgeFact]:
        due = {"AAA": found["due"]}
        return [AgeFact("curated/bars_1d", {"AAA": today}, due, due)]

    monkeypatch.setattr("market_data.pipeline.ages.ages", ages)
    monkeypatch.setattr("sensors.alert_ticks.AGES_EVERY_SECONDS", 0.0)
    assert house.look() == "0 messages"
    found["due"] = today + timedelta(days=1)
    assert house.look() == "1 messages"
    found["due"] = today
    assert house.look() == "1 messages"
    house.tick(alert_delivery)
    opened, recovered = (a.json for a in house.server.asked)
    assert opened["alerts"][0]["key"] == "stale|curated/bars_1d|2024-03-02"
    assert (opened["level"], recovered["state"]) == ("SEV-2", "recovered")


def test_a_store_that_is_away_is_told_and_keeps_nothing_else_from_being_told(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    def away(*_: object) -> Any:
        raise StoreUnavailableError("no server answers at warehouse:5432")

    monkeypatch.setattr("sensors.alert_ticks.AGES_EVERY_SECONDS", 0.0)
    states = open_operations(house.graph.settings.local_operations_url).automation
    states.keep(
        CutoffState("refresh_1m", 3, cut_at=datetime(2024, 3, 1, tzinfo=UTC)),
        datetime(2024, 3, 1, tzinfo=UTC),
    )
    with monkeypatch.context() as patch:
        patch.setattr("resources.platform.PlatformResource.open", away)
        patch.setattr("adapters.requests.report.report", away)
        house.look()
        house.tick(alert_delivery)
        assert house.look() == "0 messages"
    house.look()
    house.tick(alert_delivery)
    told = [a.json for a in house.server.asked]
    opened = {alert["key"]: alert for m in told if m["state"] == "opened" for alert in m["alerts"]}
    assert set(opened) == {
        "cut_off|refresh_1m", "look|breakers of vendors", "look|stored bars",
    }  # fmt: skip
    assert "warehouse:5432" in opened["look|stored bars"]["detail"]
    assert {alert["key"] for m in told if m["state"] == "recovered" for alert in m["alerts"]} == {
        "look|breakers of vendors", "look|stored bars",
    }  # fmt: skip


def test_a_changed_time_of_day_is_remembered(house: House):
    house.look()
    seen = json.loads(house.cursors["alerts_of_the_platform"] or "")
    assert (seen["clock"], seen["promised"]) == ("01:00", 0.0)
    later = platform_alerts(DailyRules.model_validate({"at": "05:00"}))
    before = datetime.now(UTC).timestamp()
    house.tick(later)
    seen = json.loads(house.cursors["alerts_of_the_platform"] or "")
    assert (seen["clock"], seen["promised"] >= before) == ("05:00", True)
    house.tick(later)
    assert json.loads(house.cursors["alerts_of_the_platform"] or "")["promised"] == seen["promised"]


def test_the_look_at_the_platform_tells_of_fetches_that_are_slow_until_they_are_not(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    def fetch(name: str, minutes: float) -> None:
        ended = datetime.now(UTC)
        house.graph.platform.journal.add(
            IngestRun(
                fetch_id=name,
                run_id="",
                vendor="of_aaa",
                timeframe=Timeframe.D1,
                symbols=("AAA",),
                sessions=(date(2024, 2, 5), date(2024, 2, 9)),
                status="ok",
                rows=5,
                new_rows=0,
                rejected_rows=0,
                started_at=ended - timedelta(minutes=minutes),
                ended_at=ended,
            )
        )

    monkeypatch.setattr("sensors.alert_ticks.AGES_EVERY_SECONDS", 0.0)
    for number in range(5):
        fetch(f"slow{number}", 6)
    assert house.look() == "1 messages"
    assert house.look() == "0 messages"
    for number in range(5):
        fetch(f"slow{number}", 1)
    assert house.look() == "1 messages"
    house.tick(alert_delivery)
    opened, recovered = (a.json for a in house.server.asked)
    (alert,) = opened["alerts"]
    assert (alert["kind"], alert["key"]) == ("latency", "latency|slow_fetch|daily_bars")
    assert alert["runbook"].endswith("/docs/runbooks/latency.md#slow_fetch")
    assert "95 of 100 fetches took up to 360 s, 300 s are allowed" in alert["detail"]
    assert recovered["state"] == "recovered"


def test_every_sensor_runs_by_default(house: House):
    names = {"alerts_of_runs", "alerts_of_the_platform", "alert_delivery"}
    found = {s.name: s.default_status for s in house.graph.defs.sensors or []}
    assert names <= set(found)
    assert {found[name] for name in names} == {dg.DefaultSensorStatus.RUNNING}


MONDAY, FRIDAY, AFTER_WEEKEND, TUESDAY = "2024-02-05", "2024-02-09", "2024-02-12", "2024-02-13"


@pytest.mark.parametrize("blocked", [False, True])
def test_a_failed_range_that_is_mended_run_by_run_is_recovered_once(
    house: House, monkeypatch: pytest.MonkeyPatch, blocked: bool
):
    """Nobody asks for the weekend between two of the runs: this market had none."""
    days = [*DAYS, AFTER_WEEKEND, TUESDAY]
    rows = "".join(f"{day},50,51,49,50.{number},1000\n" for number, day in enumerate(days))
    full = f"date,open,high,low,close,volume\n{rows}"

    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        if blocked:
            house.file.write_text(f"date,open,high,low,close,volume\n{rows.splitlines()[0]}\n")
        else:
            house.file.write_text(full)
            patch.setattr("market_data.pipeline.inspection.evaluate_bars", broken)
        assert not house.run(MONDAY, TUESDAY).success
    (opened,) = house.ticks()
    runs = {a["key"] for a in opened["alerts"] if f"{MONDAY}..{TUESDAY}" in a["key"]}
    assert runs, "the range itself is told of"

    house.file.write_text(full)
    assert house.run(AFTER_WEEKEND, TUESDAY).success
    first = [message for message in house.ticks() if runs & keys(message)]
    assert first == [], "most of it is still wrong"
    assert house.run(MONDAY, FRIDAY).success
    (recovered,) = house.ticks()
    assert (recovered["state"], recovered["resolved"]) == ("recovered", [opened["id"]])
    assert runs <= keys(recovered)
    assert house.run(MONDAY, FRIDAY).success
    assert house.ticks() == []


def test_instruments_that_cannot_be_read_keep_no_alert_back(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    """A typing error in a file is no reason to be silent about runs: every day has to be mended."""

    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr("market_data.pipeline.inspection.evaluate_bars", broken)
        assert not house.run(DAYS[0], DAYS[2]).success
    (opened,) = house.ticks()
    assert house.run(DAYS[0], DAYS[1]).success
    (house.config / "universe.yaml").write_text("instruments: [")
    # The look is taken, and what was mended is remembered.
    assert house.ticks() == []
    alerts = open_operations(house.graph.settings.local_operations_url).alerts.newest()
    kept = {a.fingerprint: [(str(p.first), str(p.last)) for p in a.mended] for a in alerts}
    spans = {key: parts for key, parts in kept.items() if f"{DAYS[0]}..{DAYS[2]}" in key}
    assert spans
    assert all(parts == [(DAYS[0], DAYS[1])] for parts in spans.values()), kept
    assert set(spans) <= keys(opened)
