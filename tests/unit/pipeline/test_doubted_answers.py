"""Answers that are not believed at once: long silences, and sessions whose rows were refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from market_data.datasets import raw_bars
from market_data.pipeline.doubts import FEW, MENDING, PAUSE
from market_data.schemas import REJECTED_ROWS
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, having, ledger, shares
from tests.support.worlds import World

NOW = datetime(2024, 6, 3, 22, tzinfo=UTC)
FIRST, LAST = "2024-01-02", "2024-01-31"
JANUARY = [
    datetime(2024, 1, day, tzinfo=UTC)
    for day in range(2, 32)
    if date(2024, 1, day).weekday() < 5 and day != 15
]
EMPTY = FakeVendor()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, NOW))


def refused(*starts: datetime, why: str = "null_price") -> pl.DataFrame:
    return pl.DataFrame(
        [("AAA", ts, why, str(ts)) for ts in starts], schema=REJECTED_ROWS.dtypes, orient="row"
    )


def finals(world: World) -> set[bool]:
    return {final for *_, final in ledger(world).values()}


def without(*days: int) -> list[datetime]:
    return [ts for ts in JANUARY if ts.day not in days]


def test_one_empty_answer_does_not_close_a_month(world: World) -> None:
    ask(world, FakeVendor(), FIRST, LAST)
    assert set(ledger(world).values()) == {("nothing", 0, False)}
    details = world.platform.ledger.read(vendors=["yahoo"])["detail"].unique().to_list()
    assert details == [f"nothing over {len(JANUARY)} sessions in a row"]


def test_it_rests_and_then_is_asked_for_and_mended(world: World) -> None:
    ask(world, FakeVendor(), FIRST, LAST)
    soon = world.later(NOW + PAUSE - timedelta(minutes=1))
    vendor = FakeVendor(bars={"AAA": JANUARY})
    report = ask(soon, vendor, FIRST, LAST)
    assert (vendor.asked, report.answered) == ([], len(JANUARY))
    assert ask(world.later(NOW + PAUSE), vendor, FIRST, LAST).new_rows == len(JANUARY)
    assert set(ledger(world).values()) == {("rows", 1, True)}


def test_bars_after_a_doubted_silence_do_not_count_as_late(world: World) -> None:
    ask(world, FakeVendor(), FIRST, LAST)
    ask(world.later(NOW + PAUSE), FakeVendor(bars={"AAA": JANUARY}), FIRST, LAST)
    bars = world.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))
    assert (bars["known_at"] < NOW).all()


def test_two_answers_that_agree_are_believed(world: World) -> None:
    vendor = FakeVendor()
    for hours in (0, 1, 20, 24):
        ask(world.later(NOW + timedelta(hours=hours)), vendor, FIRST, LAST)
    assert len(vendor.asked) == 2
    assert finals(world) == {True}


def test_two_answers_at_one_time_are_one(world: World) -> None:
    ask(world, EMPTY, FIRST, LAST)
    ask(world.later(NOW + timedelta(hours=1)), EMPTY, FIRST, LAST, refetch=True)
    assert finals(world) == {False}


def test_a_doubted_silence_does_not_unsay_bars(world: World) -> None:
    ask(world, FakeVendor(bars={"AAA": JANUARY}), FIRST, LAST)
    known = ledger(world)
    ask(world.later(NOW + timedelta(days=1)), EMPTY, FIRST, LAST, refetch=True)
    assert ledger(world) == known


@pytest.mark.parametrize(
    ("bars", "open_days"),
    [
        (without(2, 3, 4, 5, 8), set()),
        (without(2, 3, 4, 5, 8, 9), {2, 3, 4, 5, 8, 9}),
        (without(24, 25, 26, 29, 30, 31), {24, 25, 26, 29, 30, 31}),
        (without(8, 9, 10, 11, 12, 16, 17, 18, 19), set()),
    ],
    ids=["short", "before", "after", "between"],
)
def test_a_long_silence_is_doubted_unless_bars_lie_around_it(
    world: World, bars: list[datetime], open_days: set[int]
) -> None:
    ask(world, FakeVendor(bars={"AAA": bars}), FIRST, LAST)
    found = {date.fromisoformat(s).day for s, (*_, final) in ledger(world).items() if not final}
    assert found == open_days


def test_few_sessions_are_believed_at_once(world: World) -> None:
    span = JANUARY[0].date(), JANUARY[FEW - 1].date()
    ask(world, EMPTY, *span)
    assert finals(world) == {True}


def test_one_symbol_is_no_proof_of_another(world: World) -> None:
    ask(world, FakeVendor(bars={"AAA": JANUARY}), FIRST, LAST, "AAA", "BBB")
    assert {final for *_, final in ledger(world, symbol="BBB").values()} == {False}
    assert finals(world) == {True}


def test_files_are_read_again_at_each_run(world: World) -> None:
    vendor = FakeVendor("mine")
    for _ in range(2):
        ask(world, vendor, FIRST, LAST)
    assert len(vendor.asked) == 2


def test_a_session_whose_only_row_was_refused_is_asked_for_later(world: World) -> None:
    spoiled = FakeVendor(bars={"AAA": without(9)}, rejected=refused(JANUARY[5]))
    ask(world, spoiled, FIRST, LAST)
    assert ledger(world)["2024-01-09"] == ("nothing", 0, False)
    assert sum(not final for *_, final in ledger(world).values()) == 1
    assert ask(world.later(NOW + timedelta(hours=1)), spoiled, FIRST, LAST).fetches == 0
    whole = having(spoiled, AAA=JANUARY)
    assert ask(world.later(NOW + PAUSE), whole, FIRST, LAST).new_rows == 1
    assert ledger(world)["2024-01-09"] == ("rows", 1, True)


def test_an_old_session_is_given_up_when_its_row_is_refused_twice(world: World) -> None:
    spoiled = FakeVendor(bars={"AAA": without(9)}, rejected=refused(JANUARY[5]))
    for days in range(3):
        ask(world.later(NOW + timedelta(days=days)), spoiled, FIRST, LAST)
    assert len(spoiled.asked) == 2
    assert finals(world) == {True}


def test_a_young_session_may_come_mended_for_a_month(world: World) -> None:
    friday = datetime(2024, 5, 24, tzinfo=UTC)
    spoiled = FakeVendor(rejected=refused(friday))
    days = [0, 1, 2, MENDING.days - 11, MENDING.days - 9, MENDING.days]
    for count in days:
        ask(world.later(NOW + timedelta(days=count)), spoiled, friday.date(), friday.date())
    # It closed ten days ago at the first question.
    assert len(spoiled.asked) == 5
    assert finals(world) == {True}


def test_a_row_without_any_price_is_believed_when_it_is_repeated(world: World) -> None:
    friday = datetime(2024, 5, 24, tzinfo=UTC)
    vendor = FakeVendor(rejected=refused(friday, why="null_bar"))
    for count in range(3):
        ask(world.later(NOW + timedelta(days=count)), vendor, friday.date(), friday.date())
    assert len(vendor.asked) == 2


def test_minutes_that_were_refused_are_asked_for_once_more(world: World) -> None:
    day = "2024-05-24"
    hours = [datetime(2024, 5, 24, 13, 30, tzinfo=UTC) + timedelta(hours=i) for i in range(7)]
    vendor = FakeVendor(bars={"AAA": hours[:6]}, rejected=refused(hours[6]))
    ask(world, vendor, day, day, timeframe="1h")
    assert ledger(world) == {day: ("rows", 6, False)}
    ask(world.later(NOW + PAUSE), having(vendor, AAA=hours), day, day, timeframe="1h")
    assert ledger(world) == {day: ("rows", 7, True)}


def test_a_minute_without_a_trade_is_believed_at_once(world: World) -> None:
    hours = [datetime(2024, 5, 24, 13, 30, tzinfo=UTC) + timedelta(hours=i) for i in range(7)]
    quiet = FakeVendor(bars={"AAA": hours[:6]}, rejected=refused(hours[6], why="null_bar"))
    ask(world, quiet, "2024-05-24", "2024-05-24", timeframe="1h")
    assert finals(world) == {True}


def test_a_refused_row_does_not_unsay_a_bar(world: World) -> None:
    ask(world, FakeVendor(bars={"AAA": JANUARY}), FIRST, LAST)
    spoiled = FakeVendor(bars={"AAA": without(9)}, rejected=refused(JANUARY[5]))
    ask(world.later(NOW + timedelta(days=1)), spoiled, FIRST, LAST, refetch=True)
    assert ledger(world)["2024-01-09"] == ("rows", 1, True)
