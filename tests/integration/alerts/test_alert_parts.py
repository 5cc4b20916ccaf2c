"""The look at the platform tells of cache, Kafka and latencies, each of them for itself.

A real Dagster instance, the sensor, the operations database; Redis and Kafka where a test has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import pytest
import yaml

from adapters.cache.presence import presence_of
from adapters.cache.settings import RedisSettings
from adapters.operations_opening import Operations, open_operations
from adapters.settings import PROJECT, Mode, Settings
from adapters.stores.opening import open_redis_cache
from definitions import build_definitions
from market_data.alerts import Phase
from market_data.alerts.facts import AgeFact
from resources.platform import PlatformResource
from resources.readiness import ReadinessResource
from tests.support.instances import kept_instance
from tests.support.operations_file import give_operations
from tests.support.servers import RedisServer

NUMBERS = ("cache", "counted")


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with kept_instance() as made:
        yield made


@pytest.fixture(autouse=True)
def _every_tick_looks_at_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensors.alert_ticks.AGES_EVERY_SECONDS", 0.0)


@dataclass
class House:
    """An installation in one of the modes, and the cursor of the sensor."""

    settings: Settings
    instance: dg.DagsterInstance
    mode: str
    cursor: str | None = None

    def __post_init__(self) -> None:
        self.configure()
        give_operations(self.settings)
        self.defs = build_definitions(self.settings)
        # Bars and alerts lie in files; the watched parts are those of the mode.
        platform = (self.defs.resources or {})["platform"]
        assert isinstance(platform, PlatformResource)
        self.resources = {
            **(self.defs.resources or {}),
            "readiness_report": ReadinessResource(platform=platform, mode=self.mode),
        }

    def configure(self, **watch: bool) -> None:
        content = {
            "collect": "0s",
            "routes": [{"name": "all", "type": "console"}],
            "watch": {"freshness": False, **watch},
        }
        (self.settings.config_dir / "alerts.yaml").write_text(yaml.safe_dump(content))

    def limit(self, text: str) -> None:
        (self.settings.config_dir / "operations.yaml").write_text(text)

    def tick(self) -> set[str]:
        """What is wrong after a tick."""
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=self.defs.get_repository_def(),
            resources=self.resources,
        ) as context:
            told = self.defs.get_sensor_def("alerts_of_the_platform")(context)
        assert isinstance(told, dg.SensorResult)
        self.cursor = told.cursor
        found = self.operations.alerts.newest()
        assert {alert.phase for alert in found} <= {Phase.OPEN}
        return {alert.fingerprint for alert in found}

    @property
    def operations(self) -> Operations:
        return open_operations(self.settings.local_operations_url)

    @property
    def seen(self) -> dict[str, Any]:
        """What the cursor remembers."""
        return json.loads(self.cursor or "")

    def pass_an_hour(self) -> None:
        """Let the numbers of the cursor be an hour old."""
        self.cursor = json.dumps({**self.seen, "counted": self.seen["counted"] - 3_600})


def house_of(tmp_path: Path, instance: dg.DagsterInstance, mode: str) -> House:
    config = tmp_path / "config"
    copytree(PROJECT / "config", config)
    settings = Settings(data_dir=tmp_path / "data", config_dir=config, mode=Mode.BOOTSTRAP)
    return House(settings, instance, mode)


@pytest.fixture
def house(tmp_path: Path, instance: dg.DagsterInstance) -> House:
    return house_of(tmp_path, instance, "bootstrap")


def settle_in(monkeypatch: pytest.MonkeyPatch, redis: str, kafka: str = "") -> None:
    """The settings of institutional mode; only Redis and Kafka are asked here."""
    monkeypatch.setenv("TIMESCALEDB_URL", "postgresql://u:p@127.0.0.1:1/nowhere")
    monkeypatch.setenv("EMP_OPERATIONS_URL", "postgresql://u:p@127.0.0.1:1/nowhere")
    monkeypatch.setenv("REDIS_URL", redis)
    monkeypatch.setenv("KAFKA_INGEST_ENABLE_STREAMING", "true" if kafka else "false")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)


@dataclass
class Cache:
    """The cache of an installation, as its readers use it."""

    server: RedisServer

    def ask(self, *, hits: int = 0, misses: int = 0) -> None:
        cache = open_redis_cache(RedisSettings(url=self.server.url))
        cache.put("kept", b"bars")
        for _ in range(hits):
            assert cache.get("kept") == b"bars"
        for _ in range(misses):
            assert cache.get("unknown") is None
        cache.close()

    def stop(self) -> None:
        self.server.stop()
        presence_of.cache_clear()

    def start(self) -> None:
        self.server.start()
        presence_of.cache_clear()


@pytest.fixture
def cache(private_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cache]:
    presence_of.cache_clear()
    settle_in(monkeypatch, private_redis.url)
    yield Cache(private_redis)
    presence_of.cache_clear()


def test_the_cache_is_told_of_until_it_does_better_and_while_it_is_away(
    tmp_path: Path, instance: dg.DagsterInstance, cache: Cache, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sensors.platform_looks.CACHE_EVERY_SECONDS", 0.0)
    house = house_of(tmp_path, instance, "institutional")
    cache.ask(hits=1, misses=30)
    # What was before the first look speaks for nothing.
    assert house.tick() == set()
    assert house.tick() == set()
    cache.ask(hits=1, misses=30)
    assert house.tick() == {"cache|few_hits"}
    cache.ask(hits=30)
    assert house.tick() == set()

    cache.stop()
    assert house.tick() == {"cache|cache_unreachable"}
    assert house.seen["cache"] is None
    cache.start()
    assert house.tick() == set()


def test_the_cache_is_judged_by_whole_hours_also_after_an_outage(
    tmp_path: Path, instance: dg.DagsterInstance, cache: Cache
):
    house = house_of(tmp_path, instance, "institutional")
    assert house.tick() == set()
    first = {name: house.seen[name] for name in NUMBERS}
    cache.ask(hits=1, misses=30)
    assert house.tick() == set()
    assert {name: house.seen[name] for name in NUMBERS} == first
    house.pass_an_hour()
    assert house.tick() == {"cache|few_hits"}
    assert house.seen["cache"]["misses"] == 30

    cache.stop()
    assert house.tick() == {"cache|few_hits", "cache|cache_unreachable"}
    cache.start()
    # It is back; whether it answers enough is known an hour from now.
    assert house.tick() == {"cache|few_hits"}
    assert house.seen["cache"] is not None
    cache.ask(hits=30)
    house.pass_an_hour()
    assert house.tick() == set()


def test_a_cursor_of_a_time_before_the_cache_was_watched_is_read(
    tmp_path: Path, instance: dg.DagsterInstance, cache: Cache
):
    house = house_of(tmp_path, instance, "institutional")
    since = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    house.cursor = json.dumps({"version": 1, "since": since, "current": {}, "aged": since})
    cache.ask(misses=30)
    assert house.tick() == set()
    assert house.seen["cache"]["misses"] == 30
    assert house.seen["since"] == since


def test_kafka_is_told_of_until_it_is_there(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    kafka_bootstrap: str,
    kafka_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
):
    settle_in(monkeypatch, "redis://127.0.0.1:1/0", "127.0.0.1:1")
    monkeypatch.setenv("KAFKA_TIMEOUT_SECONDS", "1")
    house = house_of(tmp_path, instance, "institutional")
    away = {"cache|cache_unreachable"}
    assert house.tick() == {"kafka|kafka_unreachable", "kafka|kafka_no_sender", *away}
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("KAFKA_TIMEOUT_SECONDS", "10")
    monkeypatch.setenv("KAFKA_INGEST_DEFAULT_TOPIC", f"{kafka_prefix}none")
    assert house.tick() == {"kafka|kafka_topics", "kafka|kafka_no_sender", *away}
    # Nothing is sent any more: what was wrong with Kafka is nobody's trouble.
    monkeypatch.setenv("KAFKA_INGEST_ENABLE_STREAMING", "false")
    assert house.tick() == away


def stale(monkeypatch: pytest.MonkeyPatch, *, due: date) -> None:
    """Bars of one symbol that are as new as the fourth of March 2024."""
    there = {"AAA": date(2024, 3, 4)}

    def ages(_: object) -> list[AgeFact]:
        return [AgeFact("curated/bars_1d", there, {"AAA": due}, {"AAA": due})]

    monkeypatch.setattr("market_data.pipeline.ages.ages", ages)


def test_wrong_limits_are_told_of_and_keep_nothing_else_from_being_told(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    house.configure(freshness=True)
    stale(monkeypatch, due=date(2024, 3, 4))
    assert house.tick() == set()
    house.limit("latency: {samples: many}\n")
    stale(monkeypatch, due=date(2024, 3, 5))
    assert house.tick() == {"stale|curated/bars_1d|2024-03-05", "latency|"}
    (told,) = [a for a in house.operations.alerts.newest() if a.fingerprint == "latency|"]
    assert "operations.yaml: latency.samples" in told.trouble.detail
    assert told.trouble.runbook == "latency"
    house.limit("latency: {samples: 5}\n")
    assert house.tick() == {"stale|curated/bars_1d|2024-03-05"}


def test_a_policy_that_is_wrong_by_now_keeps_nothing_from_being_told(house: House):
    """What the daily schedule promises is what these definitions were made with."""
    house.limit("latency: {samples: many}\n")
    (house.settings.config_dir / "automation.yaml").write_text("daily: {sla: soon}\n")
    assert house.tick() == {"latency|"}


def test_settings_of_servers_that_do_not_suffice_are_told_of_by_part(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
):
    settle_in(monkeypatch, "")
    house = house_of(tmp_path, instance, "institutional")
    assert house.tick() == {"kafka|", "cache|"}
    details = {a.trouble.detail for a in house.operations.alerts.newest()}
    assert all("it cannot be looked at: institutional mode cannot start" in d for d in details)


def test_parts_that_nobody_wants_watched_are_left_alone(house: House):
    house.configure(parts=False)
    house.limit("latency: {samples: many}\n")
    assert house.tick() == set()
