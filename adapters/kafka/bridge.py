"""The bridge: events from topics to a function, offsets committed afterwards.

What belongs here: waiting for events, handing each over once, committing.
What does not: what is done with an event.

Offsets are committed after the function has returned, so that a bridge that dies hands its last
events over again: the function must stand that. Within one bridge an event whose id was seen is
left out.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from adapters.kafka.clients import consumer, told
from adapters.kafka.settings import KafkaSettings
from market_data.errors import SchemaError
from market_data.ports.events import Event

if TYPE_CHECKING:
    from kafka import KafkaConsumer

POLL_SECONDS = 1.0
IDLE_SECONDS = 0.5
_REMEMBERED = 100_000
"""Ids of the newest events."""


@dataclass(frozen=True)
class Bridged:
    """What one look at the topics brought.

    Attributes:
        events: handed over.
        repeated: left out, since their id was seen.
        unreadable: where messages are that are no events, as topic/partition/offset.
    """

    events: int = 0
    repeated: int = 0
    unreadable: tuple[str, ...] = ()


class Bridge:
    """One consumer of a group. Made by `bridge`."""

    def __init__(
        self, settings: KafkaSettings, opened: KafkaConsumer | None, hand: Callable[[Event], None]
    ) -> None:
        self._settings = settings
        self._consumer = opened
        self._hand = hand
        self._seen: OrderedDict[str, None] = OrderedDict()

    def look(self, seconds: float = POLL_SECONDS) -> Bridged:
        """Hand over what came, then commit; wait at most so many seconds for something.

        Raises:
            StreamError: the broker is away, or the commit failed.
            Exception: whatever the function raised; its event and those after it come again.
        """
        if self._consumer is None:
            return Bridged()
        with told(self._settings, "reading events"):
            found = self._consumer.poll(timeout_ms=int(seconds * 1_000))
        left = {partition: records[0].offset for partition, records in found.items()}
        bridged = Bridged()
        try:
            for partition, records in found.items():
                for record in records:
                    bridged = self._take(record, bridged)
                    left[partition] = record.offset + 1
        except BaseException:
            # What was not handed over comes again, here or after a new start.
            for partition, offset in left.items():
                self._consumer.seek(partition, offset)
            raise
        if found and self._settings.ingest_consumer_commit_on_publish:
            self._commit(self._consumer)
        return bridged

    def follow(self, stop: threading.Event, tell: Callable[[Bridged], None]) -> None:
        """Look until told to stop; idle where nothing streams.

        Raises:
            StreamError: the broker is away.
        """
        while not stop.is_set():
            bridged = self.look()
            if bridged != Bridged():
                tell(bridged)
            else:
                stop.wait(IDLE_SECONDS)

    def _take(self, record: Any, so_far: Bridged) -> Bridged:
        """Hand over the event of one message."""
        try:
            event = Event.from_json(record.value)
        except SchemaError:
            where = f"{record.topic}/{record.partition}/{record.offset}"
            return replace(so_far, unreadable=(*so_far.unreadable, where))
        if event.event_id in self._seen:
            return replace(so_far, repeated=so_far.repeated + 1)
        self._hand(event)
        self._remember(event.event_id)
        return replace(so_far, events=so_far.events + 1)

    def _commit(self, opened: KafkaConsumer) -> None:
        with told(self._settings, "committing offsets"):
            if self._settings.ingest_consumer_commit_async:
                opened.commit_async()
            else:
                opened.commit()

    def _remember(self, event_id: str) -> None:
        self._seen[event_id] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


@contextmanager
def bridge(
    settings: KafkaSettings, hand: Callable[[Event], None], topics: Sequence[str] | None = None
) -> Iterator[Bridge]:
    """A bridge that is open; where nothing streams, one that never finds anything.

    Args:
        settings: where, which group, when to commit.
        hand: takes one event.
        topics: None for all that events go to.

    Raises:
        StreamError: no broker can be used.
    """
    if not settings.streaming:
        yield Bridge(settings, None, hand)
        return
    with consumer(
        settings,
        group_id=settings.ingest_consumer_group,
        auto_offset_reset=settings.ingest_consumer_offset_reset,
        enable_auto_commit=settings.ingest_consumer_auto_commit,
    ) as opened:
        opened.subscribe(list(topics or sorted(set(settings.topics().values()))))
        yield Bridge(settings, opened, hand)
