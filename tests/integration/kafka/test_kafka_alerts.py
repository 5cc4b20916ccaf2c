"""Alerts in a topic of a real broker: once, in their order, under their ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.alerts.opening import open_route
from adapters.alerts.route import DeliveryError
from adapters.alerts.sender import AlertSender
from adapters.clock import SystemClock
from adapters.kafka.clients import consumer
from adapters.kafka.settings import KafkaSettings
from adapters.operations import SqlAlerts
from tests.support.alert_rows import bad, good, minutes, rules
from tests.support.operations_file import open_new


def test_a_story_arrives_in_its_order(
    settings: KafkaSettings,
    kafka_prefix: str,
    kafka_bootstrap: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    topic = f"{kafka_prefix}alerts"
    told = rules({"name": "bus", "type": "kafka", "topic": topic})
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("KAFKA_TIMEOUT_SECONDS", "3")
    store = SqlAlerts(open_new(f"sqlite:///{tmp_path}/operations.sqlite"))
    messages = []
    for minute, seen in enumerate([bad, good, bad, good]):
        look = [seen(minutes(minute))]
        messages += store.evaluate(lambda _, s=look: s, told, minutes(minute)).messages
    with pytest.raises(DeliveryError, match="emp kafka topics"):
        open_route(told.routes[0]).deliver(messages[0])
    monkeypatch.setenv("KAFKA_INGEST_AUTO_CREATE_TOPICS", "true")
    (done,) = AlertSender(store.outbox, told, SystemClock()).drain()
    assert (done.sent, done.error) == (4, "")
    with consumer(
        settings, group_id=f"{kafka_prefix}alerts", auto_offset_reset="earliest"
    ) as opened:
        opened.subscribe([topic])
        records = []
        for _ in range(30):
            for found in opened.poll(timeout_ms=1_000).values():
                records += found
            if len(records) >= 4:
                break
    assert [dict(r.headers)["idempotency_key"].decode() for r in records] == [
        m.id for m in messages
    ]
    assert [r.value.decode() for r in records] == [m.to_json() for m in messages]
