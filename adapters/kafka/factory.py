"""Opening the parts of this package from settings.

What belongs here: which class stands for what, with streaming on and off; the look at Kafka that
readiness judges. What does not: how a part works; each has a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from adapters.kafka.delivery import delivery
from adapters.kafka.lag import ConsumerLag, consumer_lag, readers_lag
from adapters.kafka.relay import PRESENT, Relay
from adapters.kafka.replay import Target
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import Cluster, cluster
from adapters.operations.outbox import SqlOutbox
from market_data.errors import ConfigurationError, StreamError
from market_data.operations.kafka_readiness import KafkaState
from market_data.pipeline.platform import Unheard
from market_data.ports.clock import Clock
from market_data.ports.events import EventPublisher

_MARGIN_SECONDS = 20.0


def open_publisher(settings: KafkaSettings, outbox: SqlOutbox) -> EventPublisher:
    """Where the platform's steps tell what they did: the outbox, or nobody."""
    return outbox if settings.streaming else Unheard()


def open_relay(settings: KafkaSettings, outbox: SqlOutbox, clock: Clock) -> Relay:
    """What sends the events that wait in an outbox.

    Args:
        settings: where to.
        outbox: where from.
        clock: tells when an event was sent.
    """
    # A batch takes the time-out, and finding out why it failed as long again.
    term = timedelta(seconds=2 * settings.timeout_seconds + _MARGIN_SECONDS)
    return Relay(settings, outbox, outbox.lease(term=term), clock)


def need_streaming(settings: KafkaSettings) -> None:
    """Refuse where nothing shall be sent.

    Raises:
        ConfigurationError: no broker is named, or streaming is switched off.
    """
    if not settings.configured:
        raise ConfigurationError(
            "nothing is sent: KAFKA_BOOTSTRAP_SERVERS is not set: name a broker, host:port"
        )
    if not settings.ingest_enable_streaming:
        raise ConfigurationError(
            "nothing is sent: KAFKA_INGEST_ENABLE_STREAMING is false, set it to true"
        )


@contextmanager
def open_target(settings: KafkaSettings, topic: str | None = None) -> Iterator[Target]:
    """Where a replay goes: a topic of its own, or the one of the settings.

    Raises:
        StreamError: no broker can be used.
        ConfigurationError: no broker is named, or streaming is switched off.
    """
    need_streaming(settings)
    # A message is as large as it may be: it gains nothing by waiting for others.
    batch = settings.max_message_bytes
    with delivery(settings, batch_bytes=batch, linger_milliseconds=0) as opened:
        yield Target(opened, topic or settings.replay_topic, settings.max_message_bytes)


def look(settings: KafkaSettings, outbox: SqlOutbox, clock: Clock) -> KafkaState:
    """What is to be seen of Kafka now; a broker that is away is part of the answer.

    Args:
        settings: where.
        outbox: whose backlog counts.
        clock: tells when the look was.
    """
    backlog = outbox.backlog()
    needed = tuple(spec.name for spec in settings.topic_specs())
    error = ""
    there = Cluster(0, {})
    lag = requests = ConsumerLag("", ())
    if settings.streaming:
        try:
            there = cluster(settings)
            lag = readers_lag(settings)
            if settings.refresh_topic in there.topics:
                requests = consumer_lag(settings, settings.refresh_group, [settings.refresh_topic])
        except StreamError as trouble:
            error = str(trouble)
    return KafkaState(
        at=clock.now(),
        streaming=settings.streaming,
        error=error,
        brokers=there.brokers,
        publishers=int(outbox.presence(term=PRESENT).is_held()),
        topics_needed=needed,
        topics_there=tuple(there.topics),
        waiting=backlog.waiting,
        oldest_waiting=backlog.oldest,
        group=lag.group,
        lag=lag.total,
        lost=lag.lost,
        stranded=lag.stranded,
        requests_group=requests.group,
        requests_lag=requests.total,
        requests_lost=requests.lost,
    )
