"""The bridge against a consumer that remembers what it was told: where it goes on, what it commits.

A real consumer, and what the broker keeps of it, is tested in tests/integration/kafka.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest

from adapters.kafka.bridge import Bridge, Bridged
from adapters.kafka.settings import KafkaSettings
from market_data.ports.event_results import IngestMetrics
from market_data.ports.events import Event
from market_data.timeframes import Timeframe

SETTINGS = KafkaSettings(bootstrap_servers=("nowhere:1",))


@dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int
    value: bytes


@dataclass
class Remembering:
    """A consumer that hands out each batch once."""

    batches: list[dict[str, list[Record]]]
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def poll(self, timeout_ms: int) -> dict[str, list[Record]]:
        return self.batches.pop(0) if self.batches else {}

    def seek(self, partition: str, offset: int) -> None:
        self.calls.append(("seek", partition, offset))

    def commit(self) -> None:
        self.calls.append(("commit",))


def records(partition: int, first: int, *names: str) -> list[Record]:
    return [
        Record("t", partition, first + place, event(name).to_json().encode())
        for place, name in enumerate(names)
    ]


def event(name: str) -> Event:
    day = date(2024, 1, 2)
    result = IngestMetrics(
        vendor="v",
        timeframe=Timeframe.D1,
        symbols=("S",),
        sessions=(day, day),
        run_id="",
        figures={},
    )
    return Event(result, datetime(2024, 1, 2, tzinfo=UTC), event_id=name)


def test_all_is_handed_over_before_it_is_committed():
    consumer = Remembering([{"p0": records(0, 5, "a", "b"), "p1": records(1, 9, "c")}])
    bridge = Bridge(SETTINGS, consumer, lambda e: consumer.calls.append(("hand", e.event_id)))
    assert bridge.look() == Bridged(3)
    assert consumer.calls == [("hand", "a"), ("hand", "b"), ("hand", "c"), ("commit",)]
    assert bridge.look() == Bridged()
    assert consumer.calls[-1] == ("commit",)
    assert consumer.calls.count(("commit",)) == 1


@pytest.mark.parametrize(
    ("refused", "seeks"),
    [
        ("a", [("seek", "p0", 5), ("seek", "p1", 9)]),
        ("b", [("seek", "p0", 6), ("seek", "p1", 9)]),
        ("c", [("seek", "p0", 7), ("seek", "p1", 9)]),
        ("d", [("seek", "p0", 7), ("seek", "p1", 10)]),
    ],
)
def test_it_goes_on_with_the_event_whose_handling_failed(refused, seeks):
    consumer = Remembering([{"p0": records(0, 5, "a", "b"), "p1": records(1, 9, "c", "d")}])

    def hand(given: Event) -> None:
        if given.event_id == refused:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        Bridge(SETTINGS, consumer, hand).look()
    assert consumer.calls == seeks
