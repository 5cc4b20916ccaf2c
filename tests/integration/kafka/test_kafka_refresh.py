"""Messages on a real broker become few backfills; none is lost, none doubled, poison is parked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import sqlalchemy as sa

from adapters.clock import SystemClock
from adapters.kafka import refresh
from adapters.kafka.clients import admin
from adapters.kafka.lag import consumer_lag
from adapters.kafka.refresh import forget_reader, send_refresh
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import provision
from adapters.operations.message_models import refresh_offsets
from adapters.operations_opening import Operations, open_operations
from adapters.operations_watch import kafka_section
from adapters.settings import Settings
from definitions import build_definitions
from emp.cli import run
from market_data.automation.messages import MessageRules
from market_data.automation.policy import AutomationPolicy
from market_data.backfill.plans import BackfillRequest
from market_data.backfill.records import Backfill
from market_data.errors import StreamError
from market_data.pipeline import refreshing
from resources.platform import PlatformResource
from resources.servers import KafkaResource
from sensors import refresh_requests
from sensors.refresh_requests import refresh_sensor
from tests.support.operations_file import give_operations

SENSOR = refresh_sensor(on=True)
SYMBOLS = ("DEMO-ACME", "DEMO-BTC", "DEMO-EURUSD", "DEMO-GLOBEX")
FIRST = date(2024, 1, 1)
MANY = 3_000
POISON = {
    b"\xff": "no JSON",
    b"{}": "lacks version",
    b'{"version": 7}': "its version is 7",
}


def message(symbol: str, first: int = 0, last: int = 4, **changes: Any) -> bytes:
    content = {
        "version": 1,
        "dataset": "bars_1d",
        "symbols": [symbol],
        "start": (FIRST + timedelta(days=first)).isoformat(),
        "end": (FIRST + timedelta(days=last)).isoformat(),
    }
    return json.dumps({**content, **changes}).encode()


@dataclass
class House:
    """An installation, its broker, and the ticks of the sensor."""

    settings: Settings
    kafka: KafkaSettings
    platform: PlatformResource
    operations: Operations

    def send(self, *bodies: bytes) -> None:
        send_refresh(self.kafka, [(str(n), body) for n, body in enumerate(bodies)])

    def tick(self) -> str:
        resource = KafkaResource(bootstrap_servers=",".join(self.kafka.bootstrap_servers))
        with dg.build_sensor_context(
            resources={"platform": self.platform, "kafka": resource}
        ) as context:
            found = SENSOR(context)
        assert isinstance(found, dg.SkipReason)
        return found.skip_message or ""

    def launched(self) -> list[Backfill]:
        return self.operations.backfills.newest(500, author="refresh_requests")

    def wishes(self) -> list[BackfillRequest]:
        return [b.plan.request for b in self.launched()]

    def codes(self) -> set[str]:
        """What readiness, and the alerts after it, say of Kafka where one request is too many."""
        strict = self.kafka.model_copy(update={"readiness_lag_warn": 1, "readiness_lag_fail": 5})
        section = kafka_section(strict, self.operations.outbox, SystemClock())
        return {r.code for r in section.reasons if r.code.startswith("kafka_requests")}

    def places(self) -> dict[int, int]:
        """Where reading goes on, of whatever topic had the name."""
        reader = refresh._KEPT.reader
        assert reader is not None
        return self.operations.messages.places(reader._log)

    def lag(self) -> int:
        group, topic = self.kafka.refresh_group, self.kafka.refresh_topic
        return consumer_lag(self.kafka, group, [topic]).total


@pytest.fixture
def house(
    tmp_path: Path,
    kafka_bootstrap: str,
    kafka_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[House]:
    name = f"{kafka_prefix}{request.node.name}"[:200].translate(str.maketrans("[]", "--"))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("KAFKA_REFRESH_TOPIC", name)
    monkeypatch.setenv("KAFKA_REFRESH_GROUP", f"{name}-group")
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    kafka = KafkaSettings()
    specs = [s for s in kafka.topic_specs(name) if s.name == name]
    if "no_topic" not in name:
        provision(kafka, specs)
    settings = Settings()
    give_operations(settings)
    platform = (build_definitions(settings).resources or {})["platform"]
    yield House(settings, kafka, platform, open_operations(settings.local_operations_url))
    forget_reader()


def test_many_messages_become_few_backfills_and_the_offsets_follow(house: House) -> None:
    assert house.tick() == "no message"
    house.send(*(message(SYMBOLS[n % 4], n // 4 % 50, n // 4 % 50 + 2) for n in range(MANY)))
    told = house.tick()
    while "messages" in told:
        told = house.tick()
    (wish,) = house.wishes()
    assert wish.symbols == SYMBOLS
    assert (wish.first, wish.last) == (FIRST, FIRST + timedelta(days=51))
    assert (wish.refetch, wish.overwrite_curated) == (False, True)
    assert house.lag() == 0
    assert sum(house.places().values()) == MANY
    # What waits already is not launched again.
    house.send(message(SYMBOLS[0], 3, 3))
    assert "launched 0 backfills" in house.tick()
    house.send(message(SYMBOLS[0], 3, 3, refetch=True))
    assert "launched 1 backfills" in house.tick()


@pytest.mark.parametrize(("seconds", "taken"), [(20.0, 2), (26.0, 1)])
def test_no_batch_is_begun_that_would_not_end_within_the_tick(
    house: House, monkeypatch: pytest.MonkeyPatch, seconds: float, taken: int
) -> None:
    policy = AutomationPolicy(messages=MessageRules(batch=1))
    monkeypatch.setattr(refresh_requests, "load_automation", lambda _: policy)
    house.send(*(message(SYMBOLS[0], n, n) for n in (1, 2, 3)))
    passed = [0.0]
    decided = refreshing.answer

    def slow(*given: Any) -> refreshing.Answered:
        passed[0] += seconds
        return decided(*given)

    monkeypatch.setattr(refreshing, "answer", slow)
    monkeypatch.setattr(refresh_requests, "monotonic", lambda: passed[0])
    assert house.tick().startswith(f"{taken} messages")
    # The next tick goes on.
    assert house.tick().startswith("1 messages")


def test_poison_is_parked_and_stops_nothing(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = message("NOBODY")
    off = message(SYMBOLS[0], dataset="raw/nobody_bars_1d")
    assert house.codes() == set()
    house.send(*POISON, unknown, message(SYMBOLS[0]), off)
    assert house.codes() == {"kafka_requests"}
    assert house.tick() == "6 messages: launched 1 backfills, parked 5"
    assert (house.lag(), house.codes()) == (0, set())
    kept = house.operations.messages
    reasons = " ".join(one.message.reason for one in kept.parked())
    assert all(why in reasons for why in (*POISON.values(), "NOBODY", "nobody"))
    assert kept.waiting()[0] == 5
    assert run(["messages", "parked"]) == 1
    assert "NOBODY" in capsys.readouterr().out
    odd = next(one for one in kept.parked() if "NOBODY" in one.message.reason)
    assert run(["messages", "retry", str(odd.id)]) == 0
    for one in kept.parked():
        assert run(["messages", "drop", str(one.id), "--reason", "it was a test"]) == 0
    assert run(["messages", "parked"]) == 0
    assert run(["messages", "drop", str(odd.id), "--reason", "again"]) == 1
    # What was sent again is as it was; what is sent here is right.
    sent = ["messages", "send", "bars_1d", "--symbols", SYMBOLS[1], "--start", "2024-01-02"]
    assert run([*sent, "--end", "2024-01-03"]) == 0
    assert run([*sent, "--end", "2024-01-01"]) == 1
    assert house.tick() == "2 messages: launched 1 backfills, parked 1"


def test_who_dies_between_the_record_and_the_offsets_doubles_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise StreamError("the broker is away")

    house.send(*(message(symbol) for symbol in SYMBOLS))
    # Before anything is recorded.
    with monkeypatch.context() as patch:
        patch.setattr("market_data.pipeline.refreshing.plan_backfill", dies)
        with pytest.raises(StreamError):
            house.tick()
    assert house.launched() == []
    assert house.lag() == len(SYMBOLS)
    # After it was, before the offsets are committed.
    with monkeypatch.context() as patch:
        patch.setattr(refresh.RefreshReader, "recorded", dies)
        with pytest.raises(StreamError):
            house.tick()
    assert house.lag() == len(SYMBOLS)
    assert [w.symbols for w in house.wishes()] == [SYMBOLS]
    assert house.tick() == "no message"
    assert house.lag() == 0
    house.send(message(SYMBOLS[0], 100, 101))
    assert house.tick().startswith("1 messages")
    assert house.lag() == 0
    assert len(house.launched()) == 2


def test_a_second_daemon_and_an_older_place_take_nothing_twice(house: House) -> None:
    assert house.tick() == "no message"
    first = refresh._KEPT.reader
    refresh._KEPT.reader, refresh._KEPT.settings = None, None
    closing, refresh._KEPT.closing = refresh._KEPT.closing, type(refresh._KEPT.closing)()
    house.send(*(message(symbol) for symbol in SYMBOLS))
    # The second daemon takes them; the first has read them, too.
    assert house.tick().startswith("4 messages")
    forget_reader()
    refresh._KEPT.reader, refresh._KEPT.settings = first, house.kafka
    refresh._KEPT.closing = closing
    assert house.tick() == "another daemon took these messages"
    assert house.tick() == "no message"
    assert len(house.launched()) == 1


def test_an_idle_tick_opens_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.tick()
    me = psutil.Process()

    def ports() -> set[int]:
        return {c.laddr.port for c in me.net_connections("tcp") if c.status == "ESTABLISHED"}

    def opened(*_: object) -> None:
        raise AssertionError("it opens a database")

    monkeypatch.setattr(PlatformResource, "open", opened)
    monkeypatch.setattr("resources.storage.OperationsResource.open", opened)
    before = ports()
    for _ in range(5):
        assert house.tick() == "no message"
    assert ports() <= before


@pytest.mark.parametrize("meanwhile", [1, 12])
def test_a_topic_that_was_made_anew_is_read_from_its_beginning(
    house: House, poll: Callable[[Callable[[], bool]], None], meanwhile: int
) -> None:
    house.send(*(message(symbol) for symbol in SYMBOLS))
    house.tick()
    forget_reader()
    topic = house.kafka.refresh_topic
    with admin(house.kafka) as opened:
        opened.delete_topics([topic])
        poll(lambda: topic not in {t["name"] for t in opened.describe_topics()})
    provision(house.kafka, [s for s in house.kafka.topic_specs(topic) if s.name == topic])
    # However many there are by now: as many as were read before tell nothing.
    house.send(*(message(SYMBOLS[0], 200 + n, 201 + n) for n in range(meanwhile)))
    assert house.tick().startswith(f"{meanwhile} messages")
    assert house.lag() == 0


def test_places_of_a_program_that_knew_no_ids_are_gone_on_from(house: House) -> None:
    house.send(*(message(symbol) for symbol in SYMBOLS))
    house.tick()
    places = house.places()
    with house.operations.messages._engine.begin() as connection:
        connection.execute(sa.update(refresh_offsets).values(topic=house.kafka.refresh_topic))
    forget_reader()
    assert house.tick() == "no message"
    assert house.places() == places
    house.send(message(SYMBOLS[0], 100, 101))
    assert house.tick().startswith("1 messages")


def test_no_topic_is_no_failure(house: House) -> None:
    assert "'emp kafka topics' makes it" in house.tick()


@pytest.fixture
def poll() -> Callable[[Callable[[], bool]], None]:
    """Waits until something is so."""
    import time

    def wait(done: Callable[[], bool]) -> None:
        for _ in range(100):
            if done():
                return
            time.sleep(0.1)
        raise AssertionError("it never came")

    return wait
