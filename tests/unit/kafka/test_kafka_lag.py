"""Lag while the broker makes or loads the topic of its offsets: waited for, and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition, errors
from kafka.admin import OffsetSpec

from adapters.kafka import lag
from adapters.kafka.settings import KafkaSettings
from market_data.errors import StreamError

PARTITION = TopicPartition("market-data.bars", 0)


class Loading:
    """An admin client of a broker that answers some calls only after a while.

    A real one is in that state for too short a time to be met on purpose.
    """

    def __init__(self, error: type[errors.KafkaError], times: int) -> None:
        self._error, self._left = error, times

    def _answer(self, answer: Any) -> Any:
        if self._left:
            self._left -= 1
            raise self._error
        return answer

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"name": PARTITION.topic, "partitions": [{"partition_index": 0}]}]

    def list_group_offsets(self, asked: dict[str, None]) -> dict[str, Any]:
        return self._answer({group: {PARTITION: SimpleNamespace(offset=3)} for group in asked})

    def list_partition_offsets(self, asked: dict[TopicPartition, Any]) -> dict[Any, Any]:
        ends = {OffsetSpec.EARLIEST: 0, OffsetSpec.LATEST: 5}
        return {partition: SimpleNamespace(offset=ends[spec]) for partition, spec in asked.items()}


def asked_of(client: Loading, monkeypatch: pytest.MonkeyPatch) -> lag.ConsumerLag:
    @contextmanager
    def opened(settings: KafkaSettings) -> Iterator[Loading]:
        yield client

    monkeypatch.setattr(lag, "admin", opened)
    settings = KafkaSettings(bootstrap_servers=("127.0.0.1:1",), timeout_seconds=0.7)
    return lag.consumer_lag(settings, "readers", [PARTITION.topic])


@pytest.mark.parametrize(
    "error",
    [
        errors.CoordinatorLoadInProgressError,
        errors.CoordinatorNotAvailableError,
        errors.NotCoordinatorError,
    ],
)
def test_a_broker_that_is_not_ready_yet_is_asked_again(error, monkeypatch):
    assert asked_of(Loading(error, times=2), monkeypatch).total == 2


def test_one_that_never_becomes_ready_is_told(monkeypatch):
    with pytest.raises(StreamError, match="CoordinatorLoadInProgressError"):
        asked_of(Loading(errors.CoordinatorLoadInProgressError, times=1_000), monkeypatch)


def test_another_error_is_told_at_once(monkeypatch):
    with pytest.raises(StreamError, match="right"):
        asked_of(Loading(errors.GroupAuthorizationFailedError, times=1), monkeypatch)
