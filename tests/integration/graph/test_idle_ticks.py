"""Ticks that find nothing to do open nothing: no file, no server, however often they come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from adapters.clock import SystemClock
from adapters.kept_open import KeptOpen, place_of
from adapters.operations import kept_database
from adapters.operations_opening import open_operations
from adapters.requests.opening import Gates
from adapters.settings import Settings
from tests.support.graph import Graph
from tests.support.instances import kept_instance
from tests.support.new_connections import new_connections
from tests.support.operations_file import give_operations


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Graph]:
    settings = Settings(data_dir=tmp_path / "data")
    give_operations(settings)
    # Somebody was asked once, so that there is a count of requests to look at.
    Gates(settings, SystemClock()).of("yahoo").enter([])
    with kept_instance() as instance:
        yield Graph(settings, instance)


def ticks(house: Graph, cursors: dict[str, str | None]) -> None:
    """One tick of every sensor, each with resources of its own, as the daemon makes them."""
    for sensor in house.defs.sensors or ():
        if isinstance(sensor, dg.AutomationConditionSensorDefinition):
            continue  # Dagster evaluates it itself, without a resource
        with dg.build_sensor_context(
            instance=house.instance,
            cursor=cursors.get(sensor.name),
            repository_def=house.defs.get_repository_def(),
            resources=house.defs.resources,
        ) as context:
            told = sensor(context)
        if isinstance(told, dg.SensorResult) and told.cursor is not None:
            cursors[sensor.name] = told.cursor


def test_no_sensor_opens_anything_on_an_idle_tick(
    house: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The dearest looks are taken with every tick.
    monkeypatch.setattr("sensors.alert_ticks.AGES_EVERY_SECONDS", 0.0)
    cursors: dict[str, str | None] = {}
    ours = str(house.settings.data_dir)
    with new_connections(monkeypatch) as opened:
        for _ in range(2):
            ticks(house, cursors)
        assert any("operations.sqlite" in line for line in opened), "nothing was watched"
        assert any("requests.sqlite" in line for line in opened)
        opened.clear()
        for _ in range(3):
            ticks(house, cursors)
    assert [line for line in opened if ours in line or "sqlite3" not in line] == []


def test_a_database_that_took_the_place_of_another_is_opened_anew(tmp_path: Path) -> None:
    file = tmp_path / "operations.sqlite"
    url = f"sqlite:///{file}"
    first = kept_database(url)
    assert kept_database(url) is first
    open_operations(url, kept=True).automation.get("daily_market_data")
    assert kept_database(url) is first
    for ending in ("", "-wal", "-shm"):
        Path(f"{file}{ending}").unlink(missing_ok=True)
    second = kept_database(url)
    assert second is not first
    assert kept_database(url) is second
    assert open_operations(url, kept=True).backfills.since(datetime(2024, 1, 1, tzinfo=UTC)) == []


def test_of_many_kept_things_those_are_closed_that_nobody_asks_for(tmp_path: Path) -> None:
    closed: list[int] = []
    kept: KeptOpen[int] = KeptOpen(closed.append)
    for number in range(8):
        assert kept.keep(f"k{number}", number) == number
    assert kept.find("k0") == 0
    assert kept.keep("k8", 8) == 8
    assert (closed, len(kept)) == ([1], 8)
    assert kept.find("k1") is None
    assert kept.keep("k0", 99) == 0, "somebody was faster"
    assert closed == [1, 99]
    assert place_of(tmp_path / "nothing") is None
