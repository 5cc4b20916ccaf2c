"""Adjusted prices over sessions about which nobody was asked who would have told a split."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import pytest

from market_data.calendars import trading_sessions
from market_data.errors import UnknownActionsWarning
from market_data.pipeline.untold_stretches import untold_stretches
from market_data.ports import Ledger
from market_data.schemas import CORPORATE_ACTIONS, LEDGER
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

FIRST, LAST = date(2024, 3, 4), date(2024, 3, 15)
SPAN = {"AAA": (FIRST, LAST)}
NOW = datetime(2024, 3, 18, 12, tzinfo=UTC)
DAYS: list[date] = trading_sessions("XNYS", FIRST, LAST)["session"].to_list()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, NOW))


def at(day: int, hour: int = 22, minute: int = 0) -> datetime:
    return datetime(2024, 3, day, hour, minute, tzinfo=UTC)


def answered(
    world: World,
    first: int,
    last: int,
    asked_at: datetime,
    outcome: str = "rows",
    vendor: str = "yahoo",
) -> None:
    """A vendor was asked about sessions of March."""
    days = [d for d in DAYS if first <= d.day <= last]
    rows = [
        (vendor, "1d", "AAA", day, outcome, 1, True, "", asked_at, str(asked_at)) for day in days
    ]
    world.platform.ledger.record(pl.DataFrame(rows, schema=LEDGER.dtypes, orient="row"))


def acted(world: World, source: str, ex_date: date, now: datetime, kind: str = "dividend") -> None:
    row = ("AAA", ex_date, kind, 2.0, source, datetime.combine(ex_date, time(), UTC))
    frame = pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")
    world.platform.actions.add(frame, now=now)


def untold(world: World) -> list[tuple[int, int]]:
    found = untold_stretches(world.platform, SPAN)
    return [(a.day, b.day) for _, a, b in found.iter_rows()]


def test_answers_of_each_night_leave_nothing_out(world: World) -> None:
    assert untold(world) == [(4, 15)]
    for day in DAYS:
        answered(world, day.day, day.day, at(day.day))
    assert untold(world) == []


def test_between_two_answers_nobody_was_asked(world: World) -> None:
    answered(world, 4, 5, at(5))
    answered(world, 13, 15, at(15))
    assert untold(world) == [(6, 12)]
    answered(world, 5, 5, NOW)
    assert untold(world) == []


@pytest.mark.parametrize(
    ("asked_at", "since"),
    [
        (at(8, 22), 11),
        (at(11, 13, 29), 11),
        (at(11, 13, 30), 12),
        (at(14, 2), 14),
    ],
)
def test_an_answer_covers_all_sessions_that_had_opened(
    world: World, asked_at: datetime, since: int
) -> None:
    answered(world, 4, 8, asked_at)
    assert untold(world) == [(since, 15)]


def test_who_tells_no_splits_or_was_refused_covers_nothing(world: World) -> None:
    answered(world, 4, 15, NOW, vendor="mine")
    answered(world, 4, 8, NOW, outcome="failed")
    answered(world, 11, 15, NOW, outcome="nothing")
    assert untold(world) == [(4, 15)]


def test_a_hole_in_an_answer_is_covered_by_it(world: World) -> None:
    answered(world, 4, 6, at(6))
    answered(world, 8, 15, NOW)
    assert untold(world) == [(7, 7)]
    answered(world, 7, 7, NOW, outcome="nothing")
    assert untold(world) == []


def test_a_clock_that_was_ahead_covers_nothing(world: World) -> None:
    answered(world, 4, 8, at(8))
    answered(world, 8, 8, datetime(2031, 1, 1, tzinfo=UTC))
    assert untold(world) == [(11, 15)]
    world.platform.ledger.record(
        world.platform.ledger.read()
        .filter(session=date(2024, 3, 8))
        .with_columns(asked_at=pl.lit(NOW), fetch_id=pl.lit("again")),
        now=NOW,
    )
    assert untold(world) == []


def test_a_list_covers_all_until_it_was_brought(world: World) -> None:
    acted(world, "a_list", date(2020, 1, 2), at(12, 13, 0))
    assert untold(world) == [(12, 15)]


def test_what_a_vendor_stated_itself_covers_from_its_day(world: World) -> None:
    acted(world, "yahoo", date(2024, 3, 7), at(12, 22))
    assert untold(world) == [(4, 6), (13, 15)]


@dataclass
class Counted:
    """A ledger that counts how often it is read."""

    kept: Ledger
    reads: int = 0

    def read(self, **how: object) -> pl.DataFrame:
        self.reads += 1
        return self.kept.read(**how)  # type: ignore[arg-type]

    __hash__ = object.__hash__


@pytest.fixture
def stored(world: World) -> World:
    """Bars of a vendor that tells no splits, and an old dividend that another told once."""
    bars = {"AAA": [datetime.combine(day, time(), UTC) for day in DAYS]}
    ask(world, FakeVendor(name="mine", bars=bars), FIRST, LAST)
    world.curate("1d", "AAA", FIRST, LAST)
    acted(world, "yahoo", date(2024, 2, 1), at(6))
    return world


def told(world: World, **how: object) -> list[str]:
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        assert not world.read("1d", "AAA", **how).is_empty()
    return [str(n.message) for n in noted if n.category is UnknownActionsWarning]


@pytest.mark.parametrize("how", [{"adjusted": "splits"}, {"adjusted": "total", "impute": "ffill"}])
def test_an_adjusted_read_says_so_once_with_the_cure(stored: World, how: dict[str, str]) -> None:
    (note,) = told(stored, **how)
    assert "AAA from 2024-03-07 to 2024-03-15" in note
    assert "emp ingest --vendor yahoo --symbols AAA --start 2024-03-07 --end 2024-03-15" in note
    assert "emp actions import" in note
    assert told(stored, adjusted="splits", sessions=(FIRST, date(2024, 3, 6))) == []
    assert told(stored) == []


def test_what_was_found_to_be_covered_is_not_asked_again(stored: World) -> None:
    answered(stored, 4, 15, NOW)
    counted = Counted(stored.platform.ledger)
    world = replace(stored)
    world.__dict__["platform"] = replace(stored.platform, ledger=counted)
    for _ in range(2):
        assert told(world, adjusted="splits") == []
        assert told(world, adjusted="splits", sessions=(FIRST, DAYS[3])) == []
    assert counted.reads == 1


def test_the_next_sessions_are_looked_at_again(stored: World) -> None:
    answered(stored, 4, 8, at(8))
    early = {"sessions": (FIRST, date(2024, 3, 8))}
    assert told(stored, adjusted="splits", **early) == []
    (note,) = told(stored, adjusted="splits")
    assert "AAA from 2024-03-11 to 2024-03-15" in note
    answered(stored, 9, 15, NOW)
    assert told(stored, adjusted="splits") == []


def test_hours_of_a_session_are_looked_at_alike(stored: World) -> None:
    bars = {"AAA": [datetime.combine(day, time(15, 30), UTC) for day in DAYS]}
    ask(stored, FakeVendor(name="mine", bars=bars), FIRST, LAST, timeframe="1h")
    stored.curate("1h", "AAA", FIRST, LAST)
    with pytest.warns(UnknownActionsWarning, match="AAA from 2024-03-07 to 2024-03-15"):
        stored.read("1h", "AAA", adjusted="splits", quality="all")
