"""Daily bars over a vendor's own day: when they are known, and when they are asked for again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from market_data.basis import Adjustment, Basis, Side
from market_data.datasets import raw_bars
from market_data.features.registry import Kind, group_for
from market_data.pipeline.features import features_now
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.ports import Capabilities, Outcome
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.fake_vendor import FakeVendor, ask, ledger
from tests.support.worlds import World

WEDNESDAY = "2024-01-03"
PAIR = Instrument(
    symbol="EURUSD",
    asset_class=AssetClass.FX,
    calendar="fx",
    vendor_symbols={"yahoo": "EURUSD=X"},
)
DELAY = timedelta(minutes=15)


@dataclass
class LondonVendor(FakeVendor):
    """Its daily bars run from midnight to midnight in London."""

    day: str = "Europe/London 00:00"
    delay: timedelta = DELAY

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        if timeframe not in self.capabilities.timeframes:
            raise AssertionError(f"nobody has {timeframe} bars of {instrument.symbol}")
        return Basis(Adjustment.SPLITS, Side.MID, instrument.currency, day=self.day)


class HourlyVendor(LondonVendor):
    """The same without daily bars."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities((Timeframe.H1,))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.at(tmp_path, utc("2024-01-03T22:30")).register(instruments=(PAIR,))


def fetch(world: World, vendor: FakeVendor) -> None:
    """Ask for Wednesday."""
    ask(world, vendor, WEDNESDAY, WEDNESDAY, "EURUSD")
    world.curate("1d", "EURUSD", WEDNESDAY, WEDNESDAY)


def final(world: World) -> list[bool]:
    return world.read("1d", "EURUSD", quality="all", running=True)["final"].to_list()


def known_at(world: World) -> list[datetime]:
    return world.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))["known_at"].to_list()


def test_a_bar_fetched_between_the_close_and_londons_midnight_is_not_the_last_word(
    world: World,
) -> None:
    vendor = LondonVendor(bars={"EURUSD": [utc(WEDNESDAY)]})
    fetch(world, vendor)
    assert ledger(world, symbol="EURUSD") == {WEDNESDAY: ("rows", 1, False)}
    assert final(world) == [False]
    assert known_at(world) == [utc("2024-01-03T22:30")]
    assert world.inspect("1d", WEDNESDAY, WEDNESDAY).findings.is_empty()

    morning = world.later(utc("2024-01-04T06:00"))
    fetch(morning, vendor)
    assert len(vendor.asked) == 2
    assert ledger(morning, symbol="EURUSD") == {WEDNESDAY: ("rows", 1, True)}
    # The same prices again, and yet news: the day was over this time.
    assert final(morning) == [True]
    assert known_at(morning) == [utc("2024-01-04T06:00")]


def test_a_first_sight_is_known_from_the_end_of_the_vendors_day(world: World) -> None:
    later = world.later(utc("2024-02-01T00:00"))
    fetch(later, LondonVendor(bars={"EURUSD": [utc(WEDNESDAY)]}))
    assert known_at(later) == [utc("2024-01-04T00:00") + DELAY]
    before = later.read("1d", "EURUSD", quality="all", as_of=utc("2024-01-04T00:00"))
    assert before.is_empty()
    after = later.read("1d", "EURUSD", quality="all", as_of=utc("2024-01-04T00:15"))
    assert after["session"].to_list() == [date(2024, 1, 3)]


@pytest.mark.parametrize(
    ("day", "ended"),
    [("Europe/London 00:00", "2024-01-04T00:00"), ("Asia/Tokyo 00:00", "2024-01-03T15:00")],
)
def test_features_of_a_bar_are_known_when_the_vendors_day_ends(
    world: World, day: str, ended: str
) -> None:
    later = world.later(utc("2024-02-01T00:00"))
    fetch(later, LondonVendor(bars={"EURUSD": [utc(WEDNESDAY)]}, day=day))
    groups = [group_for(Kind.PRICE, Timeframe.D1)]
    wednesday = date.fromisoformat(WEDNESDAY)
    rows = features_now(later.platform, groups, ["EURUSD"], wednesday, wednesday)[Kind.PRICE]
    assert rows["available_at"].to_list() == [utc(ended)]


def test_a_vendors_day_that_ends_before_the_session_leaves_it_open(world: World) -> None:
    afternoon = world.later(utc("2024-01-03T16:00"))
    vendor = LondonVendor(bars={"EURUSD": [utc(WEDNESDAY)]}, day="Asia/Tokyo 00:00")
    fetch(afternoon, vendor)
    assert final(afternoon) == [True]
    assert ledger(afternoon, symbol="EURUSD") == {WEDNESDAY: ("rows", 1, False)}


def test_a_vendor_without_the_timeframe_has_no_day_of_its_own(world: World) -> None:
    request = IngestRequest("yahoo", Timeframe.D1, ("EURUSD",), date(2024, 1, 3), date(2024, 1, 3))
    report = ingest(world.platform, request, HourlyVendor())
    assert report.outcomes["EURUSD"].outcome is Outcome.NOTHING
    assert ledger(world, symbol="EURUSD") == {WEDNESDAY: ("nothing", 0, False)}
