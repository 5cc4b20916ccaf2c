"""A bar that came unreadable and later whole: it is known since it came whole, not before."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.datasets import raw_bars
from market_data.ports import Outcome, SymbolOutcome
from market_data.schemas import REJECTED_ROWS
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

FIRST, DAY, LAST = "2024-03-04", "2024-03-05", "2024-03-08"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DAYS = [utc(f"2024-03-0{n}") for n in range(4, 9)]


def refused(*starts: datetime) -> pl.DataFrame:
    rows = [("AAA", ts, "bad_close", str(ts)) for ts in starts]
    return pl.DataFrame(rows, schema=REJECTED_ROWS.dtypes, orient="row")


def known_at(world: World) -> dict[date, datetime]:
    bars = world.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))
    return dict(bars.select("session", "known_at").iter_rows())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, utc("2024-06-01")))


def test_a_mended_bar_is_known_since_it_came_whole(world: World) -> None:
    others = [day for day in DAYS if day != utc(DAY)]
    ask(world, FakeVendor(bars={"AAA": others}, rejected=refused(utc(DAY))), FIRST, LAST)
    asked = utc("2024-06-03")
    world = world.later(asked)
    ask(world, FakeVendor(bars={"AAA": DAYS}), FIRST, LAST, refetch=True)
    found = known_at(world)
    assert found.pop(utc(DAY).date()) == asked
    assert max(found.values()) < utc("2024-06-01"), "nothing else is known later for it"


def test_an_answer_of_refused_rows_alone_has_spoken_of_their_sessions(world: World) -> None:
    failed = SymbolOutcome(Outcome.FAILED, "none of the 5 rows is a bar", "malformed answer")
    broken = FakeVendor(rejected=refused(*DAYS), outcomes={"AAA": failed})
    ask(world, broken, FIRST, LAST)
    asked = utc("2024-06-03")
    world = world.later(asked)
    ask(world, FakeVendor(bars={"AAA": DAYS}), FIRST, LAST, refetch=True)
    assert set(known_at(world).values()) == {asked}


def test_a_doubted_silence_still_speaks_of_no_session(world: World) -> None:
    ask(world, FakeVendor(), "2024-03-04", "2024-03-28")
    world = world.later(utc("2024-06-03"))
    ask(world, FakeVendor(bars={"AAA": DAYS}), FIRST, LAST, refetch=True)
    assert max(known_at(world).values()) < utc("2024-06-01")
