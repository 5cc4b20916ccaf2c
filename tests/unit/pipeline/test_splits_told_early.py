"""Splits that a vendor tells before it works them into its prices, from answer to bar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from market_data.curation.split_evidence import SplitsTold
from market_data.datasets import raw_bars
from market_data.pipeline.newly_told import newly_told
from market_data.pipeline.unworked import Unworked
from market_data.schemas import LEDGER
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import shares
from tests.support.raw_rows import raw_rows
from tests.support.telling import DAYS, FIRST, LAST, as_traded, asked, served, statements, until
from tests.support.worlds import World

EX = DAYS[2]
SPLIT = {EX: 2.0}
SOON = datetime(2024, 3, 7, 12, tzinfo=UTC)
"""Less than a day after the ex-date's opening."""
LATER = datetime(2024, 3, 12, 12, tzinfo=UTC)
TRUE = as_traded(SPLIT)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, SOON))


def kept(world: World) -> int:
    return world.platform.raw_log.revisions(raw_bars("yahoo", Timeframe.D1)).height


@pytest.mark.parametrize("divided", [{}, SPLIT], ids=["not worked in", "worked in"])
@pytest.mark.parametrize("now", [SOON, SOON + timedelta(days=4)], ids=["soon", "later"])
def test_the_prices_say_whether_it_is_worked_in(
    world: World, now: datetime, divided: dict[date, float]
) -> None:
    first = asked(world, now, traded=SPLIT, divided=divided, told=SPLIT)
    assert served(first) == until(now, TRUE)
    halved = {day: price / (2 if day < EX else 1) for day, price in until(now, TRUE).items()}
    assert served(first, adjusted="splits") == halved
    again = asked(first, LATER, traded=SPLIT, divided=SPLIT, told=SPLIT)
    assert served(again) == until(LATER, TRUE)
    assert served(again, as_of=now) == until(now, TRUE)


def test_prices_that_lack_a_split_are_no_news_of_what_was_known(world: World) -> None:
    before = asked(world, SOON - timedelta(days=2), traded=SPLIT, divided={}, told={})
    soon = asked(before, SOON, traded=SPLIT, divided={}, told=SPLIT)
    assert served(soon) == until(SOON, TRUE)
    rows = kept(soon)
    asked(soon, SOON + timedelta(hours=1), traded=SPLIT, divided=SPLIT, told=SPLIT)
    assert (rows, kept(soon)) == (3, 3)
    assert served(soon) == until(SOON, TRUE)


def test_what_nobody_can_say_is_withheld_until_an_answer_says_it(world: World) -> None:
    soon = asked(world, SOON, traded=SPLIT, divided={}, told=SPLIT, last=DAYS[1])
    assert served(soon) == {}
    soon.curate("1d", "AAA", FIRST, DAYS[1])
    shown = soon.read("1d", "AAA", sessions=(FIRST, LAST), quality="all")["flags"]
    assert set(shown) == {"splits_disputed"}
    assert newly_told(soon.platform, 0)[0] == ["AAA"]
    found = soon.inspect("1d", FIRST, DAYS[1]).findings.filter(code="splits_disputed")
    assert found["session"].to_list() == DAYS[:2]
    assert "emp ingest --vendor yahoo --symbols AAA --refetch" in found["detail"][0]
    again = asked(soon, SOON + timedelta(hours=1), traded=SPLIT, divided={}, told=SPLIT)
    assert served(again) == until(SOON, TRUE)
    # Those that lack it are known now: the other side of the ex-date is not needed any more.
    part = asked(again, LATER, traded=SPLIT, divided=SPLIT, told=SPLIT, last=DAYS[1])
    assert served(part) == until(SOON, TRUE)


def test_two_days_after_the_ex_date_it_is_taken_as_worked_in(world: World) -> None:
    now = datetime(2024, 3, 8, 20, tzinfo=UTC)
    late = asked(world, now, traded=SPLIT, divided=SPLIT, told=SPLIT, last=DAYS[1])
    assert served(late) == {day: TRUE[day] for day in DAYS[:2]}


def test_a_split_that_prices_lacked_all_the_time_can_be_taken_back(world: World) -> None:
    """Nobody divided by it, and a real step of that size came the same day."""
    soon = asked(world, SOON, traded=SPLIT, divided={}, told=SPLIT)
    again = asked(soon, LATER, traded=SPLIT, divided={}, told={})
    assert again.platform.actions.read().is_empty()
    assert served(again) == until(LATER, TRUE)


def test_a_fall_of_half_without_a_split_is_a_fall(world: World) -> None:
    crash = asked(world, SOON, traded=SPLIT, divided={}, told={})
    assert served(crash) == until(SOON, TRUE)
    raw = crash.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))
    assert raw.select(pl.col("basis").n_unique()).item() == 1


def test_parts_of_one_answer_share_what_one_of_them_shows(world: World) -> None:
    """A long answer lands part by part, the newest bars first."""
    rows = raw_rows(
        vendor="yahoo",
        first=FIRST,
        last=DAYS[3],
        basis="splits|trade|USD|regular|",
        fetched_at=SOON,
    )
    price = pl.Series([TRUE[day] for day in rows["session"]])
    rows = rows.with_columns(open=price, high=price, low=price, close=price)
    later, oldest = rows.filter(session=DAYS[1]), rows.filter(session=DAYS[0])
    later = pl.concat([later, rows.filter(pl.col("session") >= EX)])
    told = SplitsTold(["yahoo"], LEDGER.empty(), statements(SPLIT))

    def noted(*parts: pl.DataFrame) -> str:
        """What the basis of the last part says of the split."""
        landing, dataset = Unworked(world.platform), raw_bars("yahoo", Timeframe.D1)
        found = [landing.noted(p, told, dataset=dataset, calendar="XNYS") for p in parts]
        return found[-1].item(0, "basis").removeprefix("splits|trade|USD|regular|")

    assert noted(later) == noted(later, oldest) == f"||{EX}"
    assert noted(oldest) == f"|||{EX}"
