"""Reading topics: events, and the rows of a replay as frames.

What belongs here: reading from a moment on up to now, each event and each message once.
What does not: waiting for what comes (bridge.py).

To read a replay in a program of one's own:

    from adapters.kafka.reader import read_replay
    from adapters.kafka.settings import KafkaSettings

    frame = read_replay(KafkaSettings(), "20240301T120000-0123456789ab")

or, without this package: take the messages of the topic whose header `replay_id` is the one that
`emp kafka replay` printed and whose `kind` is `rows`, leave out each `message_id` that was seen,
read every value as an Arrow IPC stream, and put the frames of a `symbol` and `slice` together in
the order of `part`. The message of kind `end` says how many messages and rows there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from adapters.kafka.arrow import END, ROWS, Batch, texts, to_batch
from adapters.kafka.clients import consumer, told
from adapters.kafka.replay import replayable
from adapters.kafka.settings import KafkaSettings
from market_data.errors import StreamError
from market_data.ports.events import Event

if TYPE_CHECKING:
    from kafka import KafkaConsumer, TopicPartition

_POLL_MILLISECONDS = 250
_SLACK = timedelta(minutes=1)
"""By which clocks of sender and broker may differ."""


def read_events(
    settings: KafkaSettings, topics: Sequence[str] | None = None, *, since: datetime | None = None
) -> list[Event]:
    """Every event of some topics once, in the order of its first arrival per key.

    Args:
        settings: where.
        topics: None for all that events go to.
        since: only from messages that were sent at or after it, aware; None for all.

    Raises:
        StreamError: no broker can be used.
        SchemaError: a message is no event.
    """
    events: dict[str, Event] = {}
    for message in messages(settings, topics or sorted(set(settings.topics().values())), since):
        event = Event.from_json(message.value)
        events.setdefault(event.event_id, event)
    return list(events.values())


def read_replay(
    settings: KafkaSettings, replay_id: str, *, topic: str | None = None
) -> pl.DataFrame:
    """The rows of a replay, equal to those that the store returned for its range.

    Args:
        settings: where.
        replay_id: as `emp kafka replay` printed it.
        topic: None for the one of the settings.

    Returns:
        Rows with the columns and in the order of the dataset.

    Raises:
        StreamError: no broker can be used, or the replay is not there or not whole.
        SchemaError: a message is not of the form.
    """
    batches: dict[str, Batch] = {}
    end: dict[str, Any] | None = None
    for message in messages(settings, [topic or settings.replay_topic], _begin(replay_id)):
        headers = message.headers or []
        said = texts(headers)
        if said.get("replay_id") != replay_id:
            continue
        if said.get("kind") == END:
            end = json.loads(message.value)
        elif said.get("kind") == ROWS and said.get("message_id") not in batches:
            batch = to_batch(message.value, headers)
            batches[batch.message_id] = batch
    return _joined(replay_id, list(batches.values()), end)


def _joined(replay_id: str, batches: list[Batch], end: dict[str, Any] | None) -> pl.DataFrame:
    if end is None:
        raise StreamError(f"replay {replay_id} is not there, or did not come to its end")
    rows = sum(batch.frame.height for batch in batches)
    if (len(batches), rows) != (end["messages"], end["rows"]):
        raise StreamError(
            f"replay {replay_id}: {len(batches)} messages with {rows} rows are left of "
            f"{end['messages']} with {end['rows']}: the topic's retention took the others"
        )
    dataset = replayable(end["dataset"])
    ordered = sorted(batches, key=lambda b: (b.slice.symbol, b.slice.sessions, b.part))
    return dataset.schema.conform(
        pl.concat([dataset.schema.empty(), *(batch.frame for batch in ordered)])
    )


def messages(
    settings: KafkaSettings, topics: Sequence[str], since: datetime | None = None
) -> Iterator[Any]:
    """The messages of some topics up to now: records of kafka-python, in order per partition.

    Args:
        settings: where.
        topics: which.
        since: only those that were sent at or after it, aware; None for all.

    Raises:
        StreamError: no broker can be used, a topic is not there, or it does not come to its end.
    """
    doing = f"reading {', '.join(topics)}"
    with consumer(settings) as opened, told(settings, doing):
        ends = _assign(opened, topics, since)
        waiting = {partition for partition, end in ends.items() if _at(opened, partition) < end}
        idle = datetime.now(UTC)
        while waiting:
            found = opened.poll(timeout_ms=_POLL_MILLISECONDS)
            for partition, records in found.items():
                yield from (r for r in records if r.offset < ends[partition])
            now = datetime.now(UTC)
            idle = now if found else idle
            if now - idle > timedelta(seconds=settings.timeout_seconds):
                raise StreamError(f"{doing}: nothing came for {settings.timeout_seconds:g} s")
            waiting = {p for p in waiting if _at(opened, p) < ends[p]}


def _assign(
    opened: KafkaConsumer, topics: Sequence[str], since: datetime | None
) -> dict[TopicPartition, int]:
    """Give the consumer all partitions from a moment on; returns where each ends now."""
    from kafka import TopicPartition

    partitions = []
    for topic in topics:
        numbers = opened.partitions_for_topic(topic)
        if not numbers:
            raise StreamError(f"there is no topic {topic}: 'emp kafka topics' makes it")
        partitions += [TopicPartition(topic, number) for number in sorted(numbers)]
    opened.assign(partitions)
    opened.seek_to_beginning(*partitions)
    ends: dict[TopicPartition, int] = opened.end_offsets(partitions)
    if since is not None:
        moment = int(since.timestamp() * 1_000)
        for partition, found in opened.offsets_for_times(dict.fromkeys(partitions, moment)).items():
            opened.seek(partition, ends[partition] if found is None else found.offset)
    return ends


def _at(opened: KafkaConsumer, partition: TopicPartition) -> int:
    return int(opened.position(partition))


def _begin(replay_id: str) -> datetime | None:
    """When a replay began, from its id; None for an id of another form."""
    with suppress(ValueError):
        began = datetime.strptime(replay_id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        return began - _SLACK
    return None
