"""After an outage exactly what it left is backfilled, once."""

from __future__ import annotations

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
from market_data.backfill.plan_json import plan_from_json, plan_to_json
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import Backfill, BackfillState
from market_data.errors import VendorUnavailableError
from market_data.pipeline.backfill_answers import unanswered
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.ports import Outcome, SymbolOutcome
from resources.platform import PlatformResource
from sensors.outages import outage_sensor
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

NOW = datetime(2024, 3, 8, 22, tzinfo=UTC)
DAYS = [date(2024, 3, d) for d in (4, 5, 6, 7, 8)]
AWAY = SymbolOutcome.of(VendorUnavailableError("no answer"))
SENSOR = outage_sensor(BackfillPolicy(), on=True)


class House:
    """Yahoo, a journal of what it answered, and the sensor's ticks."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.world = shares(World.at(folder, NOW))
        resources = build_definitions(self.world.settings).resources or {}
        self.resource: PlatformResource = resources["platform"]
        self.kept = open_operations(self.world.settings.local_operations_url).backfills
        self.cursor: str | None = None
        self.now = NOW
        opened = PlatformResource.open

        def at(resource: PlatformResource) -> Any:
            return replace(opened(resource), clock=FixedClock(self.now))

        patch.setattr(PlatformResource, "open", at)

    def asked(self, hour: int, vendor: FakeVendor, *symbols: str) -> None:
        at = self.world.later(NOW + timedelta(hours=hour))
        ask(at, vendor, "2024-03-05", "2024-03-07", *(symbols or ("AAA", "BBB")))

    def tick(self, hour: int) -> list[Backfill]:
        before = {b.id for b in self.kept.newest()}
        self.now = NOW + timedelta(hours=hour)
        with dg.build_sensor_context(
            cursor=self.cursor, resources={"platform": self.resource}
        ) as context:
            found = SENSOR(context)
        assert isinstance(found, dg.SensorResult)
        self.cursor = found.cursor
        return [b for b in self.kept.newest() if b.id not in before]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(tmp_path, monkeypatch)


def bars() -> dict[str, list[datetime]]:
    starts = [datetime(d.year, d.month, d.day, tzinfo=UTC) for d in DAYS]
    return {"AAA": starts, "BBB": starts}


def away() -> FakeVendor:
    return FakeVendor(outcomes={"AAA": AWAY, "BBB": AWAY})


def test_what_an_outage_left_is_backfilled_once(house: House) -> None:
    assert house.tick(0) == []
    house.asked(1, away())
    assert house.tick(2) == []
    # It answers again, about one of the two.
    house.asked(3, FakeVendor(bars=bars()), "AAA")
    (made,) = house.tick(4)
    request = made.plan.request
    assert (request.dataset, request.vendors) == ("curated/bars_1d", ("yahoo",))
    (piece,) = made.plan.pieces
    assert piece.asked == {"yahoo": ("BBB",)}
    assert (piece.first, piece.last, piece.symbol_sessions) == (DAYS[1], DAYS[3], 3)
    assert made.author == "fill_after_outages"
    assert made.plan.snapshot
    # The same again: nothing new was asked, a tick that is repeated, a backfill that failed.
    before = house.cursor
    assert house.tick(5) == []
    house.cursor = json.dumps({**json.loads(before or ""), "number": 0})
    assert house.tick(5) == []
    house.kept.move(made.id, (BackfillState.RUNNING,), BackfillState.FAILED, NOW)
    house.cursor = json.dumps({**json.loads(before or ""), "number": 0})
    assert house.tick(6) == []


def test_what_a_backfill_has_filled_by_now_makes_no_other(house: House) -> None:
    assert house.tick(0) == []
    house.asked(1, away())
    later = house.world.later(NOW + timedelta(hours=2))
    answers = FakeVendor(bars=bars())
    ask(later, answers, "2024-03-08", "2024-03-08", "AAA")
    (made,) = house.tick(3)
    assert set(made.plan.request.symbols) == {"AAA", "BBB"}
    house.asked(4, answers, "AAA")
    assert house.tick(5) == []
    ask(house.world.later(NOW + timedelta(hours=6)), answers, "2024-03-05", "2024-03-05", "BBB")
    assert house.tick(7) == []


def test_an_outage_that_was_over_before_is_left_alone(house: House) -> None:
    house.asked(1, away())
    house.asked(2, FakeVendor(bars=bars()), "AAA")
    assert house.tick(3) == []
    assert house.tick(4) == []


def test_nothing_lacks_after_everybody_was_asked_again(house: House) -> None:
    house.tick(0)
    house.asked(1, away())
    house.asked(2, FakeVendor(bars=bars()))
    assert house.tick(3) == []


def test_a_cursor_of_a_newer_program_is_refused(house: House) -> None:
    house.cursor = '{"version": 2}'
    with pytest.raises(ValueError, match="version 2"):
        house.tick(1)


def test_the_outcome_is_one_that_nobody_answered() -> None:
    assert (AWAY.outcome, AWAY.kind) == (Outcome.FAILED, "unavailable")


def test_it_asks_nobody_until_vendors_are_asked_by_themselves() -> None:
    assert SENSOR.default_status is dg.DefaultSensorStatus.RUNNING
    off = outage_sensor(BackfillPolicy(), on=False)
    assert off.default_status is dg.DefaultSensorStatus.STOPPED


def test_of_each_symbol_only_what_it_lacks_itself_is_asked_for(house: House) -> None:
    """AAA lacks two stretches around an answer, BBB a day that AAA has: four questions, no more."""
    have = FakeVendor(bars=bars())
    house.tick(0)
    morning = house.world.later(NOW + timedelta(minutes=30))
    ask(morning, have, "2024-03-06", "2024-03-06", "AAA")
    ask(morning, have, "2024-03-08", "2024-03-08", "BBB")
    out = house.world.later(NOW + timedelta(hours=1))
    ask(out, away(), "2024-03-05", "2024-03-07", "AAA")
    ask(out, away(), "2024-03-06", "2024-03-06", "BBB")
    ask(house.world.later(NOW + timedelta(hours=2)), have, "2024-03-08", "2024-03-08", "AAA")
    (made,) = house.tick(3)
    assert made.plan.request.only == (
        ("AAA", DAYS[1], DAYS[1]),
        ("AAA", DAYS[3], DAYS[3]),
        ("BBB", DAYS[2], DAYS[2]),
    )
    assert made.plan.symbol_sessions == 3
    again = plan_from_json(plan_to_json(made.plan))
    assert again == made.plan
    vendor = FakeVendor(bars=bars())
    later = house.world.later(NOW + timedelta(hours=4))
    for piece in again.pieces:
        for feed, symbols in piece.asked.items():
            spans = piece.spans_of(symbols)
            wish = IngestRequest(
                feed, piece.timeframe, symbols, piece.first, piece.last, spans=spans
            )
            ingest(later.platform, wish, vendor)
        assert unanswered(later.platform, piece).is_empty()
    days = [
        (s.symbol, r.start.date(), (r.end - timedelta(days=1)).date())
        for r in vendor.asked
        for s in r.symbols
    ]
    # Of nothing that has an answer, and of no day (BBB on the 5th and 7th) that nobody asked for.
    assert sorted(days) == list(made.plan.request.only)
    assert house.tick(5) == []
