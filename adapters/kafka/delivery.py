"""Messages to the broker, and which of them it acknowledged.

What belongs here: sending with one idempotent producer and waiting for the broker's word.
What does not: what is sent (relay.py, replay.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.kafka.clients import (
    BATCH_BYTES,
    LINGER_MILLISECONDS,
    explained,
    listening,
    producer,
)
from adapters.kafka.settings import KafkaSettings
from market_data.errors import StreamError

if TYPE_CHECKING:
    from kafka import KafkaProducer
    from kafka.errors import KafkaError
    from kafka.producer.future import FutureRecordMetadata

_GRACE_SECONDS = 1.0
Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Message:
    """One message as the broker gets it."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()


@dataclass(frozen=True)
class Delivered:
    """What became of some messages.

    Attributes:
        acknowledged: places of the messages that every replica in step has.
        error: why the others are not there; None where there are none.
    """

    acknowledged: list[int] = field(default_factory=list)
    error: StreamError | None = None


class Flight:
    """Messages on their way to the broker. Made by `Delivery.start`."""

    def __init__(
        self,
        settings: KafkaSettings,
        messages: Sequence[Message],
        futures: Sequence[FutureRecordMetadata],
        trouble: KafkaError | None,
    ) -> None:
        self._settings = settings
        self._messages = messages
        self._futures = futures
        self._trouble = trouble

    def land(self) -> Delivered:
        """Wait for the broker's word on each, little more than KAFKA_TIMEOUT_SECONDS.

        After an error the delivery is not to be used again: a message that was given up has left
        a gap that later ones must not close.
        """
        from kafka.errors import KafkaError

        # The producer's own time-out does not hold for what was under way when a broker died.
        deadline = time.monotonic() + self._settings.timeout_seconds + _GRACE_SECONDS
        acknowledged = []
        trouble = self._trouble
        for place, future in enumerate(self._futures):
            try:
                future.get(timeout=max(0.0, deadline - time.monotonic()))
                acknowledged.append(place)
            except KafkaError as error:
                trouble = trouble or error
        if trouble is None:
            return Delivered(acknowledged)
        known = set(acknowledged)
        topic = next(m.topic for p, m in enumerate(self._messages) if p not in known)
        why = self._explained(trouble, topic)
        return Delivered(acknowledged, StreamError(f"sending to topic {topic} failed: {why}"))

    def _explained(self, error: Exception, topic: str) -> str:
        from kafka.errors import KafkaTimeoutError

        if isinstance(error, KafkaTimeoutError) and not self._knows(topic):
            return f"the broker has no topic {topic}: 'emp kafka topics' makes what is missing"
        return explained(error, self._settings)

    def _knows(self, topic: str) -> bool:
        """False where the brokers say that there is no such topic."""
        from adapters.kafka.topics import cluster

        if not listening(self._settings):
            return True
        try:
            return topic in cluster(self._settings).topics
        except StreamError:
            return True


class Delivery:
    """Sends messages, in their order per key."""

    def __init__(self, settings: KafkaSettings, opened: KafkaProducer) -> None:
        self._settings = settings
        self._producer = opened

    def start(self, messages: Sequence[Message]) -> Flight:
        """Hand messages to the producer, which sends them while others are made."""
        from kafka.errors import KafkaError

        futures: list[FutureRecordMetadata] = []
        trouble: KafkaError | None = None
        try:
            for message in messages:
                sent = self._producer.send(
                    message.topic, message.value, message.key, list(message.headers)
                )
                futures.append(sent)
        except KafkaError as error:
            trouble = error
        return Flight(self._settings, messages, futures, trouble)

    def send(self, messages: Sequence[Message]) -> Delivered:
        """Send messages and wait for the broker's word on each, see `Flight.land`."""
        return self.start(messages).land()


@contextmanager
def delivery(
    settings: KafkaSettings,
    *,
    batch_bytes: int = BATCH_BYTES,
    linger_milliseconds: int = LINGER_MILLISECONDS,
) -> Iterator[Delivery]:
    """A delivery over a producer of its own.

    Args:
        settings: where to.
        batch_bytes: messages of one partition that travel together, as far as they fit.
        linger_milliseconds: how long a message waits for others to travel with.

    Raises:
        StreamError: no broker can be used; the message says why and names the cure.
        ConfigurationError: no broker is named.
    """
    with producer(
        settings, batch_bytes=batch_bytes, linger_milliseconds=linger_milliseconds
    ) as opened:
        yield Delivery(settings, opened)
