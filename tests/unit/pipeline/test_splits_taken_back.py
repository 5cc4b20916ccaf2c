"""Splits that a vendor tells, and later tells otherwise or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from math import prod
from pathlib import Path

import polars as pl
import pytest

from market_data.basis import Adjustment, Basis
from market_data.calendars import trading_sessions
from market_data.ports import FetchRequest, FetchResult
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import Instrument
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

FIRST, LAST = date(2024, 3, 4), date(2024, 3, 15)
DAYS: list[date] = trading_sessions("XNYS", FIRST, LAST)["session"].to_list()
EX, NEXT = DAYS[2], DAYS[3]
SPLIT, MOVED, THREE = {EX: 2.0}, {NEXT: 2.0}, {EX: 3.0}
EARLY = datetime(2024, 3, 9, 12, tzinfo=UTC)
LATE = datetime(2024, 3, 12, 12, tzinfo=UTC)

Splits = dict[date, float]


@dataclass
class Telling(FakeVendor):
    """Prices that fall by the splits that trade, divided by some, with others told."""

    traded: Splits = field(default_factory=dict)
    divided: Splits = field(default_factory=dict)
    told: Splits = field(default_factory=dict)

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        return Basis(adjustment=Adjustment.SPLITS, unit=instrument.currency)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        for result in super().fetch(request):
            days = result.frame["ts"].dt.date().to_list()
            price = pl.Series([self.price(day) for day in days], dtype=pl.Float64)
            frame = result.frame.with_columns(open=price, high=price, low=price, close=price)
            known = pl.min_horizontal("known_at", pl.lit(request.now))
            yield replace(result, frame=frame, actions=statements(self.told).with_columns(known))

    def price(self, day: date) -> float:
        return as_traded(self.traded)[day] / prod(v for ex, v in self.divided.items() if ex > day)


def as_traded(traded: Splits) -> dict[date, float]:
    gone = {day: prod(v for ex, v in traded.items() if ex <= day) for day in DAYS}
    return {day: (400.0 + n) / gone[day] for n, day in enumerate(DAYS)}


def statements(splits: Splits, source: str = "yahoo") -> pl.DataFrame:
    rows = [
        ("AAA", ex, "split", value, source, datetime.combine(ex, time(), UTC))
        for ex, value in splits.items()
    ]
    return pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes, orient="row")


def asked(world: World, now: datetime, *, traded: Splits, divided: Splits, told: Splits) -> World:
    """The world after the vendor was asked for everything that there was."""
    later, last = world.later(now), max(d for d in DAYS if d < now.date())
    bars = {"AAA": [datetime.combine(day, time(), UTC) for day in DAYS]}
    yahoo = Telling(name="yahoo", bars=bars, traded=traded, divided=divided, told=told)
    ask(later, yahoo, FIRST, last, refetch=True)
    later.curate("1d", "AAA", FIRST, last)
    return later


def served(world: World, **how: object) -> dict[date, float]:
    bars = world.read("1d", "AAA", sessions=(FIRST, LAST), **how)
    return dict(bars.select("session", "close").iter_rows())


def until(now: datetime, prices: dict[date, float]) -> dict[date, float]:
    return {day: price for day, price in prices.items() if day < now.date()}


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
