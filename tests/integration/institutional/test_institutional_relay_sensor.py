"""The daemon's sensor sends what waits, once, and counts as a sender."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from adapters.operations import open_database
from adapters.operations.outbox import SqlOutbox
from adapters.settings import Mode, Settings
from definitions import build_definitions
from sensors.kafka_relay import relay_kafka_events
from tests.support.institution import Institution, institution


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Institution]:
    with institution(tmp_path) as made:
        assert made.run("migrate").returncode == 0
        done = made.run("ingest", "--vendor", "sample_a", "--symbols", "DEMO-BTC",
                        "--start", "2024-02-27", "--end", "2024-03-01")  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def test_a_tick_sends_what_waits(house: Institution, tmp_path: Path) -> None:
    definitions = build_definitions(Settings(mode=Mode.INSTITUTIONAL, data_dir=tmp_path))
    sensor = definitions.get_sensor_def("relay_kafka_events")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    outbox = SqlOutbox(open_database(house.environment["EMP_OPERATIONS_URL"]))
    waiting = outbox.backlog().waiting
    assert waiting >= 2

    def tick() -> str:
        with dg.build_sensor_context(resources=definitions.resources) as context:
            told = relay_kafka_events(context)
        assert isinstance(told, dg.SkipReason)
        return str(told.skip_message)

    assert tick() == f"{waiting} events sent"
    assert outbox.backlog().waiting == 0
    assert tick() == "nothing waits"


def test_without_servers_there_is_no_such_sensor(tmp_path: Path) -> None:
    definitions = build_definitions(Settings(mode=Mode.BOOTSTRAP, data_dir=tmp_path))
    assert "relay_kafka_events" not in {s.name for s in definitions.sensors or []}
