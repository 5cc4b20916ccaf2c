"""Files of Yahoo with a known defect, each beside its mended twin.

What belongs here: that the finding which docs/quality.md names for a defect is on the right
sessions once the file was ingested and curated, and none of that code on its twin's. What does not:
invented faults, the files (tests/support/yahoo_defects.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.pipeline.health import JudgedRange
from tests.support.worlds import World
from tests.support.yahoo_defects import (
    DETECTED,
    PAIRS,
    SOUND,
    Pair,
    found,
    judged,
    sessions_in,
    symbol_of,
    world_of_defects,
    wrong_sessions,
)

WITHHELD = {"split_in_part", "unit_error"}
"""Codes of wrong prices; the others are about dividends."""


@pytest.fixture(scope="module")
def world(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of_defects(tmp_path_factory.mktemp("defects"), test_data)


@pytest.fixture(scope="module")
def seen(world: World) -> JudgedRange:
    return judged(world)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_the_defect_is_found_and_its_mended_twin_is_clean(
    seen: JudgedRange, pair: Pair, test_data: Path
) -> None:
    wrong = wrong_sessions(test_data, pair)
    assert found(seen, pair.name, DETECTED) == [(day, pair.code) for day in wrong]
    assert found(seen, f"{pair.name}-fixed", DETECTED) == []


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_no_session_with_a_defect_is_green(seen: JudgedRange, pair: Pair, test_data: Path) -> None:
    wrong = wrong_sessions(test_data, pair)
    own = seen.sessions.filter(pl.col("symbol") == symbol_of(pair.name))
    days = own.filter(pl.col("session").is_in(list(wrong)))
    assert days.height == len(wrong)
    assert "GREEN" not in days["status"].to_list()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_readers_get_the_bars_that_the_mended_twin_has(
    world: World, pair: Pair, test_data: Path
) -> None:
    """Of those that the file has wrong, none; all others, and no price of its own."""
    span = sessions_in(test_data / "defects_yahoo" / f"{pair.name}.csv")
    served, right = (
        world.read("1d", symbol_of(name), sessions=span, checked=True).select(
            "session", "open", "high", "low", "close"
        )
        for name in (pair.name, f"{pair.name}-fixed")
    )
    wrong = wrong_sessions(test_data, pair) if pair.code in WITHHELD else ()
    assert right.height == len(set(right["session"]))
    left = right.filter(~pl.col("session").is_in(list(wrong)))
    assert_frame_equal(served, left, rel_tol=1e-6)


def test_nothing_is_served_of_alternating_units_where_no_one_knows_which_is_right(
    tmp_path: Path, test_data: Path
) -> None:
    """The same file, of a share that is registered in pounds as many in London are."""
    (pair,) = (p for p in PAIRS if p.code == "unit_error")
    world = world_of_defects(tmp_path, test_data, [replace(pair, currency="GBP")])
    span = sessions_in(test_data / "defects_yahoo" / f"{pair.name}.csv")
    told = found(judged(world), pair.name, DETECTED)
    whole = world.read("1d", symbol_of(pair.name), sessions=span, quality="all", checked=True)
    assert [day for day, _ in told] == whole["session"].to_list()
    assert {code for _, code in told} == {"unit_error"}
    assert world.read("1d", symbol_of(pair.name), sessions=span, checked=True).is_empty()


def test_three_years_of_sound_dividends_raise_no_alarm(world: World, seen: JudgedRange) -> None:
    told = world.platform.actions.read(symbols=[symbol_of(SOUND.name)])
    assert told.height > 3
    assert found(seen, SOUND.name, DETECTED) == []


def test_a_dividend_on_the_day_of_a_split_is_that_of_the_shares_before_it(world: World) -> None:
    """55 yen in the file, of shares of which five were one the day before."""
    told = world.platform.actions.read(symbols=[symbol_of("4063-T-1d-bad-stock-split-fixed")])
    assert told.select("ex_date", "kind", "value").rows() == [
        (date(2023, 3, 30), "dividend", 275.0),
        (date(2023, 3, 30), "split", 5.0),
    ]


def test_the_page_about_quality_names_every_pair(test_data: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/quality.md").read_text()
    told = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if "-1d-" in line}
    for pair in PAIRS:
        assert f"`{pair.code}`" in told[pair.name]
        days = wrong_sessions(test_data, pair)
        assert told[pair.name].endswith(f"| {', '.join(map(str, days))} |")
