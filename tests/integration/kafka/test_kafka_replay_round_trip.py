"""Stored rows to a real broker and back: equal frames, whole or not at all."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.kafka.arrow import texts
from adapters.kafka.clients import admin, producer
from adapters.kafka.delivery import Delivery
from adapters.kafka.factory import open_target
from adapters.kafka.reader import messages, read_replay
from adapters.kafka.replay import Replayed, Target, replay
from adapters.kafka.settings import KafkaSettings
from adapters.stores.delta_bar_store import DeltaBarStore
from market_data.datasets import SCORES_DATASET, Dataset, curated_bars
from market_data.errors import StreamError
from market_data.timeframes import Timeframe

MINUTES = curated_bars(Timeframe.M1)
FIRST, LAST = date(2024, 1, 29), date(2024, 2, 9)
SYMBOLS = ["AAA", "BBB"]


def noisy_bars() -> pl.DataFrame:
    """Prices that do not compress, with empty cells, infinities and every kind of text."""
    generator = np.random.default_rng(3)
    sessions = pl.DataFrame({"session": pl.date_range(FIRST, LAST, "1d", eager=True)})
    grid = (
        pl.DataFrame({"symbol": SYMBOLS})
        .join(sessions, how="cross")
        .join(pl.DataFrame({"n": range(1_440)}), how="cross")
    )
    close = pl.Series(generator.normal(100, 3, grid.height))
    frame = MINUTES.schema.conform(
        grid.with_columns(
            ts=pl.col("session").cast(pl.Datetime("us", "UTC")) + pl.duration(minutes=pl.col("n")),
            open=close.shift(1, fill_value=float("inf")),
            high=close + 1,
            low=close - 1,
            close=close,
            volume=pl.when(pl.col("n") % 3 > 0).then(pl.col("n").cast(pl.Float64)),
            trades=pl.col("n"),
            source=pl.lit("yahoo"),
            filled=pl.when(pl.col("n") % 2 == 0).then(pl.lit("volume")).otherwise(pl.lit("")),
            final=pl.lit(value=True),
            dq_status=pl.lit("ok"),
            flags=pl.lit("Ü, €"),
            rule_version=pl.lit("1"),
        )
    )
    return frame.sort("symbol", "ts")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DeltaBarStore:
    store = DeltaBarStore(tmp_path_factory.mktemp("lake"))
    store.replace(MINUTES, noisy_bars(), sessions=(FIRST, LAST), symbols=SYMBOLS)
    return store


def send(
    settings: KafkaSettings, store: DeltaBarStore, symbols: list[str], dataset: Dataset = MINUTES
) -> Replayed:
    with open_target(settings) as target:
        return replay(store, dataset, symbols, FIRST, LAST, to=target, now=datetime.now(UTC))


def test_rows_come_back_exactly(settings, store):
    done = send(settings, store, SYMBOLS)
    frame = read_replay(settings, done.replay_id)
    expected = store.scan(MINUTES, symbols=SYMBOLS, sessions=(FIRST, LAST))
    assert frame.height == expected.height == done.rows == 12 * 1_440 * 2
    assert_frame_equal(frame, expected, check_exact=True)
    assert frame.schema == expected.schema


def test_split_slices_come_back_exactly(settings, store):
    narrow = settings.model_copy(update={"max_message_bytes": 60_000})
    done = send(narrow, store, SYMBOLS)
    assert done.messages > 4 * done.slices
    expected = store.scan(MINUTES, symbols=SYMBOLS, sessions=(FIRST, LAST))
    assert_frame_equal(read_replay(narrow, done.replay_id), expected, check_exact=True)


def test_replays_do_not_mix(settings, store):
    one, both = send(settings, store, ["BBB"]), send(settings, store, SYMBOLS)
    assert read_replay(settings, one.replay_id)["symbol"].unique().to_list() == ["BBB"]
    assert read_replay(settings, both.replay_id)["symbol"].n_unique() == 2


def test_a_replay_without_rows_comes_back_empty(settings, store):
    done = send(settings, store, ["BBB"], SCORES_DATASET)
    frame = read_replay(settings, done.replay_id)
    assert (frame.height, frame.schema) == (0, SCORES_DATASET.schema.empty().schema)


def send_through(
    kind: type[Delivery], settings: KafkaSettings, store: DeltaBarStore, symbols: list[str]
) -> Replayed:
    """Send with a delivery that behaves in a way of its own."""
    with producer(settings) as opened:
        target = Target(kind(settings, opened), settings.replay_topic, settings.max_message_bytes)
        now = datetime.now(UTC)
        return replay(store, MINUTES, symbols, FIRST, LAST, to=target, now=now)


def test_messages_that_arrive_twice_count_once(settings, store):
    class Twice(Delivery):
        def start(self, messages):
            super().start(messages)
            return super().start(messages)

    done = send_through(Twice, settings, store, SYMBOLS)
    assert read_replay(settings, done.replay_id).height == done.rows


def test_a_replay_that_did_not_end_is_refused(settings, store):
    class Dying(Delivery):
        def start(self, messages):
            if texts(messages[0].headers)["kind"] == "end":
                raise KeyboardInterrupt
            return super().start(messages)

    began = datetime.now(UTC)
    with pytest.raises(KeyboardInterrupt):
        send_through(Dying, settings, store, ["AAA"])
    ids = {
        texts(m.headers)["replay_id"] for m in messages(settings, [settings.replay_topic], began)
    }
    with pytest.raises(StreamError, match="did not come to its end"):
        read_replay(settings, max(ids))
    with pytest.raises(StreamError, match="is not there"):
        read_replay(settings, "20240101T000000-000000000000")


def test_a_replay_that_retention_has_cut_is_refused(settings, store):
    from kafka import TopicPartition

    done = send(settings, store, SYMBOLS)
    record = next(
        m
        for m in messages(settings, [settings.replay_topic])
        if texts(m.headers)["replay_id"] == done.replay_id and texts(m.headers)["kind"] == "rows"
    )
    with admin(settings) as opened:
        partition = TopicPartition(record.topic, record.partition)
        opened.delete_records({partition: record.offset + 1})
    with pytest.raises(StreamError, match=f"of {done.messages} with {done.rows}.*retention"):
        read_replay(settings, done.replay_id)


def test_the_documented_way_without_this_package(settings, store):
    """As the docstring of the reader tells others to do it."""
    from kafka import KafkaConsumer, TopicPartition

    done = send(settings, store, SYMBOLS)
    plain = KafkaConsumer(bootstrap_servers=list(settings.bootstrap_servers))
    topic = settings.replay_topic
    partitions = [TopicPartition(topic, n) for n in plain.partitions_for_topic(topic)]
    plain.assign(partitions)
    plain.seek_to_beginning(*partitions)
    ends, found, seen = plain.end_offsets(partitions), [], set()
    while any(plain.position(p) < ends[p] for p in partitions):
        for records in plain.poll(1_000).values():
            for record in records:
                headers = {k: v.decode() for k, v in record.headers}
                mine = headers["replay_id"] == done.replay_id and headers["kind"] == "rows"
                if mine and headers["message_id"] not in seen:
                    seen.add(headers["message_id"])
                    part = int(headers["part"].split("/")[0])
                    key = (headers["symbol"], headers["slice"], part)
                    found.append((key, pl.read_ipc_stream(io.BytesIO(record.value))))
    plain.close()
    frame = pl.concat([rows for _, rows in sorted(found, key=lambda pair: pair[0])])
    frame = frame.with_columns(pl.selectors.categorical().cast(pl.String))
    expected = store.scan(MINUTES, symbols=SYMBOLS, sessions=(FIRST, LAST))
    assert_frame_equal(frame, expected, check_exact=True)
