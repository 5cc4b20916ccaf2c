"""A failure over many sessions that later runs mend piece by piece."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.operations_opening import open_operations
from adapters.settings import Settings
from market_data.alerts import Alert, Phase, Sighting, State, observe, tell
from market_data.alerts.facts import CheckFact, RunFact, StepFact
from market_data.alerts.parts import Part, Parts, complete, joined, without
from market_data.alerts.scopes import every_day, market_days
from market_data.alerts.sources import sightings_of_run
from market_data.universe import AssetClass, Instrument, Universe
from tests.support.alert_rows import START, bad, minutes, rules, trouble
from tests.support.operations_file import give_operations

STEP = "raw__yahoo_bars_1d"
FIRST = date(2024, 2, 5)
NAMES = ("AAPL", "MSFT")


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def run(
    first: int,
    last: int,
    at: datetime,
    *,
    error: str = "",
    symbols: tuple[str, ...] = (),
    **more: Any,
) -> RunFact:
    """One run over so many days after the first one."""
    facts: dict[str, Any] = {
        "succeeded": not error,
        "at": at,
        "sessions": (day(first), day(last)),
        "steps": (StepFact(STEP, at, error),),
        "symbols": {STEP: symbols} if symbols else {},
    }
    return RunFact("r1", "assets", **{**facts, **more})


class House:
    """What the machine keeps, and what it told."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.told: list[str] = []
        self.days = every_day

    def take(self, *runs: RunFact) -> list[str]:
        before = len(self.told)
        for one in runs:
            live = {k: a for k, a in self.alerts.items() if a.phase is not Phase.CLOSED}
            seen = sightings_of_run(one, live, days=self.days)
            self.alerts |= observe(self.alerts, seen, rules())
            done = tell(self.alerts, one.at, rules())
            self.alerts |= done.alerts
            self.told += [str(m.state) for m in done.messages]
        return self.told[before:]


def test_pieces_mend_a_range_once_whatever_their_order():
    house = House()
    assert house.take(run(0, 9, START, error="boom")) == ["opened"]
    assert house.take(run(7, 9, minutes(1)), run(0, 2, minutes(2))) == []
    assert house.take(run(0, 2, minutes(3))) == []
    assert house.take(run(2, 6, minutes(4))) == ["recovered"]
    assert house.take(run(0, 9, minutes(5))) == []


def test_a_piece_that_fails_again_is_no_news_and_has_to_be_mended_again():
    house = House()
    house.take(run(0, 9, START, error="boom"), run(0, 6, minutes(1)))
    assert house.take(run(4, 9, minutes(2), error="boom")) == []
    assert house.take(run(7, 9, minutes(3))) == []
    assert house.take(run(4, 6, minutes(4))) == ["recovered"]
    # After the word that all is well a failing piece is news.
    assert house.take(run(4, 6, minutes(5), error="boom")) == ["opened"]
    assert house.take(run(4, 6, minutes(6))) == ["recovered"]


def test_a_piece_read_after_a_later_one_counts():
    house = House()
    house.take(run(0, 9, START, error="boom"))
    assert house.take(run(5, 9, minutes(3)), run(0, 4, minutes(2))) == ["recovered"]


def test_a_success_from_before_the_failure_mends_nothing():
    house = House()
    house.take(run(0, 9, START, error="boom"))
    assert house.take(run(0, 9, minutes(-5)), run(0, 4, minutes(-1)), run(5, 9, minutes(1))) == []


def test_a_failure_read_late_takes_back_what_was_mended_before_it_alone():
    house = House()
    house.take(run(0, 9, START, error="boom"), run(0, 4, minutes(1)))
    house.take(run(5, 7, minutes(3)))
    assert house.take(run(4, 7, minutes(2), error="boom")) == []
    assert house.take(run(8, 9, minutes(4))) == [], "the fifth day failed after it was mended"
    assert house.take(run(4, 4, minutes(5))) == ["recovered"]


def test_symbols_are_mended_one_by_one_too():
    house = House()
    house.take(run(0, 3, START, error="boom", symbols=NAMES))
    assert house.take(run(0, 3, minutes(1), symbols=("AAPL",))) == []
    assert house.take(run(0, 1, minutes(2), symbols=("MSFT", "SPY"))) == []
    assert house.take(run(0, 3, minutes(3), symbols=("SPY",))) == []
    assert house.take(run(2, 3, minutes(4), symbols=("MSFT",))) == ["recovered"]


def test_a_run_of_all_symbols_is_not_mended_by_one_of_some():
    house = House()
    house.take(run(0, 3, START, error="boom"))
    assert house.take(run(0, 3, minutes(1), symbols=NAMES)) == []
    # One that fails of some of them is told by itself: what mends it mends not the other.
    assert house.take(run(0, 1, minutes(2), error="boom", symbols=NAMES)) == ["opened"]
    assert house.take(run(0, 1, minutes(3), symbols=NAMES)) == ["recovered"]
    assert house.take(run(0, 3, minutes(4))) == ["recovered"]


def test_the_same_choice_of_more_symbols_than_are_named_is_known_again():
    many = tuple(f"S{n:03}" for n in range(80))
    house = House()
    house.take(run(0, 3, START, error="boom", symbols=many))
    assert house.take(run(0, 3, minutes(1), symbols=many[:60])) == []
    assert house.take(run(0, 1, minutes(2), symbols=many)) == []
    assert house.take(run(2, 3, minutes(3), symbols=many[::-1])) == ["recovered"]


def test_a_blocking_summary_is_mended_by_summaries_that_together_cover_it():
    def summary(first: int, last: int, at: datetime, *, passed: bool) -> RunFact:
        covers = (day(first), day(last))
        found = CheckFact(
            "curated/bars_1d", "run_summary", passed, error=True, session=None, at=at, covers=covers
        )
        blocked = () if passed else (StepFact("curated__bars_1d__checks", at, blocked=True),)
        return run(first, last, at, checks=(found,), steps=blocked, succeeded=passed)

    house = House()
    assert house.take(summary(0, 9, START, passed=False)) == ["opened"]
    assert house.take(summary(0, 4, minutes(1), passed=True)) == []
    assert house.take(summary(5, 9, minutes(2), passed=False)) == []
    assert house.take(summary(5, 9, minutes(3), passed=True)) == ["recovered"]


def test_a_run_that_died_is_mended_in_pieces():
    house = House()
    dead = run(0, 9, START, steps=(), succeeded=False)
    assert house.take(replace(dead, error="killed")) == ["opened"]
    assert house.take(run(0, 4, minutes(1)), run(5, 9, minutes(2))) == ["recovered"]


@pytest.mark.parametrize(("calendar", "mended"), [("XNYS", True), ("24/7", False)])
def test_days_without_a_session_need_no_run(calendar: str, mended: bool):
    asset_class = AssetClass.EQUITY if calendar == "XNYS" else AssetClass.CRYPTO
    one = Instrument(symbol="AAPL", asset_class=asset_class, calendar=calendar)
    house = House()
    house.days = market_days(Universe(first_session=FIRST, instruments=(one,), vendors=()))
    house.take(run(0, 11, START, error="boom", symbols=("AAPL",)))
    # Both weekends are left out.
    pieces = [run(0, 4, minutes(1), symbols=("AAPL",)), run(7, 11, minutes(2), symbols=("AAPL",))]
    assert (house.take(*pieces) == ["recovered"]) == mended


def test_what_was_mended_is_kept_between_two_looks(tmp_path: Path):
    kept_in = Settings(data_dir=tmp_path)
    give_operations(kept_in)
    alerts = open_operations(kept_in.local_operations_url).alerts

    def evaluate(one: RunFact) -> list[State]:
        done = alerts.evaluate(lambda live: sightings_of_run(one, live), rules(), one.at)
        return [m.state for m in done.messages]

    assert evaluate(run(0, 9, START, error="boom", symbols=NAMES)) == [State.OPENED]
    assert evaluate(run(0, 4, minutes(1), symbols=("AAPL",))) == []
    assert evaluate(run(0, 9, minutes(2), symbols=("MSFT",))) == []
    (kept,) = alerts.newest()
    assert {(p.first, p.last, p.symbols) for p in kept.mended} == {
        (day(0), day(4), ("AAPL",)),
        (day(0), day(9), ("MSFT",)),
    }
    assert evaluate(run(5, 9, minutes(3), symbols=("AAPL",))) == [State.RECOVERED]


def test_parts_stay_few():
    parts: tuple[Part, ...] = ()
    for number in range(1_000):
        one = Part(day(number), day(number), (), minutes(number))
        parts = joined(parts, one)
    assert len(parts) < 15
    assert complete(parts, (day(0), day(999)), ())


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, 6),
            st.integers(0, 6),
            st.sampled_from([("A",), ("B",), ("A", "B"), ()]),
        ),
        max_size=15,
    )
)
def test_parts_count_like_cells(history: list[tuple[bool, int, int, tuple[str, ...]]]):
    """Against a table of sessions and symbols that is painted cell by cell."""
    whole, names = (day(0), day(6)), ("A", "B")
    parts: tuple[Part, ...] = ()
    cells: set[tuple[int, str]] = set()
    for number, (good, one, other, symbols) in enumerate(history):
        first, last = sorted((one, other))
        part = Part(day(first), day(last), symbols, minutes(number))
        touched = {(n, s) for n in range(first, last + 1) for s in symbols or names}
        cells = cells | touched if good else cells - touched
        parts = joined(parts, part) if good else without(parts, part, names)
        assert complete(parts, whole, names) == (len(cells) == 14)


LOOKS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from([("A",), ("B",), ("A", "B"), ()]),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(history=LOOKS, data=st.data())
def test_an_alert_ends_when_its_newest_looks_are_good_in_whatever_order_they_are_read(
    history: list[tuple[bool, int, int, tuple[str, ...], bool]], data: st.DataObject
):
    """Against a table of sessions and symbols that knows the newest look at each cell."""
    whole = {"sessions": (day(0), day(3)), "symbols": ("A", "B"), "symbol_count": 2}
    looks = []
    cells = dict.fromkeys(((n, s) for n in range(4) for s in ("A", "B")), False)
    for second, (good, one, other, symbols, of_all) in enumerate(history, 1):
        at = START + timedelta(seconds=second)
        first, last = (0, 3) if of_all else sorted((one, other))
        names = () if of_all else symbols
        part = None if of_all else Part(day(first), day(last), names, at)
        looks.append(Sighting("check|a", at, None if good else trouble(**whole), part))
        touched = ((n, s) for n in range(first, last + 1) for s in names or ("A", "B"))
        cells |= dict.fromkeys(touched, good)
    alerts: dict[str, Alert] = {}
    told: list[str] = []
    late = minutes(1)
    for seen in [bad(START, **whole), *data.draw(st.permutations(looks))]:
        alerts |= observe(alerts, [seen], rules())
        done = tell({k: a for k, a in alerts.items() if a.phase is not Phase.CLOSED}, late, rules())
        alerts |= done.alerts
        told += [str(m.state) for m in done.messages]
    assert (alerts["check|a"].phase is Phase.CLOSED) == all(cells.values())
    assert told == ["opened", "recovered"] * (len(told) // 2) + ["opened"] * (len(told) % 2)


def test_a_success_that_is_read_after_a_later_failure_of_other_days_counts():
    house = House()
    house.take(run(0, 9, START, error="boom"), run(5, 9, minutes(5), error="boom"))
    assert house.take(run(0, 4, minutes(3))) == []
    assert house.take(run(5, 9, minutes(6))) == ["recovered"]


def test_what_broke_after_a_success_that_is_read_late_stays_broken():
    house = House()
    house.take(run(0, 9, START, error="boom"), run(4, 5, minutes(5), error="boom"))
    assert house.take(run(0, 9, minutes(3))) == []
    assert house.take(run(4, 5, minutes(6))) == ["recovered"]


def test_bad_looks_that_are_remembered_stay_few():
    looked = Parts()
    for number in range(1_000):
        one = Part(day(number), day(number), (), minutes(number))
        looked = looked.with_wrong(one, (), (day(0), day(999)))
    assert len(looked.wrong) == 100


def test_a_look_at_a_part_opens_nothing():
    seen = Sighting("check|a", START, part=Part(day(0), day(1), (), START))
    assert observe({}, [seen], rules()) == {}
