"""Which symbol-sessions the checks look for, after vendors said that they cannot serve some."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from market_data.pipeline.holdings import should_hold
from market_data.ports import Outcome, SymbolOutcome
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

DAYS = ["2024-03-04", "2024-03-05", "2024-03-06"]
GONE = FakeVendor(outcomes={"AAA": SymbolOutcome(Outcome.UNAVAILABLE, "too long ago")})


def daily(*days: str, name: str = "yahoo") -> FakeVendor:
    return FakeVendor(name, bars={"AAA": [datetime.fromisoformat(f"{d}T00:00Z") for d in days]})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, datetime(2024, 3, 7, tzinfo=UTC)))


def held(
    world: World, *vendors: str, sources: tuple[Timeframe, ...] = (Timeframe.D1,)
) -> list[str]:
    found = should_hold(world.platform, vendors, sources, date(2024, 3, 4), date(2024, 3, 6))
    return [str(session) for session in found["session"]]


def test_what_a_vendor_cannot_serve_is_not_looked_for(world: World) -> None:
    ask(world, GONE, DAYS[0], DAYS[1])
    ask(world, daily(), DAYS[2], DAYS[2])
    assert held(world, "yahoo") == DAYS[2:]


def test_what_failed_or_was_never_asked_is_looked_for(world: World) -> None:
    failing = FakeVendor(outcomes={"AAA": SymbolOutcome(Outcome.FAILED)})
    ask(world, failing, DAYS[0], DAYS[0])
    ask(world, daily(DAYS[2]), DAYS[2], DAYS[2])
    assert held(world, "yahoo") == DAYS


def test_one_vendor_that_did_not_say_so_is_enough(world: World) -> None:
    mine = FakeVendor("mine", outcomes=GONE.outcomes)
    ask(world, GONE, DAYS[0], DAYS[2])
    assert held(world, "yahoo", "mine") == []
    ask(world, mine, DAYS[0], DAYS[1])
    assert held(world, "yahoo", "mine") == []
    ask(world, daily(DAYS[1], name="mine"), DAYS[1], DAYS[1])
    assert held(world, "yahoo", "mine") == DAYS[1:2]
    assert held(world, "yahoo") == []


def test_longer_bars_of_which_the_minutes_are_gone_are_looked_for(world: World) -> None:
    ask(world, daily(*DAYS), DAYS[0], DAYS[2])
    ask(world, GONE, DAYS[0], DAYS[2], timeframe="1m")
    assert held(world, "yahoo", sources=(Timeframe.D1, Timeframe.M1)) == DAYS
    assert held(world, "yahoo", sources=(Timeframe.M1,)) == []


def test_bars_that_came_before_the_window_passed_them_are_still_looked_for(world: World) -> None:
    hour = FakeVendor(bars={"AAA": [datetime(2024, 3, 4, 14, 30, tzinfo=UTC)]})
    ask(world, hour, DAYS[0], DAYS[0], timeframe="1h")
    later = world.later(datetime(2024, 6, 1, tzinfo=UTC))
    window = FakeVendor(outcomes=GONE.outcomes, lookback={Timeframe.H1: timedelta(days=30)})
    ask(later, window, DAYS[0], DAYS[0], timeframe="1h")
    assert held(later, "yahoo", sources=(Timeframe.H1,)) == DAYS[:1]
    assert ask(later, window, DAYS[0], DAYS[0], timeframe="1h").fetches == 0


def test_a_long_look_back_does_not_block_what_landed(world: World) -> None:
    """Four months of minutes are asked of a vendor that has one."""
    hours = [
        datetime(2024, 3, day, 14, 30, tzinfo=UTC) + timedelta(hours=i)
        for day in (4, 5, 6)
        for i in range(7)
    ]
    vendor = FakeVendor(bars={"AAA": hours}, lookback={Timeframe.H1: timedelta(days=3)})
    ask(world, vendor, "2023-11-06", DAYS[2], timeframe="1h")
    found = world.inspect("1h", "2023-11-06", DAYS[2], vendor="yahoo")
    assert found.findings.filter(check="coverage").is_empty()
    assert found.block_reasons(None) == []
    assert found.symbol_sessions == 3
