"""Kafka: brokers, topics, one message there and back, consumer lag."""

from __future__ import annotations

import uuid

from adapters.kafka.clients import admin, told
from adapters.kafka.delivery import Message, delivery
from adapters.kafka.lag import consumer_lag
from adapters.kafka.reader import messages
from adapters.kafka.settings import KafkaSettings, TopicSpec
from adapters.kafka.topics import cluster, provision
from adapters.probes.probe import Facts, Finding, Probe, State

PART = "kafka"
_CURE = "check KAFKA_BOOTSTRAP_SERVERS and that the broker runs"


def kafka_probe(settings: KafkaSettings) -> Probe:
    """A look at the brokers."""
    return Probe(PART, lambda: _look(settings), _CURE)


def _look(settings: KafkaSettings) -> Finding:
    if not settings.streaming:
        return Finding(PART, State.OFF, "KAFKA_INGEST_ENABLE_STREAMING=false: nothing is sent")
    there = cluster(settings)
    needed = {spec.name for spec in settings.topic_specs()}
    lag = consumer_lag(settings)
    facts: Facts = {"brokers": there.brokers, "topics": len(needed), "lag": lag.total}
    missing = sorted(needed - set(there.topics))
    if not _round_trip(settings):
        return Finding(PART, State.ERROR, "a message did not come back", _CURE, facts)
    if missing:
        named = f"topics are missing: {', '.join(missing)}"
        return Finding(PART, State.DEGRADED, named, "run 'emp kafka topics'", facts)
    if lag.total >= settings.readiness_lag_warn:
        behind = f"group {lag.group} is {lag.total} messages behind"
        cure = "see docs/runbooks/kafka-offset-recovery.md"
        return Finding(PART, State.DEGRADED, behind, cure, facts)
    return Finding(PART, State.OK, f"{there.brokers} brokers, every topic is there", facts=facts)


def _round_trip(settings: KafkaSettings) -> bool:
    """Whether a message comes back, through a topic that is gone afterwards."""
    name, value = f"emp.probe.{uuid.uuid4().hex}", uuid.uuid4().hex.encode()
    provision(settings, [TopicSpec(name, 1, None, {})])
    try:
        with delivery(settings) as opened:
            sent = opened.send([Message(name, b"probe", value)])
        if sent.error is not None:
            raise sent.error
        return [record.value for record in messages(settings, [name])] == [value]
    finally:
        with admin(settings) as opened, told(settings, "removing the probe's topic"):
            opened.delete_topics([name])
