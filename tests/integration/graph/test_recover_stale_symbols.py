"""A stale symbol is asked for again alone, further back, so often and no more."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from adapters.clock import FixedClock
from adapters.operations_opening import open_operations
from definitions import build_definitions
from market_data.backfill.records import Backfill, BackfillState
from market_data.operations.stale_symbols import evaluate_stale_symbols
from market_data.ports import Report
from resources.platform import PlatformResource
from sensors.recovery import recovery_sensor
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

FRIDAY = datetime(2024, 3, 8, 22, tzinfo=UTC)
MONDAY = datetime(2024, 3, 12, 22, tzinfo=UTC)
"""Monday's session is over for more than the day after which staleness warns."""
WEEK = [datetime(2024, 3, d, tzinfo=UTC) for d in (4, 5, 6, 7, 8)]
SENSOR = recovery_sensor(on=True)
KEY = f"recovery|1d|2024-03-11|0|{hashlib.sha256(b'BBB').hexdigest()[:16]}"


class House:
    """Two shares of Yahoo, of which one ends on Friday, and the sensor's ticks."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.world = shares(World.at(folder, FRIDAY))
        resources = build_definitions(self.world.settings).resources or {}
        self.resource: PlatformResource = resources["platform"]
        self.operations = open_operations(self.world.settings.local_operations_url)
        self.cursor: str | None = None
        self.now = MONDAY
        opened = PlatformResource.open

        def at(resource: PlatformResource) -> Any:
            self.opened += 1
            return replace(opened(resource), clock=FixedClock(self.now))

        self.opened = 0
        patch.setattr(PlatformResource, "open", at)

    def stored(self, **bars: list[datetime]) -> None:
        later = self.world.later(MONDAY)
        ask(later, FakeVendor(bars=bars), "2024-03-04", "2024-03-11", *bars)
        later.curate("1d", tuple(bars), "2024-03-04", "2024-03-11")

    def tick(self, now: datetime = MONDAY) -> list[Backfill]:
        before = {b.id for b in self.operations.backfills.newest()}
        self.now = now
        with dg.build_sensor_context(
            cursor=self.cursor, resources={"platform": self.resource}
        ) as context:
            found = SENSOR(context)
        assert isinstance(found, dg.SensorResult)
        self.cursor = found.cursor
        return [b for b in self.operations.backfills.newest() if b.id not in before]

    def report(self) -> Report:
        return self.operations.reports.newest("ingest_recovery")[0]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    house = House(tmp_path, monkeypatch)
    house.stored(AAA=[*WEEK, datetime(2024, 3, 11, tzinfo=UTC)], BBB=WEEK)
    return house


def test_the_stale_one_is_asked_for_alone_and_further_back(house: House) -> None:
    (made,) = house.tick()
    request = made.plan.request
    assert (made.author, request.dataset) == ("recover_stale_symbols", "curated/bars_1d")
    assert (request.symbols, request.refetch) == (("BBB",), True)
    assert (request.first, request.last) == (date(2024, 2, 23), date(2024, 3, 11))
    # A daemon by mistake, whose tick saw the same.
    second = house.operations.backfills.add(made.plan, at=MONDAY, author="x", key=KEY)
    assert second == made.id
    # Under way, and right after it, nothing else is launched.
    assert house.tick() == []
    house.operations.backfills.move(made.id, (BackfillState.RUNNING,), BackfillState.FAILED, MONDAY)
    assert house.tick() == []
    (again,) = house.tick(MONDAY + timedelta(hours=2))
    assert (again.plan.request.first, again.plan.request.last) == (
        date(2024, 2, 9),
        date(2024, 3, 11),
    )
    assert house.report().body["given_up"] == []
    house.operations.backfills.move(
        again.id, (BackfillState.RUNNING,), BackfillState.FAILED, MONDAY
    )
    assert house.tick(MONDAY + timedelta(hours=4)) == []
    report = house.report()
    assert (report.status, report.body["given_up"]) == ("fail", ["1d|BBB"])
    section = evaluate_stale_symbols(report)
    assert "1d BBB" in section.reasons[0].text
    # The next session that is due begins anew.
    due = [b.plan.request for b in house.tick(MONDAY + timedelta(days=1))]
    assert {(r.symbols, r.last) for r in due} == {
        (("AAA",), date(2024, 3, 12)),
        (("BBB",), date(2024, 3, 12)),
    }


def test_what_came_meanwhile_is_told_and_needs_nothing(house: House) -> None:
    assert len(house.tick()) == 1
    house.stored(BBB=[*WEEK, datetime(2024, 3, 11, tzinfo=UTC)])
    assert house.tick() == []
    report = house.report()
    assert (report.status, report.body["mended"]) == ("ok", ["1d|BBB"])
    assert evaluate_stale_symbols(report).reasons == ()
    assert evaluate_stale_symbols(None).off
    # Tuesday's session is due next: until then a tick opens nothing.
    look_at = datetime.fromisoformat(json.loads(house.cursor or "")["look_at"])
    assert MONDAY < look_at <= MONDAY + timedelta(days=1)
    house.cursor = json.dumps({"version": 1, "look_at": "2099-01-01T00:00:00+00:00", "stale": []})
    opened = house.opened
    assert house.tick(MONDAY + timedelta(days=2)) == []
    assert house.opened == opened


def test_one_that_ended_long_ago_is_left_alone(house: House) -> None:
    assert house.tick(MONDAY + timedelta(days=40)) == []


def test_many_at_once_need_a_person(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("market_data.backfill.guards.refusal", lambda *_: "too many")
    assert house.tick() == []
    assert house.report().body["given_up"] == ["1d|BBB"]


def test_a_cursor_of_a_newer_program_is_refused(house: House) -> None:
    house.cursor = '{"version": 2}'
    with pytest.raises(ValueError, match="version 2"):
        house.tick()


def test_it_asks_nobody_until_vendors_are_asked_by_themselves() -> None:
    assert SENSOR.default_status is dg.DefaultSensorStatus.RUNNING
    assert recovery_sensor(on=False).default_status is dg.DefaultSensorStatus.STOPPED
