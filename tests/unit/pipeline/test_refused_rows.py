"""Rows that a vendor's answer spoils: what mends them, and what they say of absence."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.ports import Outcome
from market_data.schemas import REJECTED_ROWS
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, ledger, shares
from tests.support.worlds import World

DAY, NEXT = "2024-03-05", "2024-03-06"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def refused(*starts: datetime | None, symbol: str = "AAA") -> pl.DataFrame:
    return pl.DataFrame(
        [(symbol, ts, "bad_close", str(ts)) for ts in starts],
        schema=REJECTED_ROWS.dtypes,
        orient="row",
    )


def still_open(world: World, timeframe: str = "1d") -> int:
    sessions = (date(2024, 3, 1), date(2024, 3, 31))
    counts = world.platform.quarantine.counts(timeframe=Timeframe(timeframe), sessions=sessions)
    return counts["rows"].sum()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, utc("2024-06-01")))


@pytest.mark.parametrize(
    ("timeframe", "start", "other"),
    [
        ("1d", utc(DAY), utc(NEXT)),
        ("1h", utc(f"{DAY}T14:30"), utc(f"{DAY}T15:30")),
    ],
)
def test_a_bar_that_comes_whole_closes_what_was_refused_of_it(
    world: World, timeframe: str, start: datetime, other: datetime
) -> None:
    ask(world, FakeVendor(rejected=refused(start, other)), DAY, NEXT, timeframe=timeframe)
    assert still_open(world, timeframe) == 2
    mended = FakeVendor(bars={"AAA": [start]}, rejected=refused(other))
    ask(world, mended, DAY, NEXT, timeframe=timeframe, refetch=True)
    assert still_open(world, timeframe) == 1
    assert world.platform.quarantine.read(timeframe=Timeframe(timeframe)).height > 1


def test_a_row_that_is_refused_again_is_open_again(world: World) -> None:
    broken, whole = FakeVendor(rejected=refused(utc(DAY))), FakeVendor(bars={"AAA": [utc(DAY)]})
    for vendor, count in ((broken, 1), (whole, 0), (broken, 1)):
        ask(world, vendor, DAY, DAY, refetch=True)
        assert still_open(world) == count
    both = FakeVendor(bars={"AAA": [utc(DAY)]}, rejected=refused(utc(DAY)))
    ask(world, both, DAY, DAY, refetch=True)
    assert still_open(world) == 1


def test_another_vendors_or_symbols_bar_closes_nothing(world: World) -> None:
    ask(world, FakeVendor(rejected=refused(utc(DAY))), DAY, DAY)
    ask(world, FakeVendor("mine", bars={"AAA": [utc(DAY)]}), DAY, DAY)
    ask(world, FakeVendor(bars={"BBB": [utc(DAY)]}), DAY, DAY, "BBB")
    assert still_open(world) == 1


def test_many_rows_without_a_time_make_absence_unbelievable(world: World) -> None:
    vendor = FakeVendor(bars={"AAA": [utc(DAY)]}, rejected=refused(None))
    report = ask(world, vendor, DAY, NEXT, "AAA", "BBB")
    assert report.failed["AAA"].outcome is Outcome.FAILED
    assert "1 of 2 rows tell no readable time" in report.failed["AAA"].detail
    # What came is kept; what did not come is not said to be nothing.
    assert ledger(world) == {DAY: ("rows", 1, False), NEXT: ("failed", 0, False)}
    assert {outcome for outcome, *_ in ledger(world, symbol="BBB").values()} == {"nothing"}


def test_rows_of_nobody_knows_whom_spoil_every_symbol(world: World) -> None:
    vendor = FakeVendor(bars={"AAA": [utc(DAY)]}, rejected=refused(None, symbol=""))
    assert set(ask(world, vendor, DAY, NEXT, "AAA", "BBB").failed) == {"AAA", "BBB"}


def test_a_row_without_a_time_among_many_is_only_kept(world: World) -> None:
    days = [utc(f"2024-03-{n:02}") for n in (4, 5, 6, 7, 8, *range(11, 16), *range(18, 23))]
    days += [utc(f"2024-04-{n:02}") for n in range(1, 6)]
    vendor = FakeVendor(bars={"AAA": days}, rejected=refused(None))
    report = ask(world, vendor, "2024-03-04", "2024-04-05")
    assert (report.rejected_rows, report.failed) == (1, {})
