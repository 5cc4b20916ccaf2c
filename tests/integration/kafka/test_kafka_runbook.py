"""docs/runbooks/kafka-offset-recovery.md, step by step: its commands, and what they promise."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from adapters.kafka.bridge import bridge
from adapters.kafka.clients import admin
from adapters.kafka.lag import consumer_lag
from adapters.kafka.reader import read_events, read_replay
from adapters.kafka.settings import KafkaSettings
from adapters.operations import SqlOutbox, open_database
from adapters.settings import Settings
from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.variables import read
from emp.commands.kafka import app
from market_data.datasets import curated_bars
from market_data.errors import StreamError
from market_data.ports.events import Event
from market_data.timeframes import Timeframe
from tests.support.bridges import look_until

RUNBOOK = Path(__file__).resolve().parents[3] / "docs/runbooks/kafka-offset-recovery.md"
EXAMPLE_TIME = "2024-03-01T12:00:00Z"
DAYS = curated_bars(Timeframe.D1)


@pytest.fixture
def own(
    kafka_bootstrap: str, kafka_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> KafkaSettings:
    """An installation as the variables describe it."""
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("KAFKA_INGEST_DEFAULT_TOPIC", f"{kafka_prefix}ingest")
    monkeypatch.setenv("KAFKA_REPLAY_TOPIC", f"{kafka_prefix}replay")
    monkeypatch.setenv("KAFKA_INGEST_CONSUMER_GROUP", f"{kafka_prefix}bridge")
    return read(KafkaSettings)


def run(command: str) -> str:
    """Run a command of the runbook and return what it printed."""
    words = shlex.split(command)
    assert words[:2] == ["emp", "kafka"]
    done = CliRunner().invoke(app, words[2:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def store_bars() -> pl.DataFrame:
    days = pl.DataFrame({"session": pl.date_range(date(2024, 1, 2), date(2024, 1, 5), eager=True)})
    frame = DAYS.schema.conform(
        days.with_columns(
            pl.lit(100.0).alias(name) for name in ("open", "high", "low", "close", "volume")
        ).with_columns(
            symbol=pl.lit("AAPL"),
            ts=pl.col("session").cast(pl.Datetime("us", "UTC")),
            source=pl.lit("yahoo"),
            filled=pl.lit(""),
            final=pl.lit(value=True),
            dq_status=pl.lit("ok"),
            flags=pl.lit(""),
            rule_version=pl.lit("1"),
        )
    )
    span = (date(2024, 1, 2), date(2024, 1, 5))
    DeltaBarStore(Settings().warehouse_root).replace(DAYS, frame, sessions=span, symbols=["AAPL"])
    return frame


def handle(settings: KafkaSettings, count: int) -> list[str]:
    """Handle so many events with the group, and stop."""
    handled: list[str] = []
    with bridge(settings, lambda e: handled.append(e.event_id)) as opened:
        look_until(opened, lambda so_far: so_far.events >= count)
    return handled


def test_the_runbook_holds_what_it_promises(own: KafkaSettings, numbers: Callable[[int], Event]):
    commands = re.findall(r"^ +(emp .+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    done: list[str] = []

    def step(time: datetime | None = None) -> str:
        command = commands[len(done)]
        done.append(command)
        return run(command.replace(EXAMPLE_TIME, time.isoformat()) if time else command)

    # An installation that sent thirty events, of which the group has handled ten.
    run("emp kafka topics")
    outbox = SqlOutbox(open_database(Settings().local_operations_url))
    early, late = [numbers(n) for n in range(10)], [numbers(n) for n in range(20)]
    outbox.publish(early)
    run("emp kafka move earliest")
    run("emp kafka relay")
    handle(own, 10)
    between = datetime.now(UTC)
    outbox.publish(late)
    run("emp kafka relay")

    # 1. See where the group stands.
    assert f"group {own.ingest_consumer_group} is 20 messages behind" in step()

    # 2. and 3. A group that reads is not moved; one that is stopped goes where it is sent.
    with bridge(own, lambda _: None) as reading:
        reading._settings = own.model_copy(update={"ingest_consumer_commit_on_publish": False})
        reading.look(5)
        with pytest.raises(StreamError, match="stop them"):
            run(commands[1])
    assert "is 30 messages behind" in step()
    assert "is 20 messages behind" in step(between)
    assert "is 0 messages behind" in step()

    # 4. The brokers lose a topic: it is made again, and what was sent since comes again.
    topic = own.topics()["metrics"]
    with admin(own) as opened:
        opened.delete_topics([topic])
    while f"{topic}: created" not in (listed := run(commands[len(done)])):
        assert topic in listed
    done.append(commands[len(done)])
    assert read_events(own) == []
    assert json.loads(step(between))["sent"] == 20
    expected = sorted(e.event_id for e in late)
    assert sorted(e.event_id for e in read_events(own)) == expected
    rows = store_bars()
    replayed = json.loads(step())
    assert read_replay(own, replayed["replay_id"]).equals(rows)

    # 5. The consumers start and catch up.
    run("emp kafka move earliest")
    assert sorted(handle(own, 20)) == expected
    assert "is 0 messages behind" in step()
    assert done == commands


def test_a_group_beyond_the_end_is_told_and_recovers(own: KafkaSettings):
    """As after a broker that came back with less than the group had read."""
    from kafka import OffsetAndMetadata, TopicPartition

    run("emp kafka topics")
    topic = own.topics()["health"]
    with admin(own) as opened:
        beyond = {TopicPartition(topic, 0): OffsetAndMetadata(1_000, "", -1)}
        opened.alter_group_offsets(own.ingest_consumer_group, beyond)
    assert consumer_lag(own).stranded == 1
    found = json.loads(run("emp kafka lag --json"))["partitions"]
    assert [p["topic"] for p in found if p["beyond_end"]] == [topic]
    run("emp kafka move earliest")
    assert consumer_lag(own).stranded == 0


def test_times_in_the_future_find_nothing_to_send(own, numbers):
    outbox = SqlOutbox(open_database(Settings().local_operations_url))
    outbox.publish([numbers(1)])
    run("emp kafka topics")
    run("emp kafka relay")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert json.loads(run(f"emp kafka relay --resend-since {later}"))["sent"] == 0
