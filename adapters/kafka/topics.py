"""Which topics there must be, and making those that are missing.

What belongs here: comparing what is wanted with what the brokers have; creating, or saying what
would be created. What does not: which topics are wanted (settings.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from adapters.kafka.clients import admin, explained, told
from adapters.kafka.settings import KafkaSettings, TopicSpec
from market_data.errors import StreamError

State = Literal["exists", "created", "would be created"]


@dataclass(frozen=True)
class Topic:
    """One topic that the platform writes to.

    Attributes:
        name: of the topic.
        state: whether it was there, was made, or would be.
        partitions: those that it has or gets.
        wanted: partitions that the settings ask for; fewer in an existing topic are left as they
            are, since adding some would send a key elsewhere than before.
    """

    name: str
    state: State
    partitions: int
    wanted: int


@dataclass(frozen=True)
class Cluster:
    """What there is: the number of brokers, and every topic with its number of partitions."""

    brokers: int
    topics: Mapping[str, int]


def cluster(settings: KafkaSettings) -> Cluster:
    """What there is now.

    Raises:
        StreamError: no broker can be used.
        ConfigurationError: no broker is named.
    """
    with admin(settings) as opened, told(settings, "listing the topics"):
        topics = {t["name"]: len(t["partitions"]) for t in opened.describe_topics()}
        return Cluster(len(opened.describe_cluster()["brokers"]), topics)


def provision(
    settings: KafkaSettings, specs: Sequence[TopicSpec] | None = None, *, dry_run: bool = False
) -> list[Topic]:
    """Make the topics that are missing.

    Several processes may do it at once.

    Args:
        settings: where, and which topics.
        specs: which topics; None for all that the settings name.
        dry_run: only say what would be made; the broker checks that it could.

    Returns:
        Every topic that is wanted, by name.

    Raises:
        StreamError: no broker can be used, or it refuses a topic; the message says why.
        ConfigurationError: no broker is named.
    """
    wanted = list(settings.topic_specs() if specs is None else specs)
    there = cluster(settings).topics
    missing = [spec for spec in wanted if spec.name not in there]
    if missing:
        _create(settings, missing, dry_run=dry_run)
    new: State = "would be created" if dry_run else "created"
    return [
        Topic(s.name, "exists", there[s.name], s.partitions)
        if s.name in there
        else Topic(s.name, new, s.partitions, s.partitions)
        for s in sorted(wanted, key=lambda s: s.name)
    ]


def _create(settings: KafkaSettings, specs: Sequence[TopicSpec], *, dry_run: bool) -> None:
    from kafka.errors import NoError, TopicAlreadyExistsError, for_code

    request = {spec.name: _creatable(spec) for spec in specs}
    with admin(settings) as opened, told(settings, "making topics"):
        answer = opened.create_topics(request, validate_only=dry_run, raise_errors=False)
        wrong = []
        for topic in answer["topics"]:
            error = for_code(topic["error_code"])
            if error not in (NoError, TopicAlreadyExistsError):
                why = topic["error_message"] or explained(error(), settings)
                wrong.append(f"{topic['name']}: {why}")
        if wrong:
            raise StreamError(f"the broker refuses topics: {'; '.join(wrong)}")
        if not dry_run:
            opened.wait_for_topics(
                [spec.name for spec in specs], timeout_ms=int(settings.timeout_seconds * 1_000)
            )


def _creatable(spec: TopicSpec) -> dict[str, Any]:
    return {
        "num_partitions": spec.partitions,
        "replication_factor": spec.replication_factor or -1,
        "configs": dict(spec.config),
    }
