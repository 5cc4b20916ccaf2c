"""What the reports on operations look at: symbols that somebody keeps current, and no history."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from market_data.operations.evidence import Evidence
from market_data.pipeline.observing import observe
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

FRIDAY = datetime(2024, 3, 8, 22, tzinfo=UTC)
LATER = datetime(2024, 4, 26, 22, tzinfo=UTC)


def seen(world: World) -> Evidence:
    return observe(world.platform, window=timedelta(days=30))


def minutes(world: World, day: str, *also: str) -> None:
    """A few minutes of AAA of a day, curated, and bars of other lengths made of them."""
    opening = datetime.fromisoformat(f"{day}T14:30:00+00:00")
    bars = [opening + timedelta(minutes=n) for n in range(3)]
    ask(world, FakeVendor(bars={"AAA": bars}), day, day, timeframe="1m")
    for timeframe in ("1m", *also):
        world.curate(timeframe, "AAA", day, day)


def test_bars_made_of_minutes_are_watched_as_long_as_somebody_makes_them(tmp_path: Path):
    world = shares(World.at(tmp_path, FRIDAY))
    minutes(world, "2024-03-08", "1h")
    found = seen(world).reach
    assert found.select("timeframe", "symbol", "newest").sort("timeframe").rows() == [
        ("1h", "AAA", date(2024, 3, 8)),
        ("1m", "AAA", date(2024, 3, 8)),
    ]
    assert found["newest_end"].max() == datetime(2024, 3, 8, 15, 30, tzinfo=UTC)
    later = world.later(LATER)
    minutes(later, "2024-04-26")
    assert seen(later).reach["timeframe"].to_list() == ["1m"]


def test_no_attempt_of_the_window_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However many there are; and where there are few, older ones are looked at as well."""
    world = shares(World.at(tmp_path, FRIDAY))
    days = ("2024-02-20", "2024-03-06", "2024-03-07", "2024-03-08")
    for day in days:
        ask(
            world,
            FakeVendor(bars={"AAA": [datetime.fromisoformat(f"{day}T00:00:00+00:00")]}),
            day,
            day,
        )
    assert seen(world).attempts.height == 4
    monkeypatch.setattr("market_data.pipeline.observing.LEAST_ATTEMPTS", 2)
    assert seen(world).attempts.height == 4
    later = world.later(LATER)
    assert seen(later).attempts.height == 2


def test_a_symbol_that_nobody_asked_for_in_a_month_is_history(tmp_path: Path):
    world = shares(World.at(tmp_path, FRIDAY))
    day = datetime(2024, 3, 8, tzinfo=UTC)
    ask(world, FakeVendor(bars={"AAA": [day]}), "2024-03-08", "2024-03-08", "AAA", "BBB")
    world.curate("1d", ("AAA", "BBB"), "2024-03-08", "2024-03-08")
    found = {r["symbol"]: r for r in seen(world).reach.iter_rows(named=True)}
    assert found["AAA"]["newest_end"] == datetime(2024, 3, 8, 21, tzinfo=UTC)
    assert (found["BBB"]["newest"], found["BBB"]["newest_end"]) == (None, None)
    assert seen(world.later(LATER)).reach.is_empty()
