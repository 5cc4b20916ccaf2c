"""Outages and deaths: a broker that is away, a relay that is killed, two relays at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.clock import SystemClock
from adapters.kafka.clients import admin, producer
from adapters.kafka.delivery import Delivery, delivery
from adapters.kafka.factory import look
from adapters.kafka.reader import messages, read_events
from adapters.kafka.relay import Relay, Relayed
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import provision
from adapters.operations import SqlLedger, SqlOutbox, open_database
from market_data.errors import StreamError
from market_data.operations.grades import Grade
from market_data.operations.kafka_readiness import evaluate_kafka_readiness
from market_data.ports.event_results import IngestedSlice
from market_data.ports.events import Event
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.servers import KafkaBroker, private_server
from tests.support.warm_python import StartedPython
from tests.support.worlds import World

TERM = timedelta(seconds=20)


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaBroker]:
    """A broker that the tests of this module may stop and kill; each leaves it running."""
    with private_server(KafkaBroker) as server:
        yield server


@pytest.fixture
def own(broker: KafkaBroker, request: pytest.FixtureRequest) -> KafkaSettings:
    """Settings with topics of this test, which are there."""
    settings = KafkaSettings(
        bootstrap_servers=(broker.url,),
        timeout_seconds=8,
        ingest_default_topic=f"ingest-{request.node.name}"[:100],
        replay_topic=f"replay-{request.node.name}"[:100],
    )
    provision(settings)
    return settings


def impatient(settings: KafkaSettings) -> KafkaSettings:
    """For a broker that is known to be away."""
    return settings.model_copy(update={"timeout_seconds": 0.3})


def relay(settings: KafkaSettings, engine: sa.Engine, open_delivery=delivery) -> Relay:
    outbox = SqlOutbox(engine)
    return Relay(settings, outbox, outbox.lease(term=TERM), SystemClock(), open_delivery)


def _await_threads(count: int) -> None:
    """Clients that failed leave no thread behind."""
    deadline = time.monotonic() + 5
    while threading.active_count() > count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= count


def arrivals(settings: KafkaSettings) -> list[str]:
    """The ids of all messages, repeated ones too, per partition in order."""
    topics = sorted(set(settings.topics().values()))
    return [Event.from_json(m.value).event_id for m in messages(settings, topics)]


def test_a_broker_that_is_away_for_a_whole_run_delays_events_and_loses_none(
    own: KafkaSettings, broker: KafkaBroker, tmp_path: Path
):
    world = World.at(tmp_path, datetime(2024, 6, 1, tzinfo=UTC))
    shares(world)
    engine = open_database(world.settings.local_operations_url)
    outbox = SqlOutbox(engine)
    world.__dict__["platform"] = replace(
        world.platform, ledger=SqlLedger(engine, outbox), events=outbox
    )
    broker.stop()
    days = [f"2024-03-{day:02d}" for day in (4, 5, 6, 7, 8)]
    for day in days:
        starts = [datetime.fromisoformat(day).replace(tzinfo=UTC)]
        ask(world, FakeVendor(bars={"AAA": starts, "BBB": starts}), day, day, "AAA", "BBB")
    threads = threading.active_count()
    for _ in range(3):
        with pytest.raises(StreamError, match="no broker listens"):
            relay(impatient(own), engine).drain()
        assert look(impatient(own), outbox, SystemClock()).error
    _await_threads(threads)
    expected = [p.event_id for p in outbox.pending(100)]
    assert len(expected) == len(days) * 3
    state = look(impatient(own), outbox, SystemClock())
    verdict = evaluate_kafka_readiness(state, now=SystemClock().now())
    assert verdict.grade is Grade.FAIL
    assert state.waiting == len(expected)

    broker.start()
    assert relay(own, engine).drain() == Relayed(len(expected))
    assert sorted(arrivals(own)) == sorted(expected)
    slices = [e.result for e in read_events(own) if isinstance(e.result, IngestedSlice)]
    assert [str(s.sessions[0]) for s in slices] == days
    assert {s.fetch_id for s in slices} == {r.fetch_id for r in world.platform.journal.runs()}


@pytest.mark.slow
def test_a_broker_that_is_killed_while_events_are_sent(
    own: KafkaSettings, broker: KafkaBroker, engine: sa.Engine, numbers: Callable[[int], Event]
):
    outbox = SqlOutbox(engine)
    events = [numbers(n) for n in range(2_000)]
    outbox.publish(events)
    sent = 0

    class Doomed(Delivery):
        def send(self, messages):
            nonlocal sent
            sent += 1
            if sent == 3:
                threading.Timer(0.01, broker.kill).start()
            return super().send(messages)

    @contextmanager
    def doomed(settings: KafkaSettings) -> Iterator[Delivery]:
        with producer(settings) as opened:
            yield Doomed(settings, opened)

    short = own.model_copy(update={"timeout_seconds": 3.0})
    threads = threading.active_count()
    with pytest.raises(StreamError):
        relay(short, engine, doomed).drain()
    assert 0 < outbox.backlog().waiting < 2_000
    _await_threads(threads)
    broker.start()
    while True:
        try:
            relay(own, engine).drain()
            break
        except StreamError:
            time.sleep(0.5)
    assert outbox.backlog().waiting == 0
    found = read_events(own)
    for key in {e.key for e in events}:
        assert [e for e in found if e.key == key] == [e for e in events if e.key == key]


_RELAY_THAT_STOPS_BEFORE_THE_MARK = """
import sys, time
from datetime import timedelta
from adapters.clock import SystemClock
from adapters.kafka.relay import Relay
from adapters.kafka.settings import KafkaSettings
from adapters.operations import SqlOutbox, open_database
url, server, topic = sys.argv[1:]
settings = KafkaSettings(bootstrap_servers=(server,), ingest_default_topic=topic)
engine = open_database(url)
class Outbox(SqlOutbox):
    def mark_sent(self, sequences, *, at):
        print(len(sequences), flush=True)
        time.sleep(60)
outbox = Outbox(engine)
Relay(settings, outbox, outbox.lease(term=timedelta(seconds=1)), SystemClock()).drain()
"""


def test_a_relay_that_is_killed_between_send_and_mark(
    own: KafkaSettings, broker: KafkaBroker, engine: sa.Engine, numbers: Callable[[int], Event]
):
    outbox = SqlOutbox(engine)
    events = [numbers(n) for n in range(50)]
    outbox.publish(events)
    url = engine.url.render_as_string(hide_password=False)
    process = StartedPython(
        ["-c", _RELAY_THAT_STOPS_BEFORE_THE_MARK, url, broker.url, own.ingest_default_topic]
    )
    assert process.stdout.readline() == "50\n"
    assert relay(own, engine).drain() == Relayed(busy=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert outbox.backlog().waiting == 50
    while (relayed := relay(own, engine).drain()).busy:
        time.sleep(0.1)
    assert relayed == Relayed(50)
    expected = sorted(e.event_id for e in events)
    assert sorted(arrivals(own)) == sorted(2 * expected)
    assert sorted(e.event_id for e in read_events(own)) == expected


_FOLLOWER = """
import sys, threading
from adapters.clock import SystemClock
from adapters.kafka.factory import open_relay
from adapters.kafka.settings import KafkaSettings
from adapters.operations import SqlOutbox, open_database
url, server, topic = sys.argv[1:]
settings = KafkaSettings(bootstrap_servers=(server,), ingest_default_topic=topic, timeout_seconds=2)
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
print("ready", flush=True)
open_relay(settings, SqlOutbox(open_database(url)), SystemClock()).follow(
    stop, every=0.02, tell=lambda s: print(s, file=sys.stderr))
"""


def test_two_relays_at_once_through_an_outage_send_each_event_once(
    own: KafkaSettings, broker: KafkaBroker, engine: sa.Engine, numbers: Callable[[int], Event]
):
    outbox = SqlOutbox(engine)
    url = engine.url.render_as_string(hide_password=False)
    arguments = ["-c", _FOLLOWER, url, broker.url, own.ingest_default_topic]
    followers = [StartedPython(arguments) for _ in range(2)]
    for follower in followers:
        assert follower.stdout.readline() == "ready\n"
    events = [numbers(n) for n in range(300)]
    for number in range(0, 150, 10):
        outbox.publish(events[number : number + 10])
        time.sleep(0.02)
    while outbox.backlog().waiting:
        time.sleep(0.05)
    broker.stop()
    for number in range(150, 300, 10):
        outbox.publish(events[number : number + 10])
    time.sleep(2.5)
    assert outbox.backlog().waiting == 150
    broker.start()
    deadline = time.monotonic() + 60
    while outbox.backlog().waiting and time.monotonic() < deadline:
        time.sleep(0.1)
    told = [f.communicate(timeout=60)[1] for f in followers]
    assert outbox.backlog().waiting == 0
    assert sorted(arrivals(own)) == sorted(e.event_id for e in events)
    assert any("no broker listens" in text for text in told)
    assert all(f.returncode == 0 for f in followers)


def test_events_that_the_broker_lost_are_sent_again(
    own: KafkaSettings, engine: sa.Engine, numbers: Callable[[int], Event]
):
    outbox = SqlOutbox(engine)
    events = [numbers(n) for n in range(10)]
    outbox.publish(events)
    assert relay(own, engine).drain() == Relayed(10)
    with admin(own) as opened:
        opened.delete_topics([own.topics()["metrics"]])
    provision_again(own)
    assert read_events(own) == []
    assert outbox.resend(since=events[0].emitted_at - timedelta(minutes=1)) == 10
    assert relay(own, engine).drain() == Relayed(10)
    assert sorted(arrivals(own)) == sorted(e.event_id for e in events)


def provision_again(settings: KafkaSettings) -> None:
    """A topic is gone a moment after the broker has said so."""
    for _ in range(50):
        if "created" in {t.state for t in provision(settings)}:
            return
        time.sleep(0.1)
    pytest.fail("the topic was not removed")
