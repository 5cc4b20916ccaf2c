"""The relay against a broker that fails on command: nothing lost, nothing twice in effect."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.clock import FixedClock
from adapters.kafka import factory
from adapters.kafka.lag import ConsumerLag
from adapters.kafka.relay import KEPT, PRESENT, Relay, Relayed
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import Cluster
from adapters.operations import Lease, SqlOutbox, leases
from market_data.errors import StreamError
from market_data.operations.grades import Grade
from market_data.operations.kafka_readiness import evaluate_kafka_readiness
from market_data.ports.event_results import IngestMetrics
from market_data.ports.events import Event
from market_data.timeframes import Timeframe
from tests.support.kafka_echo import Echo
from tests.support.operations_file import open_new

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
SETTINGS = KafkaSettings(bootstrap_servers=("nowhere:1",), ingest_topic_metrics="numbers")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_new(f"sqlite:///{tmp_path}/operations.sqlite")
    yield engine
    engine.dispose()


@pytest.fixture
def outbox(engine: sa.Engine) -> SqlOutbox:
    return SqlOutbox(engine)


def relay(
    engine: sa.Engine, echo: Echo, settings: KafkaSettings = SETTINGS, now: datetime = NOW
) -> Relay:
    lease = Lease(engine, "relay", term=timedelta(minutes=1))
    return Relay(settings, SqlOutbox(engine), lease, FixedClock(now), echo.open)


def fill(outbox: SqlOutbox, count: int, start: int = 0) -> list[str]:
    events = [
        Event(
            IngestMetrics(
                vendor="v",
                timeframe=Timeframe.D1,
                symbols=(f"S{number % 3}",),
                sessions=(date(2024, 1, 2), date(2024, 1, 2)),
                run_id="",
                figures={"number": number},
            ),
            NOW,
            event_id=f"e{number}",
        )
        for number in range(start, start + count)
    ]
    outbox.publish(events)
    return [e.event_id for e in events]


def ids(echo: Echo) -> list[str]:
    return [event.event_id for event in echo.events()]


def test_everything_is_sent_in_order_under_key_and_id(engine, outbox):
    expected, echo = fill(outbox, 1_200), Echo()
    assert relay(engine, echo).drain() == Relayed(1_200)
    assert [dict(m.headers)["event_id"].decode() for m in echo.messages] == expected
    first = echo.messages[0]
    assert (first.topic, first.key) == ("numbers", b"S0")
    assert Event.from_json(first.value).event_id == "e0"
    assert outbox.pending(1) == []


def test_nothing_is_opened_where_nothing_waits(engine, outbox):
    echo = Echo()
    assert relay(engine, echo).drain() == Relayed()
    assert echo.opened == 0


@pytest.mark.parametrize(
    "settings",
    [
        KafkaSettings(bootstrap_servers=()),
        KafkaSettings(bootstrap_servers=("a:1",), ingest_enable_streaming=False),
    ],
)
def test_without_streaming_everything_waits(engine, outbox, settings):
    fill(outbox, 2)
    echo = Echo()
    assert relay(engine, echo, settings).drain() == Relayed()
    assert (echo.opened, outbox.backlog().waiting) == (0, 2)


def test_what_the_broker_did_not_take_waits_and_is_told(engine, outbox):
    expected, echo = fill(outbox, 10), Echo(takes=4)
    with pytest.raises(StreamError, match="took no more; 6 events wait in the outbox"):
        relay(engine, echo).drain()
    assert [p.event_id for p in outbox.pending(10)] == expected[4:]
    echo.takes = None
    assert relay(engine, echo).drain() == Relayed(6)
    assert ids(echo) == expected
    assert len(echo.messages) == 10


def test_what_the_broker_took_without_saying_so_comes_twice_under_one_id(engine, outbox):
    expected, echo = fill(outbox, 5), Echo(forgets_to_say=2)
    with pytest.raises(StreamError):
        relay(engine, echo).drain()
    relay(engine, echo).drain()
    assert len(echo.messages) == 7
    assert ids(echo) == expected


class KilledError(Exception):
    """The process dies here."""


def test_a_relay_that_dies_between_send_and_mark_loses_nothing(engine, outbox, monkeypatch):
    expected, echo = fill(outbox, 5), Echo()

    def die(*_: object, **__: object) -> None:
        raise KilledError

    monkeypatch.setattr(SqlOutbox, "mark_sent", die)
    with pytest.raises(KilledError):
        relay(engine, echo).drain()
    monkeypatch.undo()
    assert outbox.backlog().waiting == 5
    relay(engine, echo).drain()
    assert len(echo.messages) == 10
    assert ids(echo) == expected


def test_two_relays_take_turns(engine, outbox):
    expected = fill(outbox, 5)
    inner = Echo()

    class Slow(Echo):
        def send(self, messages):
            # While the first relay sends, another comes by.
            assert relay(engine, inner).drain() == Relayed(busy=True)
            return super().send(messages)

    outer = Slow()
    assert relay(engine, outer).drain() == Relayed(5)
    assert (ids(outer), inner.messages) == (expected, [])
    fill(outbox, 1, start=5)
    assert relay(engine, inner).drain() == Relayed(1)


def test_a_relay_that_was_silent_for_too_long_stops_and_does_no_harm(engine, outbox, monkeypatch):
    monkeypatch.setattr("adapters.kafka.relay.BATCH", 2)
    expected = fill(outbox, 6)
    echo = Echo()

    class Paused(Echo):
        def send(self, messages):
            # Its lease runs out before it has sent: the other begins from the oldest on.
            with engine.begin() as connection:
                connection.exec_driver_sql("update leases set expires_at = 0")
            other = relay(engine, echo)
            other._lease.take()
            assert other.drain() == Relayed(6)
            other._lease.take()
            echo.messages += messages
            return super().send(messages)

    assert relay(engine, Paused()).drain() == Relayed(2)
    assert ids(echo) == expected
    assert [p.event_id for p in outbox.pending(10)] == []


def test_first_arrivals_of_a_key_are_in_order_whoever_sends(engine, outbox):
    expected = fill(outbox, 9)
    echo = Echo(takes=4)
    for takes in (4, 0, 1, None):
        echo.takes = takes
        try:
            relay(engine, echo).drain()
        except StreamError:
            continue
    assert [dict(m.headers)["event_id"].decode() for m in echo.messages] == expected


def test_what_was_sent_long_ago_is_forgotten(engine, outbox):
    fill(outbox, 2)
    relay(engine, Echo()).drain()
    fill(outbox, 1, start=2)
    relay(engine, Echo(), now=NOW + KEPT + timedelta(seconds=1)).drain()
    assert outbox.resend(since=NOW) == 1


def test_following_tells_trouble_once_and_goes_on(engine, outbox):
    fill(outbox, 3)
    echo, stop, told = Echo(takes=0), threading.Event(), []

    def tell(sentence: str) -> None:
        told.append(sentence)
        if "took no more" in sentence:
            echo.takes = None
        if "3 events sent" in sentence:
            stop.set()

    relay(engine, echo).follow(stop, every=0.01, tell=tell)
    assert len(told) == 2
    assert len(echo.messages) == 3


class Watch:
    """The time of the leases, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1_700_000_000.0
        monkeypatch.setattr(leases, "_now", lambda _: int(self.seconds * 1_000_000))


def test_a_relay_that_sends_for_longer_than_its_term_keeps_the_lease(engine, outbox, monkeypatch):
    monkeypatch.setattr("adapters.kafka.relay.BATCH", 2)
    watch, other = Watch(monkeypatch), Echo()
    expected = fill(outbox, 10)

    class Slow(Echo):
        def send(self, messages):
            # Less than the term of a minute; five batches take more than three.
            watch.seconds += 40
            assert relay(engine, other).drain() == Relayed(busy=True)
            return super().send(messages)

    slow = Slow()
    assert relay(engine, slow).drain() == Relayed(10)
    assert (ids(slow), other.messages) == (expected, [])


def test_a_relay_that_lost_its_lease_sends_no_further_batch(engine, outbox, monkeypatch):
    monkeypatch.setattr("adapters.kafka.relay.BATCH", 2)
    watch = Watch(monkeypatch)
    fill(outbox, 6)
    other = Lease(engine, "relay", term=timedelta(minutes=1))

    class Paused(Echo):
        def send(self, messages):
            watch.seconds += 61
            assert other.take()
            return super().send(messages)

    paused = Paused()
    assert relay(engine, paused).drain() == Relayed(2)
    assert len(paused.messages) == 2
    assert outbox.backlog().waiting == 4
    # What another holds is not given back for it.
    assert relay(engine, Echo()).drain() == Relayed(busy=True)


def test_whoever_looks_at_the_outbox_is_there_for_a_while(engine, outbox, monkeypatch):
    """Readiness without a sender, with one that finds nothing to send, and after it has gone."""
    watch = Watch(monkeypatch)
    topics = dict.fromkeys((spec.name for spec in SETTINGS.topic_specs()), 1)
    monkeypatch.setattr(factory, "cluster", lambda _: Cluster(1, topics))
    monkeypatch.setattr(factory, "readers_lag", lambda _: ConsumerLag("", ()))

    def reasons() -> list[str]:
        state = factory.look(SETTINGS, outbox, FixedClock(NOW))
        found = evaluate_kafka_readiness(state, now=NOW)
        assert (found.grade is Grade.OK) == (not found.reasons)
        return [reason.text.split(":")[0] for reason in found.reasons]

    alone = ["nobody sends what waits"]
    assert reasons() == alone
    relay(engine, Echo()).drain()
    assert reasons() == []
    watch.seconds += PRESENT.total_seconds() - 1
    assert reasons() == []
    relay(engine, Echo()).drain()
    watch.seconds += 2
    assert reasons() == []
    watch.seconds += PRESENT.total_seconds()
    assert reasons() == alone


def test_a_relay_that_sends_for_long_is_there_all_the_while(engine, outbox, monkeypatch):
    monkeypatch.setattr("adapters.kafka.relay.BATCH", 2)
    watch, seen = Watch(monkeypatch), []
    fill(outbox, 10)

    class Slow(Echo):
        def send(self, messages):
            watch.seconds += 55
            seen.append(outbox.presence(term=PRESENT).is_held())
            return super().send(messages)

    assert relay(engine, Slow()).drain() == Relayed(10)
    assert seen == [True] * 5
