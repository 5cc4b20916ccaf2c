"""Messages that ask for a refresh, batch by batch, on a connection that is kept.

What belongs here: which partitions are read from where, batches, the offsets that Kafka keeps,
sending such messages. What does not: what a message says (market_data/refresh_messages.py), what is
made of it (market_data/pipeline/refreshing.py), where reading goes on
(adapters/operations/messages.py).

All partitions are assigned by hand: two readers see the same messages, and the operations database
lets one of them take each. So no reader waits for a group to settle, or for one that died.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.kafka.clients import consumer, told
from adapters.kafka.delivery import Message, delivery
from adapters.kafka.settings import KafkaSettings
from market_data.errors import StreamError

if TYPE_CHECKING:
    from kafka import KafkaConsumer, TopicPartition

POLL_SECONDS = 0.5
"""How long a tick waits for something on a connection that is there."""
FIRST_POLL_SECONDS = 3.0
"""The same on a new one, which asks the brokers first."""
_RECORDS = 5_000

Places = Callable[[str], Mapping[int, int]]
"""From a log to where reading of each partition goes on, as far as that is known."""


@dataclass(frozen=True)
class Received:
    """One message: its partition, its offset, its body."""

    partition: int
    place: int
    body: bytes | None


@dataclass(frozen=True)
class Batch:
    """Messages that came together.

    Attributes:
        messages: in their order per partition.
        log: where they were: the topic and, where the brokers tell one, its id.
        was: by partition, where reading began as it was known; None where nothing was.
        becomes: by partition, where it goes on.
    """

    messages: tuple[Received, ...]
    log: str
    was: Mapping[int, int | None]
    becomes: Mapping[int, int]


class RefreshReader:
    """A reader of the refresh topic. Made by `kept_reader`.

    Args:
        settings: where, which topic, which group's offsets.
        opened: a consumer of that group.
        places: tells where reading goes on, whenever partitions are taken up.
    """

    def __init__(self, settings: KafkaSettings, opened: KafkaConsumer, places: Places) -> None:
        self._settings = settings
        self._consumer = opened
        self._places = places
        self._known: dict[int, int | None] = {}
        self._log = ""
        self._fresh = True

    def look(self, limit: int) -> Batch | None:
        """What came, at most `limit` messages; None where there is no such topic.

        Raises:
            StreamError: the broker is away.
        """
        topic = self._settings.refresh_topic
        with told(self._settings, f"reading topic {topic}"):
            numbers = self._consumer.partitions_for_topic(topic)
            if not numbers:
                return None
            log = self._log_of(topic)
            if set(numbers) != set(self._known) or log != self._log:
                self._take_up(sorted(numbers), log)
            seconds = FIRST_POLL_SECONDS if self._fresh else POLL_SECONDS
            self._fresh = False
            return self._batch(seconds, limit)

    def recorded(self, batch: Batch) -> None:
        """What was made of a batch is kept: so may its offsets be.

        Raises:
            StreamError: the broker is away.
        """
        self._known.update(batch.becomes)
        with told(self._settings, "committing offsets"):
            self._commit(batch.becomes)

    def lost(self) -> None:
        """Another reader took what this one read: the next look begins where that one ended."""
        self._known = {}

    def _log_of(self, topic: str) -> str:
        """The topic, and the id by which the brokers know it from a former one of its name.

        Nothing public tells the id. Brokers before 2.8 have none.
        """
        known = self._consumer._cluster.topic_id(topic)  # noqa: SLF001
        return f"{topic} {known}" if known else topic

    def _take_up(self, numbers: Sequence[int], log: str) -> None:
        """Assign every partition, each from where reading of this log goes on.

        A place beyond the end is one of a topic that was made anew since, told by brokers without
        ids. Offsets that a reader died before it committed are made up for.
        """
        partitions = [self._partition(n) for n in numbers]
        self._consumer.assign(partitions)
        first = self._consumer.beginning_offsets(partitions)
        end = self._consumer.end_offsets(partitions)
        known = self._places(log)
        reached: dict[int, int] = {}
        for partition in partitions:
            place = known.get(partition.partition, -1)
            if first[partition] <= place <= end[partition]:
                reached[partition.partition] = place
            self._consumer.seek(partition, reached.get(partition.partition, first[partition]))
        if reached:
            self._commit(reached)
        self._known, self._log = {n: known.get(n) for n in numbers}, log

    def _commit(self, places: Mapping[int, int]) -> None:
        from kafka import OffsetAndMetadata

        self._consumer.commit(
            {self._partition(n): OffsetAndMetadata(p, "", -1) for n, p in places.items()},
            timeout_ms=int(self._settings.timeout_seconds * 1_000),
        )

    def _batch(self, seconds: float, limit: int) -> Batch:
        found: list[Received] = []
        becomes: dict[int, int] = {}
        deadline = time.monotonic() + seconds
        while len(found) < limit:
            left = max(0.0, deadline - time.monotonic())
            records = self._consumer.poll(
                timeout_ms=int(left * 1_000), max_records=min(_RECORDS, limit - len(found))
            )
            if not records:
                break
            for partition, several in records.items():
                found += [Received(r.partition, r.offset, r.value) for r in several]
                becomes[partition.partition] = several[-1].offset + 1
            deadline = time.monotonic() + POLL_SECONDS
        was = {n: self._known[n] for n in becomes}
        return Batch(tuple(found), self._log, was, becomes)

    def _partition(self, number: int) -> TopicPartition:
        from kafka import TopicPartition

        return TopicPartition(self._settings.refresh_topic, number)


class _Kept:
    """The reader of a process, and who uses it."""

    settings: KafkaSettings | None
    reader: RefreshReader | None

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)
        # Left open, it would be closed by nobody: at the very end its thread is gone already.
        atexit.register(self.forget)

    def forget(self) -> None:
        """Close the reader; the next use opens another."""
        self.reader = None
        self.closing.close()

    def _begin(self) -> None:
        # A forked child has neither the reader's thread nor the one that may hold the lock.
        self.lock = threading.Lock()
        self.settings = None
        self.reader = None
        self.closing = ExitStack()


_KEPT = _Kept()


@contextmanager
def kept_reader(settings: KafkaSettings, places: Places) -> Iterator[RefreshReader | None]:
    """The reader of this process, kept from use to use; None while another thread uses it.

    After an error that leaves the block it is closed, and opened again by the next use.

    Args:
        settings: where.
        places: tells where reading goes on.

    Raises:
        StreamError: no broker can be used.
        ConfigurationError: no broker is named.
    """
    if not _KEPT.lock.acquire(blocking=False):
        yield None
        return
    try:
        if _KEPT.reader is None or settings != _KEPT.settings:
            _KEPT.forget()
            opened = _KEPT.closing.enter_context(
                consumer(settings, group_id=settings.refresh_group, auto_offset_reset="earliest")
            )
            _KEPT.settings = settings
            _KEPT.reader = RefreshReader(settings, opened, places)
        try:
            yield _KEPT.reader
        except BaseException:
            _KEPT.forget()
            raise
    finally:
        _KEPT.lock.release()


def forget_reader() -> None:
    """Close the reader of this process: what it knows does not hold any more."""
    with _KEPT.lock:
        _KEPT.forget()


def send_refresh(settings: KafkaSettings, bodies: Sequence[tuple[str, bytes]]) -> None:
    """Send messages to the refresh topic and wait for the broker's word.

    Args:
        settings: where to.
        bodies: by key, which decides the partition, the body.

    Raises:
        StreamError: the broker did not take all of them.
        ConfigurationError: no broker is named.
    """
    messages = [Message(settings.refresh_topic, key.encode(), body) for key, body in bodies]
    with delivery(settings) as opened:
        done = opened.send(messages)
    if done.error is not None:
        raise StreamError(str(done.error))
