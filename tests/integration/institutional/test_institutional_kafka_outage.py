"""A broker that is away for a whole ingest, and a relay that is killed: every event arrives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from signal import SIGKILL

import pytest

from adapters.kafka.reader import messages
from adapters.kafka.settings import KafkaSettings
from adapters.operations import SqlJournal, SqlOutbox, open_database
from market_data.ports.event_results import IngestedSlice, IngestMetrics
from market_data.ports.events import Event
from market_data.timeframes import Timeframe
from tests.support.institution import Institution, institution
from tests.support.servers import KafkaBroker, private_server

INGEST = ["ingest", "--vendor", "sample_a", "--start", "2024-02-12", "--end", "2024-03-01"]
MORE = [*INGEST[:-3], "2024-03-04", "--end", "2024-03-08"]
MANY = 6_000


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaBroker]:
    """A broker that the tests of this module may stop and kill; each leaves it running."""
    with private_server(KafkaBroker) as server:
        yield server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, broker: KafkaBroker) -> Iterator[Institution]:
    with institution(tmp_path_factory.mktemp("institution")) as shared:
        servers = {"KAFKA_BOOTSTRAP_SERVERS": broker.url, "KAFKA_TIMEOUT_SECONDS": "2"}
        made = replace(shared, environment={**shared.environment, **servers})
        assert made.run("migrate").returncode == 0
        yield made


@pytest.fixture(scope="module")
def outbox(house: Institution) -> SqlOutbox:
    return SqlOutbox(open_database(house.environment["EMP_OPERATIONS_URL"]))


def arrivals(house: Institution, broker: KafkaBroker) -> list[Event]:
    """Every message on the topics of events, repeated ones too."""
    settings = KafkaSettings(
        bootstrap_servers=(broker.url,),
        ingest_default_topic=house.environment["KAFKA_INGEST_DEFAULT_TOPIC"],
    )
    found = messages(settings, sorted(set(settings.topics().values())))
    return [Event.from_json(message.value) for message in found]


def relayed(house: Institution) -> int:
    done = house.run("kafka", "relay", KAFKA_TIMEOUT_SECONDS="20")
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["sent"])


def in_effect(events: list[Event]) -> list[Event]:
    """What a listener handles that leaves out ids which it has seen; repetitions are equal."""
    first: dict[str, Event] = {}
    for event in events:
        assert first.setdefault(event.event_id, event) == event
    return list(first.values())


def test_a_broker_that_is_away_for_whole_ingests(
    house: Institution, broker: KafkaBroker, outbox: SqlOutbox
) -> None:
    broker.stop()
    for command in (INGEST, MORE):
        done = house.run(*command)
        assert done.returncode == 0, done.stderr[-3000:]
        assert json.loads(done.stdout)["status"] == "success"
    waiting = {entry.event_id for entry in outbox.pending(1_000)}
    failed = house.run("kafka", "relay")
    assert failed.returncode == 1
    assert "KAFKA_BOOTSTRAP_SERVERS" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert {entry.event_id for entry in outbox.pending(1_000)} == waiting

    broker.start()
    assert relayed(house) == len(waiting)
    assert outbox.backlog().waiting == 0
    arrived = arrivals(house, broker)
    assert sorted(e.event_id for e in arrived) == sorted(waiting)
    # What was fetched is what the events tell of, each slice once.
    slices = [e.result for e in arrived if isinstance(e.result, IngestedSlice)]
    engine = open_database(house.environment["EMP_OPERATIONS_URL"])
    fetches = {run.fetch_id for run in SqlJournal(engine).runs(limit=1_000)}
    told = [(s.fetch_id, s.symbols) for s in slices]
    assert len(told) == len(set(told))
    assert {s.fetch_id for s in slices} == fetches
    assert relayed(house) == 0


def number(n: int) -> Event:
    result = IngestMetrics(
        vendor="sample_a",
        timeframe=Timeframe.D1,
        symbols=(f"S{n % 7}",),
        sessions=(date(2024, 1, 2), date(2024, 1, 2)),
        run_id="",
        figures={"number": n},
    )
    return Event(result, datetime.now(UTC))


@pytest.mark.slow
def test_a_relay_that_is_killed_in_the_middle_and_run_again(
    house: Institution, broker: KafkaBroker, outbox: SqlOutbox
) -> None:
    before = {event.event_id for event in arrivals(house, broker)}
    events = [number(n) for n in range(MANY)]
    outbox.publish(events)
    relay = house.start("kafka", "relay")
    end = time.monotonic() + 60
    while outbox.backlog().waiting == MANY and time.monotonic() < end:
        time.sleep(0.005)
    relay.send_signal(SIGKILL)
    assert relay.wait() == -SIGKILL
    left = outbox.backlog().waiting
    assert 0 < left < MANY

    # The dead relay's lease runs out by itself; until then another one says that it waits.
    sent, end = 0, time.monotonic() + 60
    while sent == 0 and time.monotonic() < end:
        sent = relayed(house)
    assert sent == left
    assert outbox.backlog().waiting == 0
    arrived = [e for e in in_effect(arrivals(house, broker)) if e.event_id not in before]
    for symbol in {e.key for e in events}:
        ours = [e for e in events if e.key == symbol]
        assert [e for e in arrived if e.key == symbol] == ours
    assert len(arrived) == MANY
