"""A broker that is not there: keeps what it is sent, and tells it back.

What belongs here: standing in for a delivery, failing on command, the events in their order.
What does not: a real broker (tests/support/servers.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from adapters.kafka.delivery import Delivered, Message
from adapters.kafka.settings import KafkaSettings
from market_data.errors import StreamError
from market_data.ports.events import Event


@dataclass(frozen=True)
class Arrived:
    """Messages that have arrived at once."""

    delivered: Delivered

    def land(self) -> Delivered:
        return self.delivered


@dataclass
class Echo:
    """Takes messages as a broker would.

    Attributes:
        messages: all that arrived, in the order of arrival.
        takes: how many more it acknowledges; None without limit.
        forgets_to_say: how many more it keeps without acknowledging them.
        opened: how often a way to it was opened.
    """

    messages: list[Message] = field(default_factory=list)
    takes: int | None = None
    forgets_to_say: int = 0
    opened: int = 0

    def send(self, messages: Sequence[Message]) -> Delivered:
        acknowledged = []
        for place, message in enumerate(messages):
            if self.forgets_to_say:
                self.forgets_to_say -= 1
                self.messages.append(message)
            elif self.takes is None or self.takes > 0:
                self.takes = None if self.takes is None else self.takes - 1
                self.messages.append(message)
                acknowledged.append(place)
        if len(acknowledged) == len(messages):
            return Delivered(acknowledged)
        return Delivered(acknowledged, StreamError("the echo took no more"))

    def start(self, messages: Sequence[Message]) -> Arrived:
        return Arrived(self.send(messages))

    @contextmanager
    def open(self, settings: KafkaSettings) -> Iterator[Echo]:
        self.opened += 1
        yield self

    def events(self) -> list[Event]:
        """Each event once, in the order of the outbox."""
        first: dict[bytes, Message] = {}
        for message in self.messages:
            first.setdefault(dict(message.headers)["event_id"], message)
        ordered = sorted(first.values(), key=lambda m: int(dict(m.headers)["sequence"]))
        return [Event.from_json(message.value) for message in ordered]
