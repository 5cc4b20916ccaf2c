"""Replay of symbol-years to Kafka: one Arrow batch per slice against one JSON message per bar.

Both do the same work, in turns: they open the producer of the platform, read the same symbols and
sessions from the store, send every row to one broker and wait for its word on every message. More
symbols at once favour the batches, whose last wait is the same for one symbol and for ten. Needs a
broker: KAFKA_BOOTSTRAP_SERVERS.
"""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from adapters.kafka.clients import admin, producer
from adapters.kafka.factory import open_target
from adapters.kafka.lag import consumer_lag
from adapters.kafka.reader import read_replay
from adapters.kafka.replay import Replayed, replay
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import provision
from adapters.stores.delta_bar_store import DeltaBarStore
from benchmarks.delta_store import MINUTES, bars
from benchmarks.ratio import Ratio
from benchmarks.rounds import Times

SYMBOLS = ["S000", "S001"]
ROUNDS = 3


@contextmanager
def own_topic(settings: KafkaSettings) -> Iterator[KafkaSettings]:
    """Settings whose topic is there and is removed at the end."""
    own = settings.model_copy(update={"replay_topic": f"bench-{uuid.uuid4().hex[:12]}"})
    specs = [spec for spec in own.topic_specs() if spec.name == own.replay_topic]
    provision(own, specs)
    try:
        yield own
    finally:
        with admin(own) as opened:
            opened.delete_topics([own.replay_topic])


def send_bars(settings: KafkaSettings, store: DeltaBarStore, sessions: tuple[date, date]) -> int:
    """One JSON message per bar, read from the store; returns how many."""
    frame = store.scan(MINUTES, symbols=SYMBOLS, sessions=sessions)
    with producer(settings) as opened:
        for row in frame.iter_rows(named=True):
            value = json.dumps(row, default=str).encode()
            opened.send(settings.replay_topic, value, row["symbol"].encode())
        opened.flush()
    return frame.height


def send_batches(
    settings: KafkaSettings, store: DeltaBarStore, sessions: tuple[date, date]
) -> Replayed:
    """A batch per symbol and month, read from the store."""
    with open_target(settings) as target:
        return replay(store, MINUTES, SYMBOLS, *sessions, to=target, now=datetime.now(UTC))


def replay_ratio(settings: KafkaSettings, folder: Path) -> Ratio:
    """Time of the one against the other, for the same rows."""
    frame = bars(SYMBOLS)
    store = DeltaBarStore(folder)
    sessions = (frame["session"].min(), frame["session"].max())
    store.replace(MINUTES, frame, sessions=sessions, symbols=SYMBOLS)
    done = send_batches(settings, store, sessions)
    assert read_replay(settings, done.replay_id).equals(store.scan(MINUTES))
    assert done.rows == frame.height
    times = Times()
    for number in range(ROUNDS):
        times.turn(
            {
                "json": lambda: send_bars(settings, store, sessions),
                "batches": lambda: send_batches(settings, store, sessions),
            },
            backwards=bool(number % 2),
        )
    # Nothing was dropped on either way: each replay has a last message besides its rows.
    arrived = consumer_lag(settings, topics=[settings.replay_topic]).total
    assert arrived == ROUNDS * frame.height + (ROUNDS + 1) * (done.messages + 1)
    slow, fast = (frame.height / times.shortest(name) for name in ("json", "batches"))
    return Ratio(
        "Kafka replay in Arrow batches, rows/s against one JSON message per bar",
        times.ratio("json", "batches"),
        80.0,
        detail=f"{frame.height:,} rows each: {fast:,.0f} against {slow:,.0f} rows/s, "
        f"{done.messages} messages, {done.bytes / 1e6:.1f} MB; {times.told('json', 'batches')}",
    )


def run() -> list[Ratio]:
    """Nothing where there is no broker."""
    settings = KafkaSettings()
    if not settings.configured:
        print("kafka: skipped, KAFKA_BOOTSTRAP_SERVERS is not set", file=sys.stderr)
        return []
    with own_topic(settings) as own, tempfile.TemporaryDirectory() as name:
        return [replay_ratio(own, Path(name))]


if __name__ == "__main__":
    for ratio in run():
        print(ratio)
