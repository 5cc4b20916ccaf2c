"""Against a real broker: reports on operations on their topics, and lag that becomes an alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.clock import FixedClock, SystemClock
from adapters.kafka.factory import open_relay
from adapters.kafka.lag import move_group
from adapters.kafka.reader import read_events
from adapters.kafka.settings import KafkaSettings
from adapters.operations_opening import Operations, open_operations
from adapters.operations_reports import make_reports
from adapters.operations_watch import kafka_section, latency_of
from market_data.alerts import Kind, observe
from market_data.alerts.part_sources import sightings_of_parts
from market_data.operations.limits import LatencyLimits
from market_data.operations.reports import MAKERS
from market_data.ports.event_results import OperationsReport
from market_data.ports.events import Event
from tests.support.alert_rows import rules
from tests.support.worlds import World

TOPICS = {
    "ingest_metrics": "metrics",
    "ingest_health": "health",
    "ingest_observability": "observability",
    "ingest_trends": "trends",
    "slo_report": "operational.slos",
    "daily_checklist": "operational.checklist",
    "data_retention": "data_backbone.retention",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """An installation of now, without data."""
    return World.at(tmp_path_factory.mktemp("world"), datetime.now(UTC))


@pytest.fixture(scope="module")
def operations(world: World) -> Operations:
    """Its operations database, with listeners."""
    return open_operations(world.settings.local_operations_url, streaming=True)


@pytest.fixture(scope="module")
def told(world: World, operations: Operations, settings: KafkaSettings) -> dict[str, dict]:
    """Every report made once, and sent."""
    accounts = make_reports(world.settings, world.platform, operations, list(MAKERS))
    assert open_relay(settings, operations.outbox, SystemClock()).drain().sent == len(MAKERS)
    return {account.name: account.to_json() for account in accounts}


def test_every_report_arrives_on_its_topic_equal_to_what_was_kept(
    told: dict[str, dict], operations: Operations, settings: KafkaSettings
) -> None:
    for name, ending in TOPICS.items():
        (event,) = read_events(settings, [f"{settings.ingest_default_topic}.{ending}"])
        assert isinstance(event.result, OperationsReport)
        assert (event.result.report, event.key, dict(event.result.body)) == (name, name, told[name])
        assert dict(operations.reports.newest(name)[0].body) == told[name]


@pytest.mark.usefixtures("told")
def test_the_way_of_an_event_is_measured_from_its_moment_to_the_brokers_word(
    operations: Operations,
) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    found = operations.outbox.deliveries(since=since)
    assert set(found["dimension"]) == {e.rpartition(".")[2] for e in TOPICS.values()}
    assert (found["sent_at"] >= found["emitted_at"]).all()
    assert operations.outbox.deliveries(since=datetime.now(UTC)).is_empty()
    section = latency_of(operations, LatencyLimits(samples=1), SystemClock())
    assert set(section.facts) == {f"delivery_{d}_p95_seconds" for d in found["dimension"]}


@pytest.mark.usefixtures("told")
def test_a_reader_that_is_behind_alerts_until_it_has_caught_up(
    operations: Operations, settings: KafkaSettings
) -> None:
    strict = settings.model_copy(update={"readiness_lag_warn": 1, "readiness_lag_fail": 6})
    move_group(strict, "earliest")
    behind = kafka_section(strict, operations.outbox, SystemClock())
    now = datetime.now(UTC)
    alerts = observe({}, sightings_of_parts([behind], {}, now), rules())
    lag = alerts["kafka|kafka_lag"].trouble
    assert (lag.kind, lag.severity.value, lag.runbook) == (
        Kind.KAFKA, "error", "kafka-lag#kafka_lag",
    )  # fmt: skip
    assert behind.facts["lag"] == len(MAKERS)
    move_group(strict, "latest")
    caught_up = kafka_section(strict, operations.outbox, SystemClock())
    later = sightings_of_parts([caught_up], alerts, now + timedelta(minutes=5))
    assert ("kafka|kafka_lag", None) in {(s.fingerprint, s.trouble) for s in later}


def test_how_long_an_event_waits_is_counted_by_the_clock_of_the_look(tmp_path: Path) -> None:
    noon = datetime(2024, 3, 8, 12, tzinfo=UTC)
    url = World.at(tmp_path, noon).settings.local_operations_url
    ports = open_operations(url, streaming=True)
    report = OperationsReport(report="slo_report", status="ok", body={})
    ports.events.publish([Event(report, noon)])
    away = KafkaSettings(bootstrap_servers=("127.0.0.1:1",), timeout_seconds=1)
    section = kafka_section(away, ports.outbox, FixedClock(noon + timedelta(days=1)))
    assert {r.code: r.value for r in section.reasons}["kafka_waiting"] == 86_400


def test_brokers_that_are_away_are_told_by_a_code_of_their_own(operations: Operations) -> None:
    away = KafkaSettings(bootstrap_servers=("127.0.0.1:1",), timeout_seconds=1)
    section = kafka_section(away, operations.outbox, SystemClock())
    assert "kafka_unreachable" in {r.code for r in section.reasons}
