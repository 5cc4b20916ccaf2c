"""Replay of symbol-years to Kafka: one Arrow batch per slice against one JSON message per bar.

Both read the store and send to one broker, in turns, with the producer of the platform, and wait
for the broker's word on every message. Needs a broker: KAFKA_BOOTSTRAP_SERVERS.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from adapters.kafka.clients import admin, producer
from adapters.kafka.factory import open_target
from adapters.kafka.reader import read_replay
from adapters.kafka.replay import Replayed, replay
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import provision
from adapters.stores.delta_bar_store import DeltaBarStore
from benchmarks.delta_store import MINUTES, bars, seconds
from benchmarks.ratio import Ratio

SYMBOLS = [f"S{number:03d}" for number in range(8)]
JSON_DAYS = 50
ROUNDS = 5


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
    frame = store.scan(MINUTES, symbols=SYMBOLS[:1], sessions=sessions)
    with producer(settings) as opened:
        for row in frame.iter_rows(named=True):
            value = json.dumps(row, default=str).encode()
            opened.send(settings.replay_topic, value, row["symbol"].encode())
        opened.flush()
    return frame.height


def send_batches(settings: KafkaSettings, store: DeltaBarStore, frame: pl.DataFrame) -> Replayed:
    """A batch per month, read from the store."""
    first, last = frame["session"].min(), frame["session"].max()
    with open_target(settings) as target:
        now = datetime.now(UTC)
        return replay(store, MINUTES, SYMBOLS, first, last, to=target, now=now)


def replay_ratio(settings: KafkaSettings, folder: Path) -> Ratio:
    """Rows per second of the one against the other."""
    frame = bars(SYMBOLS)
    store = DeltaBarStore(folder)
    first, last = frame["session"].min(), frame["session"].max()
    store.replace(MINUTES, frame, sessions=(first, last), symbols=SYMBOLS)
    done = send_batches(settings, store, frame)
    assert read_replay(settings, done.replay_id).equals(store.scan(MINUTES))
    some = (first, first + timedelta(days=JSON_DAYS))
    count = send_bars(settings, store, some)
    single, batched = [], []
    for _ in range(ROUNDS):
        single.append(seconds(lambda: send_bars(settings, store, some)))
        batched.append(seconds(lambda: send_batches(settings, store, frame)))
    slow, fast = count / statistics.median(single), done.rows / statistics.median(batched)
    return Ratio(
        "Kafka replay in Arrow batches, rows/s against one JSON message per bar",
        fast / slow,
        80.0,
        detail=f"{fast:,.0f} against {slow:,.0f} rows/s, {done.messages} messages, "
        f"{done.bytes / 1e6:.1f} MB",
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
