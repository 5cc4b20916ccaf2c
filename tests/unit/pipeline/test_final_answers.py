"""When an answer is the last word on a session, and when the vendor is asked again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.vendors.registry import profile_of
from market_data.errors import VendorUnavailableError
from market_data.ports import Outcome, SymbolOutcome
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, having, ledger, shares
from tests.support.worlds import World

MONDAY, TUESDAY = "2024-03-04", "2024-03-05"
BEYOND = SymbolOutcome(Outcome.UNAVAILABLE, "too long ago")
UNKNOWN = SymbolOutcome(Outcome.FAILED, "no such symbol")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(day: str, first: int = 0, last: int = 7) -> list[datetime]:
    """Starts of the hourly bars of a session of XNYS in winter: seven when whole."""
    return [utc(f"{day}T14:30") + timedelta(hours=i) for i in range(first, last)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, utc("2024-03-05T22:00")))


def test_a_bar_before_the_bell_does_not_close_its_session(world: World) -> None:
    early = world.later(utc("2024-03-05T13:00"))
    vendor = FakeVendor(bars={"AAA": [utc("2024-03-05T09:30")]})
    ask(early, vendor, MONDAY, TUESDAY, timeframe="1h")
    # Nobody has asked for the session itself yet, and Monday's question does not reach into it.
    assert ledger(early) == {MONDAY: ("nothing", 0, False)}
    whole = having(vendor, AAA=[utc("2024-03-05T09:30"), *hours(MONDAY), *hours(TUESDAY)])
    evening = world.later(utc("2024-03-05T22:00"))
    ask(evening, whole, MONDAY, TUESDAY, timeframe="1h")
    assert ledger(evening) == {MONDAY: ("rows", 7, True), TUESDAY: ("rows", 8, True)}


def test_a_session_that_has_not_begun_has_no_entry(world: World) -> None:
    morning = world.later(utc("2024-03-05T13:00"))
    ask(morning, FakeVendor(bars={"AAA": [utc(MONDAY)]}), MONDAY, TUESDAY)
    assert ledger(morning) == {MONDAY: ("rows", 1, True)}


def test_a_row_on_a_closed_day_is_final(world: World) -> None:
    ask(world, FakeVendor(bars={"AAA": [utc("2024-03-02"), utc(MONDAY)]}), "2024-03-01", MONDAY)
    assert ledger(world)["2024-03-02"] == ("rows", 1, True)


def test_bars_outside_the_hours_do_not_make_a_session_whole(world: World) -> None:
    before = [utc(f"{MONDAY}T{hour:02}:30") for hour in range(9, 14)]
    twice = hours(MONDAY, 0, 4) * 2
    ask(world, FakeVendor(bars={"AAA": before + twice}), MONDAY, MONDAY, timeframe="1h")
    assert ledger(world) == {MONDAY: ("rows", 13, False)}


@pytest.mark.parametrize("missing", [0, 3], ids=["empty", "half"])
def test_what_is_missing_is_asked_for_until_it_is_settled(world: World, missing: int) -> None:
    vendor = FakeVendor(bars={"AAA": hours(MONDAY, 0, missing)})
    said = ("rows", missing) if missing else ("nothing", 0)
    for day in range(5, 9):
        now = world.later(utc(f"2024-03-{day:02}T22:00"))
        ask(now, vendor, MONDAY, MONDAY, timeframe="1h")
        assert ledger(now) == {MONDAY: (*said, False)}
    assert len(vendor.asked) == 4
    settled = world.later(utc("2024-03-09T22:00"))
    ask(settled, vendor, MONDAY, MONDAY, timeframe="1h")
    assert ledger(settled) == {MONDAY: (*said, True)}
    ask(settled, vendor, MONDAY, MONDAY, timeframe="1h")
    assert len(vendor.asked) == 5


def test_what_came_whole_is_asked_for_once(world: World) -> None:
    vendor = FakeVendor(bars={"AAA": hours(MONDAY)})
    for _ in range(2):
        report = ask(world, vendor, MONDAY, MONDAY, timeframe="1h")
    assert ledger(world) == {MONDAY: ("rows", 7, True)}
    assert (len(vendor.asked), report.answered) == (1, 1)


def test_a_session_that_runs_is_not_whole(world: World) -> None:
    during = world.later(utc(f"{MONDAY}T20:59"))
    vendor = FakeVendor(bars={"AAA": hours(MONDAY)}, delay=timedelta(minutes=15))
    ask(during, vendor, MONDAY, MONDAY, timeframe="1h")
    assert ledger(during)[MONDAY] == ("rows", 7, False)
    just_closed = world.later(utc(f"{MONDAY}T21:14"))
    ask(just_closed, vendor, MONDAY, MONDAY, timeframe="1h")
    assert ledger(just_closed)[MONDAY] == ("rows", 7, False)
    had = world.later(utc(f"{MONDAY}T21:15"))
    ask(had, vendor, MONDAY, MONDAY, timeframe="1h")
    assert ledger(had)[MONDAY] == ("rows", 7, True)


def test_files_leave_a_hole_open_for_ever_and_a_whole_session_closed(world: World) -> None:
    years_later = world.later(utc("2030-01-02T00:00"))
    short = FakeVendor("mine", bars={"AAA": [*hours(MONDAY), *hours(TUESDAY, 0, 5)]})
    ask(years_later, short, MONDAY, "2024-03-06", timeframe="1h")
    assert ledger(years_later, "mine") == {
        MONDAY: ("rows", 7, True),
        TUESDAY: ("rows", 5, False),
        "2024-03-06": ("nothing", 0, False),
    }
    longer = having(short, AAA=[*hours(MONDAY), *hours(TUESDAY), *hours("2024-03-06")])
    next_day = world.later(utc("2030-01-03T00:00"))
    report = ask(next_day, longer, MONDAY, "2024-03-06", timeframe="1h")
    assert (report.answered, report.new_rows) == (1, 9)
    assert all(final for *_, final in ledger(next_day, "mine").values())


@pytest.mark.parametrize("name", ["mine", "yahoo"])
def test_an_unknown_symbol_is_asked_for_again(world: World, name: str) -> None:
    much_later = world.later(utc("2024-06-03T22:00"))
    vendor = FakeVendor(name, outcomes={"AAA": UNKNOWN})
    ask(much_later, vendor, MONDAY, MONDAY)
    assert ledger(much_later, name) == {MONDAY: ("failed", 0, False)}
    mended = FakeVendor(name, bars={"AAA": [utc(MONDAY)]})
    ask(much_later.later(utc("2024-06-04T22:00")), mended, MONDAY, MONDAY)
    assert ledger(much_later, name) == {MONDAY: ("rows", 1, True)}


def test_what_lies_before_the_window_is_asked_for_once(world: World) -> None:
    now = world.later(utc("2024-06-03T22:00"))
    vendor = FakeVendor(
        bars={"AAA": hours("2024-06-03")}, lookback={Timeframe.H1: timedelta(days=30)}
    )
    ask(now, vendor, "2024-05-03", "2024-05-06", timeframe="1h")
    assert ledger(now) == {
        "2024-05-03": ("unavailable", 0, True),
        "2024-05-06": ("nothing", 0, True),
    }
    refusing = FakeVendor(outcomes={"AAA": BEYOND}, lookback=vendor.lookback)
    ask(now, refusing, "2024-05-01", "2024-05-02", timeframe="1h")
    assert ledger(now)["2024-05-02"] == ("unavailable", 0, True)
    assert ask(now, vendor, "2024-05-01", "2024-05-06", timeframe="1h").fetches == 0


def test_nothing_is_final_after_an_error(world: World) -> None:
    now = world.later(utc("2024-06-03T22:00"))
    trouble = VendorUnavailableError("gone")
    vendor = FakeVendor(
        bars={"AAA": [utc(MONDAY)]}, errors={(utc("2024-03-01"), utc("2024-03-05")): trouble}
    )
    ask(now, vendor, MONDAY, MONDAY, "AAA", "BBB")
    assert ledger(now) == {MONDAY: ("rows", 1, False)}
    assert ledger(now, symbol="BBB") == {MONDAY: ("failed", 0, False)}


def test_every_reader_has_a_settling_time() -> None:
    assert profile_of("sample").settling == timedelta(0)
    assert profile_of("files").settling is None
    assert profile_of("yahoo").settling == timedelta(days=5)


JANUARY = [
    datetime(2024, 1, day, tzinfo=UTC)
    for day in range(2, 32)
    if date(2024, 1, day).weekday() < 5 and day != 15
]
"""The sessions of a month."""


@pytest.mark.parametrize(("holes", "questions"), [(3, 3), (10, 1)])
def test_few_holes_in_files_are_asked_for_one_by_one_and_many_at_once(
    world: World, holes: int, questions: int
) -> None:
    kept = [ts for i, ts in enumerate(JANUARY) if i % 2 or i >= 2 * holes]
    span = (JANUARY[0].date(), JANUARY[-1].date())
    ask(world, FakeVendor("mine", bars={"AAA": kept}), *span)
    vendor = FakeVendor("mine", bars={"AAA": JANUARY})
    report = ask(world.later(utc("2024-03-06T22:00")), vendor, *span)
    assert len(vendor.asked) == report.fetches == questions
    assert (report.answered, report.new_rows) == (len(kept), holes)


def test_a_vendor_that_is_no_folder_of_files_is_asked_for_its_holes_only(world: World) -> None:
    for ts in JANUARY[1::2]:
        ask(world, FakeVendor(bars={"AAA": JANUARY}), ts.date(), ts.date())
    vendor = FakeVendor(bars={"AAA": JANUARY})
    report = ask(world, vendor, JANUARY[0].date(), JANUARY[-1].date())
    assert report.fetches == report.total_rows == len(JANUARY[::2])
