"""Lag: how far a consumer group is behind, per partition and in all.

What belongs here: offsets of a group against those of the topics, and moving them on purpose;
which group counts as one that somebody reads with.
What does not: the verdict on them (market_data/operations/kafka_readiness.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from adapters.kafka.clients import admin, told
from adapters.kafka.settings import KafkaSettings
from market_data.errors import StreamError

if TYPE_CHECKING:
    from kafka import KafkaAdminClient, TopicPartition


@dataclass(frozen=True)
class PartitionLag:
    """One partition as a group sees it.

    Attributes:
        topic: of the partition.
        partition: its number.
        committed: offset from which the group reads on; None where it never committed one.
        first: offset of the oldest message that is still there.
        end: offset that the next message will get.
    """

    topic: str
    partition: int
    committed: int | None
    first: int
    end: int

    @property
    def lag(self) -> int:
        """Messages that are there and that the group has not handled.

        A group without an offset has handled none of them; where it would begin is its own
        setting (KAFKA_INGEST_CONSUMER_OFFSET_RESET).
        """
        return self.end - max(self.first, self.committed or 0)

    @property
    def lost(self) -> int:
        """Messages that were removed before the group handled them."""
        return 0 if self.committed is None else max(0, self.first - self.committed)

    @property
    def ahead(self) -> bool:
        """Whether the group's offset lies beyond the end: the topic was made anew since."""
        return self.committed is not None and self.committed > self.end


@dataclass(frozen=True)
class ConsumerLag:
    """How far a group is behind on some topics."""

    group: str
    partitions: tuple[PartitionLag, ...]

    @property
    def total(self) -> int:
        """Messages over all partitions."""
        return sum(max(0, p.lag) for p in self.partitions)

    @property
    def lost(self) -> int:
        """Messages that were removed before the group handled them, over all partitions."""
        return sum(p.lost for p in self.partitions)

    @property
    def stranded(self) -> int:
        """Partitions in which the group's offset lies beyond the end."""
        return sum(p.ahead for p in self.partitions)

    @property
    def by_topic(self) -> dict[str, int]:
        """Messages per topic."""
        totals = dict.fromkeys(sorted({p.topic for p in self.partitions}), 0)
        for partition in self.partitions:
            totals[partition.topic] += max(0, partition.lag)
        return totals


def consumer_lag(
    settings: KafkaSettings, group: str | None = None, topics: Sequence[str] | None = None
) -> ConsumerLag:
    """How far a group is behind now.

    Args:
        settings: where.
        group: None for the bridge's.
        topics: None for those that events go to, as far as they are there.

    Raises:
        StreamError: no broker can be used, or a topic that was asked for is not there.
        ConfigurationError: no broker is named.
    """
    from kafka.admin import OffsetSpec

    asked = group or settings.ingest_consumer_group
    patiently = _patiently(settings)
    with admin(settings) as opened, told(settings, f"reading the offsets of group {asked}"):
        partitions = _partitions(opened, settings, topics)
        committed = _committed(opened, asked, settings)
        first = patiently(
            opened.list_partition_offsets, dict.fromkeys(partitions, OffsetSpec.EARLIEST)
        )
        end = patiently(opened.list_partition_offsets, dict.fromkeys(partitions, OffsetSpec.LATEST))
    return ConsumerLag(
        asked,
        tuple(
            PartitionLag(p.topic, p.partition, committed.get(p), first[p].offset, end[p].offset)
            for p in partitions
        ),
    )


def readers_lag(settings: KafkaSettings) -> ConsumerLag:
    """How far the readers of events are behind; where nobody reads, a group without a name.

    A group that never committed an offset is one that nobody reads with: what was sent before it
    began is no work that it left undone.

    Raises:
        StreamError: no broker can be used.
        ConfigurationError: no broker is named.
    """
    found = consumer_lag(settings)
    read = any(partition.committed is not None for partition in found.partitions)
    return found if read else ConsumerLag("", ())


def move_group(
    settings: KafkaSettings,
    to: datetime | str,
    *,
    group: str | None = None,
    topics: Sequence[str] | None = None,
) -> ConsumerLag:
    """Let a group read on from another place; its consumers must be stopped.

    Args:
        settings: where.
        to: "earliest", "latest", or a time, aware: the first message sent at or after it.
        group: None for the bridge's.
        topics: None for those that events go to, as far as they are there.

    Returns:
        How far the group is behind afterwards.

    Raises:
        StreamError: no broker can be used, a topic that was asked for is not there, or the group
            has consumers that run.
        ConfigurationError: no broker is named.
    """
    from kafka import OffsetAndMetadata
    from kafka.admin import OffsetSpec

    asked = group or settings.ingest_consumer_group
    spec: Any
    if isinstance(to, datetime):
        spec = int(to.timestamp() * 1_000)
    else:
        spec = {"earliest": OffsetSpec.EARLIEST, "latest": OffsetSpec.LATEST}[to]
    patiently = _patiently(settings)
    with admin(settings) as opened, told(settings, f"moving group {asked}"):
        _refuse_running(opened, asked, settings)
        partitions = _partitions(opened, settings, topics)
        found = patiently(opened.list_partition_offsets, dict.fromkeys(partitions, spec))
        end = patiently(opened.list_partition_offsets, dict.fromkeys(partitions, OffsetSpec.LATEST))
        # A time after the last message has no offset: the group goes to the end.
        offsets = {
            p: OffsetAndMetadata(found[p].offset if found[p].offset >= 0 else end[p].offset, "", -1)
            for p in partitions
        }
        patiently(opened.alter_group_offsets, asked, offsets)
    return consumer_lag(settings, asked, topics)


def _partitions(
    opened: KafkaAdminClient, settings: KafkaSettings, asked: Sequence[str] | None
) -> list[TopicPartition]:
    from kafka import TopicPartition

    names = sorted(set(asked or settings.topics().values()))
    found = {t["name"]: t["partitions"] for t in opened.describe_topics(names)}
    missing = [name for name in asked or () if not found.get(name)]
    if missing:
        raise StreamError(
            f"there is no topic {', '.join(missing)}: 'emp kafka topics' lists those of the "
            "platform, and makes them"
        )
    return [
        TopicPartition(name, number)
        for name in names
        for number in sorted(p["partition_index"] for p in found.get(name, ()))
    ]


def _committed(
    opened: KafkaAdminClient, group: str, settings: KafkaSettings
) -> dict[TopicPartition, int]:
    found = _patiently(settings)(opened.list_group_offsets, {group: None}).get(group, {})
    return {partition: known.offset for partition, known in found.items() if known.offset >= 0}


def _patiently(settings: KafkaSettings) -> Retrying:
    """Waits for a broker that makes or loads the topic of its offsets, or elects a leader.

    The first group that asks has the topic made, which takes a moment.
    """
    from kafka import errors

    passing = (
        errors.CoordinatorLoadInProgressError,
        errors.CoordinatorNotAvailableError,
        errors.LeaderNotAvailableError,
        errors.NotCoordinatorError,
        errors.NotLeaderForPartitionError,
    )
    return Retrying(
        retry=retry_if_exception_type(passing),
        stop=stop_after_delay(settings.timeout_seconds),
        wait=wait_fixed(0.2),
        reraise=True,
    )


def _refuse_running(opened: KafkaAdminClient, group: str, settings: KafkaSettings) -> None:
    members = _patiently(settings)(opened.describe_groups, [group])[group]["members"]
    if members:
        raise StreamError(
            f"group {group} has {len(members)} consumers that run: stop them, then move it"
        )
