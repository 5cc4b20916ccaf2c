"""From when a bar counts as known that an earlier answer lacked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from market_data.datasets import raw_bars
from market_data.ports import Outcome, SymbolOutcome
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, having, shares
from tests.support.worlds import World

MONDAY = "2024-03-04"
BAR = datetime(2024, 3, 4, tzinfo=UTC)
CLOSE = datetime(2024, 3, 4, 21, tzinfo=UTC)
DELAY = timedelta(minutes=15)
EMPTY = FakeVendor(delay=DELAY)
FULL = having(EMPTY, AAA=[BAR])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, CLOSE))


def known_at(world: World, timeframe: Timeframe = Timeframe.D1) -> list[datetime]:
    return world.platform.raw_log.read(raw_bars("yahoo", timeframe))["known_at"].to_list()


def ask_at(world: World, now: datetime, vendor: FakeVendor, **how: object) -> None:
    ask(world.later(now), vendor, MONDAY, MONDAY, **how)  # type: ignore[arg-type]


def test_a_first_sight_counts_from_the_bars_end(world: World) -> None:
    ask_at(world, CLOSE + timedelta(days=2), FULL)
    assert known_at(world) == [CLOSE + DELAY]


def test_a_bar_that_came_days_late_was_not_known_before(world: World) -> None:
    ask_at(world, CLOSE + timedelta(hours=1), EMPTY)
    ask_at(world, CLOSE + timedelta(days=2), FULL)
    assert known_at(world) == [CLOSE + timedelta(days=2)]
    evening = CLOSE + timedelta(hours=2)
    world = world.later(CLOSE + timedelta(days=3))
    world.curate("1d", "AAA", MONDAY, MONDAY)
    assert world.read("1d", "AAA", quality="all").height == 1
    assert world.read("1d", "AAA", quality="all", as_of=evening).is_empty()


def test_an_answer_before_the_bar_could_be_had_says_nothing(world: World) -> None:
    ask_at(world, CLOSE - timedelta(hours=1), EMPTY)
    ask_at(world, CLOSE + DELAY - timedelta(seconds=1), EMPTY)
    ask_at(world, CLOSE + timedelta(days=2), FULL)
    assert known_at(world) == [CLOSE + DELAY]


@pytest.mark.parametrize("outcome", [Outcome.UNAVAILABLE, Outcome.FAILED, Outcome.REFUSED])
def test_what_is_no_answer_about_the_session_says_nothing(world: World, outcome: Outcome) -> None:
    silent = FakeVendor(outcomes={"AAA": SymbolOutcome(outcome, "no")})
    ask_at(world, CLOSE + timedelta(hours=1), silent)
    ask_at(world, CLOSE + timedelta(days=2), FULL)
    assert known_at(world) == [CLOSE + DELAY]


def test_only_the_bars_that_were_due_count_as_late(world: World) -> None:
    """Asked at noon without an answer: the morning's bars came late, the afternoon's did not."""
    noon = datetime(2024, 3, 4, 17, 50, tzinfo=UTC)
    ask_at(world, noon, EMPTY, timeframe="1h")
    hours = [datetime(2024, 3, 4, 14, 30, tzinfo=UTC) + timedelta(hours=i) for i in range(7)]
    evening = CLOSE + timedelta(hours=3)
    ask_at(world, evening, having(EMPTY, AAA=hours), timeframe="1h")
    ends = [min(h + timedelta(hours=1), CLOSE) for h in hours]
    assert known_at(world, Timeframe.H1) == [
        evening if end + DELAY <= noon else end + DELAY for end in ends
    ]
    assert known_at(world, Timeframe.H1)[:4] == [evening] * 3 + [ends[3] + DELAY]


def test_answers_about_another_symbol_or_timeframe_say_nothing(world: World) -> None:
    ask_at(world, CLOSE + timedelta(hours=1), EMPTY, timeframe="1h")
    ask(world.later(CLOSE + timedelta(hours=1)), EMPTY, MONDAY, MONDAY, "BBB")
    ask_at(world, CLOSE + timedelta(days=2), FULL)
    assert known_at(world) == [CLOSE + DELAY]


def test_two_fetches_that_land_in_the_wrong_order_keep_what_was_known_when(world: World) -> None:
    """The revision that landed first is not told as known before it was fetched."""
    log, dataset = world.platform.raw_log, raw_bars("yahoo", Timeframe.D1)
    scratch = shares(
        World.at(world.settings.data_dir.parent / "scratch", CLOSE + timedelta(days=2))
    )
    ask(scratch, FULL, MONDAY, MONDAY)
    (row,) = scratch.platform.raw_log.read(dataset).iter_rows(named=True)
    first, second = CLOSE + timedelta(days=2), CLOSE + timedelta(days=3)

    def fetch(number: int, when: datetime, close: float) -> pl.DataFrame:
        changes = {"close": close, "high": close, "fetched_at": when, "fetch_id": f"f{number}"}
        return pl.DataFrame([{**row, **changes}], schema=dataset.schema.dtypes)

    log.append(dataset, fetch(2, second, 102.0))
    log.append(dataset, fetch(1, first, 101.0))
    told = {
        when: log.read(dataset, known_at=when)["close"].to_list()
        for when in (CLOSE, CLOSE + DELAY, second - timedelta(seconds=1), second)
    }
    assert list(told.values()) == [[], [101.0], [101.0], [102.0]]
    assert log.read(dataset)["known_at"].to_list() == [second]
