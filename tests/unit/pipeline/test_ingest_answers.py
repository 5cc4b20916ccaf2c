"""What the report of a fetch says of answers, and what is kept of a long range."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from market_data.datasets import raw_bars
from market_data.errors import VendorUnavailableError
from market_data.pipeline.kept import kept_bars
from market_data.ports import IngestRun, Outcome, SymbolOutcome
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, ledger, shares
from tests.support.worlds import World

TROUBLE = VendorUnavailableError("no connection")
FAILED = SymbolOutcome(Outcome.FAILED, "half a body")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """On the first of June, with the fifth of March known."""
    world = shares(World.at(tmp_path, utc("2024-06-01")))
    ask(world, FakeVendor(bars={"AAA": [utc("2024-03-05")]}), "2024-03-05", "2024-03-05")
    return world


def test_one_hole_that_fails_does_not_unsay_the_other(world: World) -> None:
    vendor = FakeVendor(
        bars={"AAA": [utc("2024-03-04")]},
        errors={(utc("2024-03-06"), utc("2024-03-07")): TROUBLE},
    )
    report = ask(world, vendor, "2024-03-04", "2024-03-06")
    assert report.fetches == 2
    assert report.failed["AAA"].outcome is Outcome.FAILED
    assert not report.nothing_answered


def test_an_empty_answer_to_one_hole_is_an_answer(world: World) -> None:
    vendor = FakeVendor(errors={(utc("2024-03-06"), utc("2024-03-07")): TROUBLE})
    report = ask(world, vendor, "2024-03-04", "2024-03-06")
    assert (report.total_rows, report.nothing_answered) == (0, False)


def test_an_outage_is_no_answer(world: World) -> None:
    vendor = FakeVendor(errors={(utc("2024-03-01"), utc("2024-04-01")): TROUBLE})
    report = ask(world, vendor, "2024-03-04", "2024-03-06")
    assert (report.fetches, report.nothing_answered) == (2, True)


def test_rows_before_the_end_of_an_answer_are_something(world: World) -> None:
    vendor = FakeVendor(bars={"AAA": [utc("2024-03-04")]}, outcomes={"AAA": FAILED})
    assert not ask(world, vendor, "2024-03-04", "2024-03-04").nothing_answered


def test_nothing_to_ask_is_no_outage(world: World) -> None:
    report = ask(world, FakeVendor(), "2024-03-05", "2024-03-05")
    assert (report.fetches, report.nothing_answered) == (0, False)


def test_kept_bars_are_counted_over_any_number_of_chunks(world: World) -> None:
    days = [
        utc(f"{year}-{month:02}-{day:02}")
        for year in (2022, 2023)
        for month in (3, 5)
        for day in range(1, 29)
    ]
    open_days = [d for d in days if d.weekday() < 5]
    span = (date(2020, 1, 1), date(2023, 12, 31))
    ask(world, FakeVendor(bars={"AAA": open_days, "BBB": open_days[::2]}), *span, "AAA", "BBB")
    kept = kept_bars(world.platform, "yahoo", Timeframe.D1, ("AAA", "BBB"), *span)
    everything = world.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1), sessions=span)
    assert kept.rows == everything.height == len(open_days) + len(open_days[::2])
    assert kept.per_session["session"].to_list() == [d.date() for d in open_days]
    assert kept.per_session["symbols"].to_list() == [2 - i % 2 for i in range(len(open_days))]
    first_year = everything.filter(everything["session"].dt.year() == 2022)
    assert_frame_equal(kept.preview, first_year.head(10))


def test_the_preview_goes_on_into_the_next_chunk(world: World) -> None:
    few = [utc(day) for day in ("2022-12-29", "2022-12-30", "2023-01-03", "2023-01-04")]
    span = (date(2022, 1, 1), date(2023, 12, 31))
    ask(world, FakeVendor(bars={"AAA": few}), *span)
    kept = kept_bars(world.platform, "yahoo", Timeframe.D1, ("AAA",), *span)
    assert kept.preview["session"].to_list() == [ts.date() for ts in few]


def test_nothing_kept_is_counted_as_nothing(world: World) -> None:
    kept = kept_bars(
        world.platform, "yahoo", Timeframe.H1, ("AAA",), date(2024, 1, 1), date(2024, 3, 31)
    )
    assert (kept.rows, kept.per_session.height, kept.preview.height) == (0, 0, 0)


def test_bars_are_in_the_ledger_whatever_becomes_of_the_shape_of_their_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr("market_data.pipeline.shape_watch.ShapeWatch.tell", broken)
    vendor = FakeVendor(bars={"AAA": [utc("2024-03-06")]})
    with pytest.raises(OSError, match="away"):
        ask(world, vendor, "2024-03-06", "2024-03-06")
    assert ledger(world)["2024-03-06"][:2] == ("rows", 1)
    asked = [run.sessions[0] for run in world.platform.journal.runs()]
    assert sorted(asked) == [date(2024, 3, 5), date(2024, 3, 6)]


def newest(world: World, vendor: FakeVendor, first: str, last: str, **how: str) -> IngestRun:
    """The attempt of a question, made half an hour after midnight of the second of June."""
    later = world.later(utc("2024-06-02T00:30"))
    ask(later, vendor, first, last, **how)
    return later.platform.journal.runs(limit=1)[0]


def test_the_journal_knows_how_fresh_an_answer_was(world: World) -> None:
    """The session of the 6th closes at 21:00 UTC."""
    vendor = FakeVendor(bars={"AAA": [utc("2024-03-06"), utc("2024-03-07")]})
    run = newest(world, vendor, "2024-03-06", "2024-03-06")
    assert run.newest_bar == utc("2024-03-06T21:00")
    age = utc("2024-06-02T00:30") - utc("2024-03-06T21:00")
    assert run.freshness_seconds == age.total_seconds()


def test_an_hour_ends_after_an_hour_in_the_journal(world: World) -> None:
    vendor = FakeVendor(bars={"AAA": [utc("2024-03-06T14:30"), utc("2024-03-06T15:30")]})
    run = newest(world, vendor, "2024-03-06", "2024-03-06", timeframe="1h")
    assert run.newest_bar == utc("2024-03-06T16:30")


def test_of_an_answer_without_bars_nobody_knows_how_fresh_it_is(world: World) -> None:
    assert newest(world, FakeVendor(), "2024-03-06", "2024-03-06").freshness_seconds is None
