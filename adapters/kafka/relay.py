"""The relay: events from the outbox to the broker.

What belongs here: the order in which events are sent, marked and forgotten.
What does not: the outbox (adapters/operations/outbox.py), the producer (delivery.py).

Every event reaches its topic at least once, under its id; a listener leaves out an id that it has
seen, as reader and bridge do. It arrives twice only when a relay dies, or falls silent for longer
than its lease, after the broker had the event and before the outbox was told. Every relay sends
what waits from the oldest on, so that the first arrivals of a key are in the order of its events
even then. The header `sequence` holds an event's place, for a listener that wants to be sure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from adapters.kafka.delivery import Delivered, Delivery, Message, delivery
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import provision
from adapters.operations.leases import Lease
from adapters.operations.outbox import Pending, SqlOutbox
from market_data.errors import StreamError
from market_data.ports.clock import Clock

EVENT_ID = "event_id"
SEQUENCE = "sequence"
BATCH = 500
PRESENT = timedelta(minutes=3)
"""How long after its last look a sender counts as there."""
KEPT = timedelta(days=7)
"""How long a sent event stays in the outbox, to be sent again should the broker lose it."""


@dataclass(frozen=True)
class Relayed:
    """What one pass did.

    Attributes:
        sent: events that the broker has now.
        busy: another relay holds the lease; it sends what waits.
    """

    sent: int = 0
    busy: bool = False


class Relay:
    """Sends what waits in an outbox; of several relays one at a time.

    Args:
        settings: where to, and which topics.
        outbox: where from.
        lease: held while sending; its term is longer than a batch can take.
        clock: tells when an event was sent.
        open_delivery: opens the way to the broker.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        outbox: SqlOutbox,
        lease: Lease,
        clock: Clock,
        open_delivery: Callable[[KafkaSettings], AbstractContextManager[Delivery]] = delivery,
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._lease = lease
        self._clock = clock
        self._open = open_delivery
        self._presence = outbox.presence(term=PRESENT)

    def drain(self) -> Relayed:
        """Send everything that waits, then forget what was sent long ago.

        Raises:
            StreamError: the broker does not take it; what it took is marked, the rest waits.
            ConfigurationError: no broker is named.
        """
        if not self._settings.streaming:
            return Relayed()
        self._presence.take()
        if not self._outbox.pending(1):
            return Relayed()
        if not self._lease.take():
            return Relayed(busy=True)
        try:
            sent = self._send_all()
            self._outbox.purge(before=self._clock.now() - KEPT)
            return Relayed(sent)
        finally:
            self._lease.give_back()

    def follow(
        self, stop: threading.Event, *, every: float = 2.0, tell: Callable[[str], None]
    ) -> None:
        """Drain until told to stop; trouble is told once, and waited out with growing pauses.

        Args:
            stop: set by another thread or a signal.
            every: seconds between two looks at the outbox.
            tell: takes a sentence about what changed.
        """
        pause, trouble = every, ""
        while not stop.is_set():
            try:
                relayed = self.drain()
                if relayed.sent:
                    tell(f"{relayed.sent} events sent")
                pause, trouble = every, ""
            except StreamError as error:
                if str(error) != trouble:
                    tell(str(error))
                pause, trouble = min(60.0, pause * 2), str(error)
            stop.wait(pause)

    def _send_all(self) -> int:
        if self._settings.ingest_auto_create_topics:
            provision(self._settings)
        sent = 0
        with self._open(self._settings) as opened:
            while waiting := self._outbox.pending(BATCH):
                if not self._lease.take():
                    return sent
                self._presence.take()
                delivered = opened.send(self._messages(waiting))
                sent += self._mark(waiting, delivered)
                if delivered.error is not None:
                    left = self._outbox.backlog().waiting
                    raise StreamError(f"{delivered.error}; {left} events wait in the outbox")
        return sent

    def _messages(self, waiting: Sequence[Pending]) -> list[Message]:
        topics = self._settings.topics()
        return [
            Message(
                topics[entry.dimension],
                entry.key.encode(),
                entry.body.encode(),
                (
                    (EVENT_ID, entry.event_id.encode()),
                    (SEQUENCE, str(entry.sequence).encode()),
                ),
            )
            for entry in waiting
        ]

    def _mark(self, waiting: Sequence[Pending], delivered: Delivered) -> int:
        done = [waiting[place].sequence for place in delivered.acknowledged]
        self._outbox.mark_sent(done, at=self._clock.now())
        return len(done)
