"""What a run finds out about sessions that it did not make: recorded, alerted, and taken back.

A price is false only when the next day comes back, so the run of that day tells of the day before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import pytest
import yaml

from adapters.settings import PROJECT, Settings
from sensors.alerts import alert_delivery, alerts_of_runs
from tests.support.graph import Graph
from tests.support.instances import kept_instance
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body

HOOK, CANDLES = "/hook", "/products/BTC-USD/candles"
CHAIN = ["raw/coinbase_bars_1d", "curated/bars_1d"]
FIRST, FALSE, NEXT = date(2024, 3, 1), date(2024, 4, 19), date(2024, 4, 20)
CURATED, RAW = "curated/bars_1d", "raw/coinbase_bars_1d"
FOUND, GONE = "FAILED", "SUCCEEDED"


class House:
    """A graph, and a server that is vendor and webhook: a price that swings, and a jump."""

    def __init__(self, graph: Graph, server: ReplayServer) -> None:
        self.graph, self.server, self.after = graph, server, 1.0
        self._cursors: dict[str, str | None] = {}
        server.reply(CANDLES, self._candles)
        server.reply(HOOK, json_body({"ok": True}))

    def _candles(self, asked: Asked) -> Reply:
        first, last = (datetime.fromisoformat(asked.query[n]).date() for n in ("start", "end"))
        days = [first + timedelta(n) for n in range((last - first).days + 1)]
        return json_body([self._candle(d) for d in reversed(days) if FIRST <= d <= NEXT])

    def _candle(self, day: date) -> list[float]:
        at = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        factor = 1.5 if day == FALSE else self.after if day > FALSE else 1.0
        before = self.after if day > FALSE else 1.0
        number = (day - FIRST).days
        opens = 100 + (number - 1) % 5 * 0.3
        closes = 100 + number % 5 * 0.3
        opens, closes = opens * before, closes * factor
        low, high = min(opens, closes) * 0.999, max(opens, closes) * 1.001
        return [at, low, high, opens, closes, 12.5 + number % 3]

    def run(self, first: date, last: date) -> set[tuple[str, str]]:
        """Run sessions; assets and checks of which it records something about the false day."""
        config = {"refetch": True}
        run = self.graph.run(
            CHAIN,
            str(first),
            str(last),
            summary_only=first < last,
            symbols=["BTCUSD"],
            config=config,
        )
        assert run.success
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        logs = self.graph.instance.all_logs(run.run_id, of_type=kind)
        told = [entry.get_dagster_event().asset_check_evaluation_data for entry in logs]
        return {
            (e.asset_key.to_user_string(), e.check_name) for e in told if e.partition == str(FALSE)
        }

    def state(self, asset: str, check: str = "false_ticks") -> str | None:
        return self.graph.states(asset, check).get(str(FALSE))

    def told(self) -> list[Any]:
        """One round of the daemon; what the webhook was sent by it."""
        before = len(self.server.asked_for(HOOK))
        for sensor in (alerts_of_runs, alert_delivery):
            with dg.build_sensor_context(
                instance=self.graph.instance,
                cursor=self._cursors.get(sensor.name),
                repository_def=self.graph.defs.get_repository_def(),
                resources=self.graph.defs.resources,
            ) as context:
                result = sensor(context)
            if isinstance(result, dg.SensorResult):
                self._cursors[sensor.name] = result.cursor
        return [json.loads(asked.body) for asked in self.server.asked_for(HOOK)[before:]]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    config = tmp_path / "config"
    copytree(PROJECT / "config", config)
    hook = {"name": "hook", "type": "webhook", "url_env": "ALERT_URL"}
    (config / "alerts.yaml").write_text(yaml.safe_dump({"collect": "0s", "routes": [hook]}))
    with ReplayServer() as server, kept_instance() as instance:
        monkeypatch.setenv("COINBASE_URL", server.url)
        monkeypatch.setenv("ALERT_URL", f"{server.url}{HOOK}")
        made = House(
            Graph(Settings(data_dir=tmp_path / "data", config_dir=config), instance), server
        )
        assert made.told() == []
        yield made


def alerts(messages: list[Any], check: str) -> set[tuple[str, str]]:
    """Assets and first sessions of the alerts about a check."""
    told = [alert for message in messages for alert in message["alerts"]]
    return {(a["asset"], a["first_session"]) for a in told if a["check"] == check}


def test_the_next_day_tells_of_a_false_price_and_its_mending_takes_that_back(house: House) -> None:
    house.run(FIRST, FALSE)
    assert (house.state(CURATED), house.state(RAW)) == (GONE, GONE)
    house.told()

    changed = house.run(NEXT, NEXT)
    assert {(CURATED, "false_ticks"), (RAW, "false_ticks")} <= changed
    assert (house.state(CURATED), house.state(RAW)) == (FOUND, FOUND)
    assert {(CURATED, str(FALSE)), (RAW, str(FALSE))} <= alerts(house.told(), "false_ticks")

    # The same again is no news.
    assert house.run(NEXT, NEXT) == set()
    assert alerts(house.told(), "false_ticks") == set()

    # The day after turns out to be that high: the price of the day before has been right.
    house.after = 1.5
    house.run(NEXT, NEXT)
    assert (house.state(CURATED), house.state(RAW)) == (GONE, GONE)
    told = house.told()
    recovered = [message for message in told if message["state"] == "recovered"]
    assert {(CURATED, str(FALSE)), (RAW, str(FALSE))} <= alerts(recovered, "false_ticks")
    # A step that stays is another finding.
    opened = [message for message in told if message["state"] != "recovered"]
    assert alerts(opened, "false_ticks") == set()
    assert (CURATED, str(FALSE)) in alerts(opened, "price_sanity")
