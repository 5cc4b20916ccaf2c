"""Routes without a protocol of their own: the console, and a topic of Kafka.

What belongs here: lines on standard error, messages through adapters/kafka.
What does not: Kafka's clients (adapters/kafka).
"""

from __future__ import annotations

import sys
from typing import TextIO

from adapters.alerts.route import DeliveryError
from market_data.alerts import Message
from market_data.alerts.rules import ConsoleRoute, KafkaRoute
from market_data.errors import StreamError


class Console:
    """The text of a message, on standard error unless told otherwise."""

    def __init__(self, rules: ConsoleRoute, stream: TextIO | None = None) -> None:
        self.name = rules.name
        self._stream = stream

    def deliver(self, message: Message) -> None:
        """Write one message, see the protocol."""
        stream = self._stream or sys.stderr
        try:
            stream.write(f"{message.text}\n({message.state} {message.id})\n")
            stream.flush()
        except (OSError, ValueError) as error:
            raise DeliveryError(f"route {self.name}: {type(error).__name__}") from error


class Kafka:
    """The JSON form of a message, under its id in the header idempotency_key.

    The key of every message is the route's name: one partition keeps their order.
    """

    def __init__(self, rules: KafkaRoute) -> None:
        self.name = rules.name
        self._topic = rules.topic

    def deliver(self, message: Message) -> None:
        """Send one message and wait for the brokers' word, see the protocol."""
        from adapters.kafka.delivery import Message as Record
        from adapters.kafka.delivery import delivery
        from adapters.kafka.settings import KafkaSettings
        from adapters.kafka.topics import provision
        from adapters.variables import read

        record = Record(
            self._topic,
            self.name.encode(),
            message.to_json().encode(),
            (("idempotency_key", message.id.encode()), ("state", str(message.state).encode())),
        )
        settings = read(KafkaSettings)
        try:
            if settings.ingest_auto_create_topics:
                mine = [s for s in settings.topic_specs(self._topic) if s.name == self._topic]
                provision(settings, mine)
            with delivery(settings, linger_milliseconds=0) as opened:
                delivered = opened.send([record])
        except StreamError as error:
            raise DeliveryError(f"route {self.name}: {error}") from error
        if delivered.error is not None:
            raise DeliveryError(f"route {self.name}: {delivered.error}") from delivered.error
