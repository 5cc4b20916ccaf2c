"""Splits that a vendor tells, and later tells otherwise or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.support.fake_vendor import ask, shares
from tests.support.telling import (
    DAYS,
    FIRST,
    Splits,
    Telling,
    as_traded,
    asked,
    served,
    statements,
    until,
)
from tests.support.worlds import World

EX, NEXT = DAYS[2], DAYS[3]
SPLIT, MOVED, THREE = {EX: 2.0}, {NEXT: 2.0}, {EX: 3.0}
EARLY = datetime(2024, 3, 9, 12, tzinfo=UTC)
LATE = datetime(2024, 3, 12, 12, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, EARLY))


def test_a_split_that_the_vendor_takes_back_leaves_the_prices_as_traded(world: World) -> None:
    asked(world, EARLY, traded={}, divided=SPLIT, told=SPLIT)
    later = asked(world, LATE, traded={}, divided={}, told={})
    assert served(later) == until(LATE, as_traded({}))
    assert later.platform.actions.read().is_empty()
    assert later.platform.actions.read(known_at=EARLY)["value"].to_list() == [2.0]
    assert served(later, as_of=EARLY) == until(EARLY, as_traded({}))


def test_bars_from_before_a_withdrawal_are_disputed_until_asked_for_again(world: World) -> None:
    asked(world, EARLY, traded={}, divided=SPLIT, told=SPLIT)
    later = world.later(LATE)
    gone = statements({EX: 1.0}).with_columns(known_at=pl.lit(LATE))
    later.platform.actions.add(gone, now=LATE)
    later.curate("1d", "AAA", FIRST, DAYS[4])
    assert list(served(later)) == DAYS[2:5]
    again = asked(later, LATE + timedelta(hours=1), traded={}, divided={}, told={})
    assert served(again) == until(LATE, as_traded({}))


def test_an_answer_that_does_not_reach_the_ex_date_takes_nothing_back(world: World) -> None:
    before = asked(world, EARLY, traded=SPLIT, divided=SPLIT, told=SPLIT)
    bars = {"AAA": [datetime.combine(day, time(), UTC) for day in DAYS]}
    silent = Telling(name="yahoo", bars=bars, traded=SPLIT, divided=SPLIT)
    later = before.later(LATE)
    ask(later, silent, EX, DAYS[5], refetch=True)
    ask(later, silent, FIRST, DAYS[1], refetch=True)
    assert later.platform.actions.read()["ex_date"].to_list() == [EX]


def test_an_answer_that_lacks_its_splits_takes_back_none_of_them(world: World) -> None:
    """Its prices are divided all the same."""
    asked(world, EARLY, traded=SPLIT, divided=SPLIT, told=SPLIT)
    later = asked(world, LATE, traded=SPLIT, divided=SPLIT, told={})
    assert later.platform.actions.read()["value"].to_list() == [2.0]
    assert served(later) == until(LATE, as_traded(SPLIT))


def test_a_split_told_again_after_it_was_taken_back_counts_again(world: World) -> None:
    asked(world, EARLY, traded=SPLIT, divided=SPLIT, told=SPLIT)
    asked(world, LATE, traded=SPLIT, divided={}, told={})
    last = asked(world, LATE + timedelta(days=1), traded=SPLIT, divided=SPLIT, told=SPLIT)
    assert last.platform.actions.read()["value"].to_list() == [2.0]
    assert served(last) == until(LATE + timedelta(days=1), as_traded(SPLIT))


@pytest.mark.parametrize("wrong", [MOVED, THREE], ids=["day", "value"])
def test_a_correction_counts_once_and_asking_again_heals_what_it_spoilt(
    world: World, wrong: Splits
) -> None:
    asked(world, EARLY, traded=SPLIT, divided=SPLIT, told=wrong)
    later = asked(world, LATE, traded=SPLIT, divided=SPLIT, told=SPLIT)
    true = until(LATE, as_traded(SPLIT))
    assert served(later) == true
    halved = {day: price / (2 if day < EX else 1) for day, price in true.items()}
    assert served(later, adjusted="splits") == halved


def test_a_split_told_before_its_day_is_an_open_question_until_asked_again(world: World) -> None:
    evening = datetime(2024, 3, 5, 23, tzinfo=UTC)
    before = asked(world, evening, traded=SPLIT, divided=SPLIT, told=SPLIT)
    assert served(before) == {}
    later = asked(before, LATE, traded=SPLIT, divided=SPLIT, told=SPLIT)
    assert served(later) == until(LATE, as_traded(SPLIT))


def test_a_split_announced_long_before_its_day_raises_no_question(world: World) -> None:
    ahead = asked(world, EARLY, traded={}, divided={}, told={DAYS[-1]: 2.0})
    assert served(ahead) == until(EARLY, as_traded({}))


def test_a_source_that_states_another_value_raises_a_question(world: World) -> None:
    before = asked(world, EARLY, traded=THREE, divided=THREE, told=THREE)
    assert list(served(before)) == DAYS[:5]
    later = before.later(LATE)
    later.platform.actions.add(
        statements(SPLIT, "list").with_columns(known_at=pl.lit(LATE)), now=LATE
    )
    later.curate("1d", "AAA", FIRST, DAYS[4])
    assert list(served(later)) == DAYS[2:5]
    found = later.inspect("1d", FIRST, DAYS[4]).findings.filter(code="splits_disputed")
    assert found["session"].to_list() == DAYS[:2]
