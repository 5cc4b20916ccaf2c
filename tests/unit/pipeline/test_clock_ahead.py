"""One fetch made while the clock was ahead does not bury what the vendor says afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from market_data.calendars import trading_sessions
from market_data.pipeline.inspection import inspect_raw
from market_data.ports import FetchRequest, FetchResult
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, ledger, shares
from tests.support.worlds import World

FIRST, LAST = date(2024, 3, 4), date(2024, 3, 8)
NOW = datetime(2024, 3, 9, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS: list[date] = trading_sessions("XNYS", FIRST, LAST)["session"].to_list()


@dataclass
class Priced(FakeVendor):
    """Every bar at one price."""

    price: float = 100.0

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        for result in super().fetch(request):
            prices = pl.lit(self.price).alias
            frame = result.frame.with_columns(prices(c) for c in ("open", "high", "low", "close"))
            yield replace(result, frame=frame)


def told(world: World, price: float) -> World:
    bars = {"AAA": [datetime.combine(day, time(), UTC) for day in DAYS]}
    ask(world, Priced(bars=bars, price=price), FIRST, LAST, refetch=True)
    world.curate("1d", "AAA", FIRST, LAST)
    return world


def closes(world: World, **how: object) -> set[float]:
    bars = world.read("1d", "AAA", sessions=(FIRST, LAST), **how)
    assert bars.height == len(DAYS)
    return set(bars["close"].to_list())


def codes(world: World) -> set[str]:
    found = inspect_raw(world.platform, "yahoo", Timeframe.D1, FIRST, LAST).findings
    return set(found.filter(check="staleness")["code"])


def test_restatements_after_a_clock_that_was_ahead_are_served(tmp_path: Path) -> None:
    world = told(shares(World.at(tmp_path, NOW)), 100.0)
    told(world.later(NOW + timedelta(days=365)), 101.0)
    right = world.later(NOW + HOUR)
    assert codes(right) == {"fetched_in_future"}
    told(right, 102.0)
    assert closes(right) == closes(right, as_of=NOW + HOUR) == {102.0}
    assert closes(right, as_of=NOW) == {100.0}
    assert codes(right) == set()
    later = told(world.later(NOW + 2 * HOUR), 103.0)
    assert closes(later) == closes(later, as_of=NOW + 2 * HOUR) == {103.0}
    assert closes(later, as_of=NOW + HOUR) == {102.0}


def test_a_clock_that_was_set_back_buries_nothing(tmp_path: Path) -> None:
    world = told(shares(World.at(tmp_path, NOW + timedelta(days=1))), 100.0)
    told(world.later(NOW), 101.0)
    assert closes(world.later(NOW + timedelta(days=2))) == {101.0}


def test_what_was_asked_a_year_ahead_is_asked_again(tmp_path: Path) -> None:
    """By that clock the sessions were over, and their bars were not to be expected any more."""
    world = shares(World.at(tmp_path, NOW + timedelta(days=365)))
    silent = FakeVendor(bars={"AAA": [datetime.combine(d, time(), UTC) for d in DAYS[:2]]})
    ask(world, silent, FIRST, LAST)
    assert set(ledger(world).values()) == {("rows", 1, True), ("nothing", 0, True)}
    right = world.later(NOW)
    whole = FakeVendor(bars={"AAA": [datetime.combine(d, time(), UTC) for d in DAYS]})
    ask(right, whole, FIRST, LAST)
    assert {outcome for outcome, *_ in ledger(right).values()} == {"rows"}
    known = right.platform.ledger.read(vendors=["yahoo"])
    assert known["asked_at"].to_list() == [NOW] * len(DAYS)
    assert ask(right, whole, FIRST, LAST).answered == len(DAYS)
