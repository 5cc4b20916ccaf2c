"""A fault on its way: vendor over HTTP, raw, curated, checks, score, alert, webhook; and back.

The daemon's sensors are evaluated in process, on a real instance and a real operations database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pytest
import yaml

from adapters.operations import SqlAlerts
from adapters.operations_opening import open_operations
from adapters.settings import PROJECT, Settings
from benchmarks.event_log import KEY, PARTITIONS, Spread, planted, samples
from emp_assets.bar_checks import CHECKS, session_checks
from market_data.datasets import SCORES_DATASET
from market_data.pipeline.inspection import Inspection
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe
from sensors.alerts import alert_delivery, alerts_of_runs
from tests.support.graph import Graph
from tests.support.instances import kept_instance
from tests.support.replay_server import Asked, ReplayServer, Reply, failing, json_body, slow

HOOK = "/services/hook"
CANDLES = "/products/BTC-USD/candles"
DAYS = [date(2024, 2, day) for day in (5, 6)]
FAULTY = DAYS[1]
CHAIN = ["raw/coinbase_bars_1d", "curated/bars_1d", "quality/scores"]
OK = json_body({"ok": True})


@dataclass
class House:
    """A graph, a server that is both vendor and webhook, and the sensors' cursors."""

    graph: Graph
    server: ReplayServer
    lacking: set[date] = field(default_factory=set)
    cursors: dict[str, str | None] = field(default_factory=dict)

    def candles(self, asked: Asked) -> Reply:
        """The vendor's answer: a candle of every day in the range that it does not lack."""
        first, last = (datetime.fromisoformat(asked.query[n]).date() for n in ("start", "end"))
        days = [d for d in DAYS if first <= d <= last and d not in self.lacking]
        stamps = [int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) for d in days]
        return json_body([[s, 99.0, 103.0, 100.0, 101.0 + s % 7 / 10, 12.5] for s in stamps[::-1]])

    def run(self) -> dg.ExecuteInProcessResult:
        first, last = str(DAYS[0]), str(DAYS[-1])
        return self.graph.run(CHAIN, first, last, symbols=["BTCUSD"], config={"refetch": True})

    def tick(self, sensor: dg.SensorDefinition, defs: dg.Definitions | None = None) -> None:
        with dg.build_sensor_context(
            instance=self.graph.instance,
            cursor=self.cursors.get(sensor.name),
            repository_def=(defs or self.graph.defs).get_repository_def(),
            resources=self.graph.defs.resources,
        ) as context:
            told = sensor(context)
        if isinstance(told, dg.SensorResult):
            self.cursors[sensor.name] = told.cursor

    def told(self) -> list[Any]:
        """One round of the daemon; what the webhook was sent by it, with its id."""
        before = len(self.server.asked_for(HOOK))
        self.tick(alerts_of_runs)
        self.tick(alert_delivery)
        return self.server.asked_for(HOOK)[before:]

    @property
    def alerts(self) -> SqlAlerts:
        return open_operations(self.graph.settings.local_operations_url).alerts

    def scores(self) -> dict[date, str]:
        rows = self.graph.platform.store.scan(SCORES_DATASET, columns=["session", "status"])
        return dict(rows.rows())


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    config = tmp_path / "config"
    copytree(PROJECT / "config", config)
    hook = {"name": "hook", "type": "webhook", "url_env": "ALERT_URL", "timeout": "2s"}
    (config / "alerts.yaml").write_text(yaml.safe_dump({"collect": "0s", "routes": [hook]}))
    with ReplayServer() as server, kept_instance() as instance:
        monkeypatch.setenv("COINBASE_URL", server.url)
        monkeypatch.setenv("ALERT_URL", f"{server.url}{HOOK}")
        graph = Graph(Settings(data_dir=tmp_path / "data", config_dir=config), instance)
        found = House(graph, server)
        server.reply(CANDLES, found.candles)
        server.reply(HOOK, OK)
        assert found.told() == []
        yield found


def test_a_fault_of_a_vendor_is_one_message_and_its_mending_one_through_every_outage(house: House):
    house.lacking = {FAULTY}
    assert house.run().success
    assert house.scores()[FAULTY] == "RED"
    # The webhook answers too late, then 500, then 503; what comes through is one message. A later
    # attempt would wait for the late answer.
    house.server.reply(HOOK, slow(OK, 3.0), failing(500), failing(503), OK)
    sent = house.told()
    for _ in range(3):
        house.alerts.outbox.hurry("hook")
        sent += house.told()
    assert len(sent) == 4
    assert len({asked.headers["idempotency-key"] for asked in sent}) == 1
    opened = sent[-1].json
    assert opened["state"] == "opened"
    sessions = {alert["first_session"] for alert in opened["alerts"] if alert["first_session"]}
    assert sessions == {str(FAULTY)}
    assets = {alert["asset"] for alert in opened["alerts"]}
    assert "curated/bars_1d" in assets
    pages = [alert["runbook"] for alert in opened["alerts"] if alert["check"] == "coverage"]
    assert pages and all("#no_data" in page for page in pages)
    # A link that opens without anybody having said where the pages are.
    (file,) = {urlsplit(page).path for page in pages if urlsplit(page).scheme == "file"}
    assert "## no_data" in Path(file).read_text()
    assert all(f"What to do: {page}" in opened["text"] for page in pages)
    assert house.told() == []

    # The vendor restates; the mending is told once, again through an outage.
    house.lacking = set()
    house.server.reply(HOOK, slow(OK, 3.0), OK)
    assert house.run().success
    assert set(house.scores().values()) == {"GREEN"}
    sent = house.told()
    house.alerts.outbox.hurry("hook")
    sent += house.told()
    assert len(sent) == 2
    assert len({asked.headers["idempotency-key"] for asked in sent}) == 1
    recovered = sent[-1].json
    assert (recovered["state"], recovered["resolved"]) == ("recovered", [opened["id"]])
    assert house.told() == []
    assert house.alerts.outbox.messages(undelivered=True) == []


def test_ten_thousand_findings_of_one_run_are_one_message(house: House):
    spread = Spread(5, 200, tuple(CHECKS))
    found = planted(spread)

    def inspect(platform: Platform, first: date, last: date) -> Inspection:
        held = found.select("symbol", "session").unique()
        rows, ohlc = samples(spread), {"ohlc": found.clear().select("symbol", "session")}
        return Inspection("curated/bars_1d", found, rows, ohlc, held, platform, Timeframe.D1)

    @dg.asset(key=KEY, partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run())
    def nothing() -> None:
        """Sessions that checks can speak of."""

    defs = dg.Definitions(
        assets=[nothing],
        asset_checks=[session_checks(KEY, PARTITIONS, inspect)],
        resources=house.graph.defs.resources,
        executor=dg.in_process_executor,
    )
    first, last = found["session"].min(), found["session"].max()
    defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=house.graph.instance,
        raise_on_error=False,
        tags={
            "dagster/asset_partition_range_start": str(first),
            "dagster/asset_partition_range_end": str(last),
        },
    )
    house.tick(alerts_of_runs, defs)
    house.tick(alert_delivery, defs)
    (asked,) = house.server.asked_for(HOOK)
    assert found.height == 10_000
    assert asked.json["alerts_total"] == 5 * len(CHECKS)
    assert {alert["asset"] for alert in asked.json["alerts"]} == {"curated/bars_1d"}
    assert len(asked.body) < 100_000
    assert json.loads(asked.body)["state"] == "opened"
