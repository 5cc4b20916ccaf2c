"""Against a real broker: topics, events there and back, lag, offsets, readiness."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from adapters.clock import SystemClock
from adapters.kafka.bridge import Bridged, bridge
from adapters.kafka.clients import admin
from adapters.kafka.delivery import Message, delivery
from adapters.kafka.factory import look, open_publisher, open_relay
from adapters.kafka.lag import consumer_lag, move_group
from adapters.kafka.reader import read_events
from adapters.kafka.settings import KafkaSettings, TopicSpec
from adapters.kafka.topics import cluster, provision
from adapters.operations import SqlOutbox
from market_data.errors import StreamError
from market_data.operations.grades import Grade
from market_data.operations.kafka_readiness import evaluate_kafka_readiness
from market_data.pipeline.platform import Unheard
from market_data.ports.events import Event
from market_data.timeframes import Timeframe
from tests.support.bridges import look_until


@pytest.fixture
def fresh(settings: KafkaSettings, request: pytest.FixtureRequest) -> KafkaSettings:
    """The settings with topics and a group of this test alone."""
    name = f"{settings.ingest_default_topic}-{request.node.name}"[:180]
    name = "".join(c if c.isalnum() or c in ".-_" else "-" for c in name)
    own = settings.model_copy(
        update={
            "ingest_default_topic": name,
            "replay_topic": f"{name}.replay",
            "ingest_consumer_group": f"{name}.bridge",
        }
    )
    provision(own)
    return own


def sent(settings: KafkaSettings, engine, *events: Event) -> list[str]:
    open_publisher(settings, SqlOutbox(engine)).publish(events)
    assert open_relay(settings, SqlOutbox(engine), SystemClock()).drain().sent == len(events)
    return [e.event_id for e in events]


def test_a_dry_run_makes_nothing_and_a_real_one_makes_it_once(settings):
    spec = TopicSpec(f"{settings.ingest_default_topic}.made", 2, 1, {"retention.ms": "60000"})
    dry = provision(settings, [spec], dry_run=True)
    assert [(t.state, t.partitions) for t in dry] == [("would be created", 2)]
    assert spec.name not in cluster(settings).topics
    assert [t.state for t in provision(settings, [spec])] == ["created"]
    assert [t.state for t in provision(settings, [spec])] == ["exists"]
    assert cluster(settings).topics[spec.name] == 2


def test_fewer_partitions_than_wanted_are_told_and_left(settings):
    name = f"{settings.ingest_default_topic}.narrow"
    provision(settings, [TopicSpec(name, 1, None, {})])
    (found,) = provision(settings, [TopicSpec(name, 3, None, {})])
    assert (found.state, found.partitions, found.wanted) == ("exists", 1, 3)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_topic_that_the_broker_refuses_is_told_with_its_reason(settings, dry_run):
    name = f"{settings.ingest_default_topic}.refused"
    for spec, said in (
        (TopicSpec(name, 1, 3, {}), "replication factor"),
        (TopicSpec(name, 1, 1, {"retention.ms": "soon"}), "retention.ms"),
    ):
        with pytest.raises(StreamError, match=f"{name}.*{said}"):
            provision(settings, [spec], dry_run=dry_run)


def test_processes_that_make_topics_at_once_both_succeed(settings):
    specs = [TopicSpec(f"{settings.ingest_default_topic}.race-{n}", 1, None, {}) for n in range(5)]
    failed: list[BaseException] = []

    def make() -> None:
        try:
            provision(settings, specs)
        except StreamError as error:
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {s.name for s in specs} <= set(cluster(settings).topics)


def test_events_arrive_on_their_topics_once_and_equal(fresh, engine, slice_event, numbers):
    daily, intraday, metrics = (
        slice_event("AAPL"),
        slice_event("AAPL", timeframe=Timeframe.M1),
        numbers(1),
    )
    sent(fresh, engine, daily, intraday, metrics)
    topic = fresh.ingest_default_topic
    assert read_events(fresh, [topic]) == [daily, intraday]
    assert read_events(fresh, [f"{topic}.metrics"]) == [metrics]
    assert {e.event_id for e in read_events(fresh)} == {
        daily.event_id,
        intraday.event_id,
        metrics.event_id,
    }
    later = datetime.now(UTC) + timedelta(hours=1)
    assert read_events(fresh, since=later) == []
    assert len(read_events(fresh, since=daily.emitted_at - timedelta(seconds=1))) == 3


def test_a_key_stays_in_one_partition_in_order(fresh, engine, numbers):
    events = [numbers(n) for n in range(1_500)]
    sent(fresh, engine, *events)
    found = read_events(fresh, [fresh.topics()["metrics"]])
    for key in {e.key for e in events}:
        assert [e for e in found if e.key == key] == [e for e in events if e.key == key]


def test_without_streaming_nobody_is_told(settings, outbox):
    off = settings.model_copy(update={"ingest_enable_streaming": False})
    assert isinstance(open_publisher(off, outbox), Unheard)
    assert open_publisher(settings, outbox) is outbox
    with bridge(off, lambda _: None) as idle:
        assert idle.look(0.01) == Bridged()


def test_a_topic_that_is_not_there_is_an_error_with_the_cure(settings, engine, outbox, slice_event):
    topic = f"{settings.ingest_default_topic}.absent"
    nowhere = settings.model_copy(update={"ingest_topic_daily_bars": topic, "timeout_seconds": 2.0})
    outbox.publish([slice_event()])
    with pytest.raises(StreamError, match=r"'emp kafka topics'.*1 events wait") as failure:
        open_relay(nowhere, outbox, SystemClock()).drain()
    assert topic in str(failure.value)
    with pytest.raises(StreamError, match="there is no topic"):
        read_events(nowhere, [topic])
    assert topic not in cluster(settings).topics
    # With leave to make topics the same event goes out.
    making = nowhere.model_copy(update={"ingest_auto_create_topics": True, "timeout_seconds": 10.0})
    assert open_relay(making, outbox, SystemClock()).drain().sent == 1
    assert len(read_events(making, [topic])) == 1


def test_a_message_above_the_topics_limit_is_refused_with_the_cure(settings):
    name = f"{settings.ingest_default_topic}.small"
    provision(settings, [TopicSpec(name, 1, None, {"max.message.bytes": "2000"})])
    with delivery(settings) as opened:
        delivered = opened.send([Message(name, b"k", b"x" * 5_000)])
    assert delivered.acknowledged == []
    assert "KAFKA_MAX_MESSAGE_BYTES" in str(delivered.error)


def test_lag_per_partition_and_in_all(fresh, engine, numbers):
    topic = fresh.topics()["metrics"]
    assert consumer_lag(fresh).total == 0
    assert all(p.committed is None for p in consumer_lag(fresh).partitions)
    sent(fresh, engine, *(numbers(n) for n in range(100)))
    before = consumer_lag(fresh)
    assert (before.total, before.by_topic[topic]) == (100, 100)
    handled: list[Event] = []
    with bridge(fresh, handled.append) as opened:
        look_until(opened, lambda so_far: so_far.events == 100)
    after = consumer_lag(fresh)
    assert (after.total, after.lost, after.stranded) == (0, 0, 0)
    assert {p.committed for p in after.partitions if p.topic == topic} == {
        p.end for p in before.partitions if p.topic == topic
    }
    sent(fresh, engine, *(numbers(n) for n in range(7)))
    assert consumer_lag(fresh).by_topic[topic] == 7
    assert consumer_lag(fresh, topics=[fresh.topics()["health"]]).total == 0


def test_a_group_is_moved_but_not_while_it_reads(fresh, engine, numbers):
    events = [numbers(n) for n in range(10)]
    sent(fresh, engine, *events)
    assert move_group(fresh, "latest").total == 0
    assert move_group(fresh, "earliest").total == 10
    assert move_group(fresh, datetime.now(UTC) + timedelta(hours=1)).total == 0
    assert move_group(fresh, events[0].emitted_at - timedelta(minutes=1)).total == 10
    with bridge(fresh, lambda _: None) as opened:
        opened.look(3)
        with pytest.raises(StreamError, match="1 consumers that run"):
            move_group(fresh, "earliest")


def test_the_bridge_hands_each_event_over_once(fresh, engine, numbers):
    events = [numbers(n) for n in range(20)]
    sent(fresh, engine, *events)
    # The same events again, as a relay sends them that died before it could mark them.
    relay = open_relay(fresh, SqlOutbox(engine), SystemClock())
    SqlOutbox(engine).resend(since=datetime(2024, 1, 1, tzinfo=UTC))
    assert relay.drain().sent == 20
    handled: list[Event] = []
    with bridge(fresh, handled.append) as opened:
        total = look_until(opened, lambda so_far: so_far.events + so_far.repeated >= 40)
    assert total == Bridged(20, 20)
    assert sorted(e.event_id for e in handled) == sorted(e.event_id for e in events)


def test_an_event_whose_handling_fails_comes_again(fresh, engine, numbers):
    events = [numbers(n) for n in range(30)]
    sent(fresh, engine, *events)
    handled: list[str] = []
    refused: list[str] = []

    def hand(event: Event) -> None:
        if len(handled) == 7 and not refused:
            refused.append(event.event_id)
            raise RuntimeError("the handler fails once")
        handled.append(event.event_id)

    with bridge(fresh, hand) as opened:
        with pytest.raises(RuntimeError):
            look_until(opened, lambda _: False)
        look_until(opened, lambda _: len(handled) >= 30)
    assert sorted(handled) == sorted(e.event_id for e in events)
    assert consumer_lag(fresh).total == 0


def test_after_a_new_start_it_goes_on_exactly_where_it_was(fresh, engine, numbers):
    first, second = ([numbers(n) for n in range(start, start + 20)] for start in (0, 20))
    sent(fresh, engine, *first)
    with bridge(fresh, lambda _: None) as opened:
        look_until(opened, lambda so_far: so_far.events == 20)
    assert consumer_lag(fresh).total == 0
    sent(fresh, engine, *second)
    assert consumer_lag(fresh).total == 20

    def refuse(event: Event) -> None:
        raise RuntimeError("it dies before anything is handled")

    with pytest.raises(RuntimeError), bridge(fresh, refuse) as opened:
        look_until(opened, lambda _: False)
    assert consumer_lag(fresh).total == 20
    handled: list[str] = []
    with bridge(fresh, lambda event: handled.append(event.event_id)) as opened:
        look_until(opened, lambda so_far: so_far.events >= 20)
    assert sorted(handled) == sorted(e.event_id for e in second)


def test_what_was_not_committed_comes_again_after_a_new_start(fresh, engine, numbers):
    quiet = fresh.model_copy(update={"ingest_consumer_commit_on_publish": False})
    sent(quiet, engine, *(numbers(n) for n in range(5)))
    for _ in range(2):
        handled: list[Event] = []
        with bridge(quiet, handled.append) as opened:
            look_until(opened, lambda so_far: so_far.events == 5)
    assert consumer_lag(quiet).total == 5


def test_commits_without_waiting_and_by_the_client(fresh, engine, numbers):
    sent(fresh, engine, *(numbers(n) for n in range(5)))
    for number, options in enumerate(
        (
            {"ingest_consumer_commit_async": True},
            {"ingest_consumer_commit_on_publish": False, "ingest_consumer_auto_commit": True},
        )
    ):
        group = f"{fresh.ingest_consumer_group}-{number}"
        own = fresh.model_copy(update={**options, "ingest_consumer_group": group})
        handled: list[Event] = []
        with bridge(own, handled.append) as opened:
            look_until(opened, lambda so_far: so_far.events == 5)
            opened.look(0.3)
        assert consumer_lag(own).total == 0


def test_a_message_that_is_no_event_is_told_and_passed(fresh, engine, numbers):
    topic = fresh.topics()["metrics"]
    with delivery(fresh) as opened:
        assert opened.send([Message(topic, b"S0", b"not json")]).error is None
    (event,) = sent(fresh, engine, numbers(0))
    handled: list[Event] = []
    with bridge(fresh, handled.append) as opened:
        unreadable = look_until(opened, lambda so_far: so_far.events == 1).unreadable
    assert [e.event_id for e in handled] == [event]
    assert len(unreadable) == 1
    assert unreadable[0].startswith(f"{topic}/")
    assert consumer_lag(fresh).total == 0


def test_removed_messages_are_told_as_lost(fresh, engine, numbers):
    from kafka import TopicPartition

    topic = fresh.topics()["metrics"]
    sent(fresh, engine, *(numbers(n) for n in range(20)))
    move_group(fresh, "earliest")
    ends = {TopicPartition(p.topic, p.partition): p.end for p in consumer_lag(fresh).partitions}
    with admin(fresh) as opened:
        opened.delete_records({p: end for p, end in ends.items() if p.topic == topic})
    found = consumer_lag(fresh)
    assert (found.total, found.lost) == (0, 20)


def test_readiness_sees_it_all(fresh, engine, outbox, numbers):
    clock = SystemClock()
    alone = evaluate_kafka_readiness(look(fresh, outbox, clock), now=clock.now())
    assert [r.text.split(":")[0] for r in alone.reasons] == ["nobody sends what waits"]
    assert open_relay(fresh, outbox, clock).drain().sent == 0
    state = look(fresh, outbox, clock)
    assert (state.brokers, state.error, state.group) == (1, "", "")
    assert evaluate_kafka_readiness(state, now=clock.now()).grade is Grade.OK
    outbox.publish([numbers(1)])
    assert look(fresh, outbox, clock).waiting == 1
    move_group(fresh, "earliest")
    open_relay(fresh, outbox, clock).drain()
    behind = look(fresh, outbox, clock)
    assert (behind.group, behind.lag, behind.waiting) == (fresh.ingest_consumer_group, 1, 0)
    absent = fresh.model_copy(update={"ingest_topic_health": f"{fresh.ingest_default_topic}.no"})
    verdict = evaluate_kafka_readiness(look(absent, outbox, clock), now=clock.now())
    assert verdict.grade is Grade.FAIL
    assert f"topics are missing: {absent.ingest_topic_health}" in verdict.reasons[0].text
    away = fresh.model_copy(update={"bootstrap_servers": ("127.0.0.1:1",), "timeout_seconds": 1.0})
    gone = evaluate_kafka_readiness(look(away, outbox, clock), now=clock.now())
    assert [r.grade for r in gone.reasons] == [Grade.FAIL]
    assert "no broker listens at 127.0.0.1:1" in gone.reasons[0].text
