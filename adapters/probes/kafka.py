"""Kafka: brokers, topics, one message there and back, consumer lag.

Messages go through the topic `emp.probe`, the one thing that a look leaves behind: it is made when
it is missing, has one partition, and keeps a message for an hour.
"""

from __future__ import annotations

import uuid

from adapters.kafka.clients import listening, unusable
from adapters.kafka.delivery import Message, delivery
from adapters.kafka.lag import readers_lag
from adapters.kafka.reader import messages
from adapters.kafka.settings import KafkaSettings, TopicSpec
from adapters.kafka.topics import cluster, provision
from adapters.probes.probe import Facts, Finding, Probe, State
from market_data.errors import StreamError

PART = "kafka"
TOPIC = TopicSpec("emp.probe", 1, None, {"cleanup.policy": "delete", "retention.ms": "3600000"})
"""Standing, and of every installation that shares the brokers."""
_CURE = "check KAFKA_BOOTSTRAP_SERVERS and that the broker runs"


def kafka_probe(settings: KafkaSettings) -> Probe:
    """A look at the brokers."""
    return Probe(PART, lambda: _look(settings), _CURE)


def _look(settings: KafkaSettings) -> Finding:
    if not settings.streaming:
        return Finding(PART, State.OFF, "KAFKA_INGEST_ENABLE_STREAMING=false: nothing is sent")
    if not listening(settings):
        # The clients would find that out in KAFKA_TIMEOUT_SECONDS.
        raise StreamError(unusable(settings))
    there = cluster(settings)
    needed = {spec.name for spec in settings.topic_specs()}
    lag = readers_lag(settings)
    facts: Facts = {"brokers": there.brokers, "topics": len(needed), "lag": lag.total}
    missing = sorted(needed - set(there.topics))
    if TOPIC.name not in there.topics:
        provision(settings, [TOPIC])
    if not _round_trip(settings):
        return Finding(PART, State.ERROR, "a message did not come back", _CURE, facts)
    if missing:
        named = f"topics are missing: {', '.join(missing)}"
        return Finding(PART, State.DEGRADED, named, "run 'emp kafka topics'", facts)
    if lag.group and lag.total >= settings.readiness_lag_warn:
        behind = f"group {lag.group} is {lag.total} messages behind"
        cure = "see docs/runbooks/kafka-offset-recovery.md"
        return Finding(PART, State.DEGRADED, behind, cure, facts)
    return Finding(PART, State.OK, f"{there.brokers} brokers, every topic is there", facts=facts)


def _round_trip(settings: KafkaSettings) -> bool:
    """Whether a message comes back, known by its value among those of other looks."""
    value = uuid.uuid4().hex.encode()
    with delivery(settings) as opened:
        sent = opened.send([Message(TOPIC.name, b"probe", value)])
    if sent.error is not None:
        raise sent.error
    return any(record.value == value for record in messages(settings, [TOPIC.name]))
