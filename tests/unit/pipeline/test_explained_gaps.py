"""Why bars are missing, in words: per vendor, for all together, and drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.configured import ConfiguredVendors
from emp_assets.outcome_map import outcome_drawings, outcome_heat_map
from market_data.errors import RateLimitedError
from market_data.pipeline.explain import SEVERAL, explain, gaps, together
from market_data.ports import Outcome, SymbolOutcome
from market_data.timeframes import Timeframe
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

NOW = datetime(2024, 3, 15, tzinfo=UTC)
FIRST, LAST = date(2024, 3, 4), date(2024, 3, 20)


def utc(day: int) -> datetime:
    return datetime(2024, 3, day, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Yahoo: bars of two sessions, one without, one refused, one unavailable; mine: nothing."""
    made = shares(World.at(tmp_path, NOW))
    ask(made, FakeVendor(bars={"AAA": [utc(4), utc(5)]}), "2024-03-04", "2024-03-06")
    busy = FakeVendor(errors={(utc(7), utc(8)): RateLimitedError("too many requests")})
    ask(made, busy, "2024-03-07", "2024-03-07")
    never = SymbolOutcome(Outcome.UNAVAILABLE, "before its listing")
    ask(made, FakeVendor(outcomes={"AAA": never}), "2024-03-08", "2024-03-08")
    return made


def known(world: World, *vendors: str) -> pl.DataFrame:
    return explain(world.platform, ["AAA"], FIRST, LAST, Timeframe.D1, vendors or None)


def reasons(explained: pl.DataFrame) -> dict[int, str]:
    return {s.day: reason for s, reason in explained.select("session", "reason").iter_rows()}


def test_every_outcome_has_its_sentence(world: World) -> None:
    told = reasons(known(world, "yahoo"))
    assert told[4] == told[5] == ""
    assert told[6] == "asked at 2024-03-15 00:00 UTC, the vendor had no bars"
    assert told[7] == "the vendor refused at 2024-03-15 00:00 UTC: too many requests"
    assert told[8] == "the vendor cannot serve it: before its listing"
    assert told[9] == "", "a Saturday"
    assert told[11] == "nobody has asked for it yet; 'emp ingest' does"
    assert told[18] == "the session has not begun"


def test_a_vendor_that_is_off_says_which_setting_is_missing(world: World) -> None:
    class Keyless(ConfiguredVendors):
        def why_off(self, name: str) -> str:
            return "ACME_KEY is not set" if name == "mine" else ""

    platform = replace(world.platform, vendors=Keyless(**vars(world.platform.vendors)))
    told = explain(platform, ["AAA"], FIRST, LAST, Timeframe.D1, ["mine"])
    assert reasons(told)[11] == "the vendor is off: ACME_KEY is not set"
    assert reasons(told)[9] == ""


def test_bars_that_are_short_are_counted(tmp_path: Path) -> None:
    world = shares(World.at(tmp_path, NOW))
    start = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
    ask(world, FakeVendor(bars={"AAA": [start]}), "2024-03-04", "2024-03-04", timeframe="1h")
    told = explain(world.platform, ["AAA"], FIRST, FIRST, Timeframe.H1, ["yahoo"])
    assert reasons(told)[4].startswith("1 of 7 expected bars came")


def test_together_bars_of_one_vendor_are_enough_and_other_gaps_name_each(world: World) -> None:
    over_all = together(known(world, "yahoo", "mine"))
    assert over_all["vendor"].unique().to_list() == [SEVERAL]
    told = reasons(over_all)
    assert told[4] == ""
    assert told[6] == (
        "mine: nobody has asked for it yet; 'emp ingest' does; "
        "yahoo: asked at 2024-03-15 00:00 UTC, the vendor had no bars"
    )
    outcomes = dict(over_all.select("session", "outcome").iter_rows())
    assert outcomes[date(2024, 3, 7)] == "refused"
    assert outcomes[date(2024, 3, 9)] == "holiday"


def test_neighbours_with_one_reason_are_one_gap(world: World) -> None:
    found = gaps(known(world, "yahoo"))
    assert found.select("outcome", "first", "last", "sessions").rows() == [
        ("nothing", date(2024, 3, 6), date(2024, 3, 6), 1),
        ("refused", date(2024, 3, 7), date(2024, 3, 7), 1),
        ("unavailable", date(2024, 3, 8), date(2024, 3, 8), 1),
        ("not asked", date(2024, 3, 11), date(2024, 3, 14), 4),
        ("not asked", date(2024, 3, 15), date(2024, 3, 20), 4),
    ]


def test_the_map_shows_each_outcome_with_a_legend(world: World) -> None:
    drawings = outcome_drawings(world.platform, Timeframe.D1, ["AAA"], (FIRST, LAST), ["yahoo"])
    text = str(drawings["outcome_heat_map"].value)
    assert "| AAA | yahoo | `██o!-··?????··???` |" in text
    for outcome in (o for o in Outcome):
        assert str(outcome) in text.partition("| symbol")[0]
    assert "too many requests" in str(drawings["reasons"].value)
    everybody = outcome_drawings(world.platform, Timeframe.D1, ["AAA"], (FIRST, LAST))
    lines = str(everybody["outcome_heat_map"].value).splitlines()
    assert lines[6].startswith(f"| AAA | {SEVERAL} |")


def test_many_days_share_a_cell_and_show_the_worst(world: World) -> None:
    year = explain(
        world.platform, ["AAA"], date(2024, 1, 1), date(2024, 12, 31), Timeframe.D1, ["yahoo"]
    )
    text = str(outcome_heat_map(year).value)
    assert "One cell is one 7 days" in text
    (line,) = (x for x in text.splitlines() if x.startswith("| AAA"))
    assert line.count("!") == 1
    assert len(line) < 100


def test_a_symbol_added_later_shows_as_gaps_whatever_the_partitions_say(world: World) -> None:
    world.curate("1d", ("AAA", "BBB"), FIRST, date(2024, 3, 14))
    told = explain(world.platform, ["BBB"], FIRST, date(2024, 3, 14), Timeframe.D1, ["yahoo"])
    (gap,) = gaps(told).to_dicts()
    assert (gap["outcome"], gap["sessions"]) == ("not asked", 9)
