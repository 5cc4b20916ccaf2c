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
from tests.support.instances import kept_instance
from tests.support.institution import Institution, institution
from tests.support.new_connections import new_connections


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    folder = tmp_path_factory.mktemp("institution")
    with institution(folder) as made, pytest.MonkeyPatch.context() as patch:
        assert made.run("migrate").returncode == 0
        done = made.run("ingest", "--vendor", "sample_a", "--symbols", "DEMO-BTC",
                        "--start", "2024-02-27", "--end", "2024-03-01")  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        for name, value in made.environment.items():
            patch.setenv(name, value)
        yield made


@pytest.fixture(scope="module")
def definitions(house: Institution) -> dg.Definitions:
    folder = Path(house.environment["EMP_DATA_DIR"])
    return build_definitions(Settings(mode=Mode.INSTITUTIONAL, data_dir=folder))


def test_a_tick_sends_what_waits(house: Institution, definitions: dg.Definitions) -> None:
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


def test_no_sensor_opens_anything_on_an_idle_tick(
    house: Institution, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server, and no file but Dagster's own."""
    cursors: dict[str, str | None] = {}
    ours = house.environment["EMP_DATA_DIR"]

    def ticks(instance: dg.DagsterInstance) -> None:
        for sensor in definitions.sensors or ():
            if isinstance(sensor, dg.AutomationConditionSensorDefinition):
                continue  # Dagster evaluates it itself, without a resource
            with dg.build_sensor_context(
                instance=instance,
                cursor=cursors.get(sensor.name),
                repository_def=definitions.get_repository_def(),
                resources=definitions.resources,
            ) as context:
                told = sensor(context)
            if isinstance(told, dg.SensorResult) and told.cursor is not None:
                cursors[sensor.name] = told.cursor

    with kept_instance() as instance, new_connections(monkeypatch) as opened:
        for _ in range(3):
            ticks(instance)
        kinds = {line.split(" ")[0] for line in opened}
        assert {"psycopg.connect", "socket.connect"} <= kinds, "nothing was watched"
        opened.clear()
        for _ in range(2):
            ticks(instance)
    assert [line for line in opened if ours in line or "sqlite3" not in line] == []


def test_without_servers_there_is_no_such_sensor(tmp_path: Path) -> None:
    definitions = build_definitions(Settings(mode=Mode.BOOTSTRAP, data_dir=tmp_path))
    assert "relay_kafka_events" not in {s.name for s in definitions.sensors or []}
