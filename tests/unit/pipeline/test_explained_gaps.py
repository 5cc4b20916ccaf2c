"""Why bars are missing, in words: per vendor, for all together, and drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.configured import ConfiguredVendors
from emp_assets.outcome_map import outcome_drawings, outcome_heat_map
from market_data.datasets import raw_bars
from market_data.errors import RateLimitedError
from market_data.pipeline.explain import SEVERAL, explain, gaps, together
from market_data.ports import Outcome, SymbolOutcome
from market_data.quarantine import quarantine_bars
from market_data.schemas import REJECTED_ROWS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument, Ticker
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


def refused(day: int, *reasons: str) -> pl.DataFrame:
    return pl.DataFrame(
        [("AAA", utc(day), why, f"{day} {why}") for why in reasons],
        schema=REJECTED_ROWS.dtypes,
        orient="row",
    )


def test_rows_that_were_refused_are_told_with_the_cure(tmp_path: Path) -> None:
    world = shares(World.at(tmp_path, NOW))
    vendor = FakeVendor(rejected=refused(5, "null_price", "bad_close,bad_volume"))
    ask(world, vendor, "2024-03-04", "2024-03-05")
    told = reasons(known(world, "yahoo"))
    assert told[5] == (
        "asked at 2024-03-15 00:00 UTC, 2 row(s) came and were refused "
        "(bad_close, bad_volume, null_price); 'emp quarantine list' shows them; "
        "it is asked again from 2024-03-15 20:00 UTC on"
    )
    assert told[4] == "asked at 2024-03-15 00:00 UTC, the vendor had no bars"
    ask(world.later(utc(16)), FakeVendor(bars={"AAA": [utc(5)]}), "2024-03-04", "2024-03-05")
    assert reasons(known(world, "yahoo"))[5] == ""


def test_refused_rows_of_a_session_that_is_short_are_told_too(tmp_path: Path) -> None:
    world = shares(World.at(tmp_path, NOW))
    hour = datetime(2024, 3, 5, 15, 30, tzinfo=UTC)
    lost = refused(5, "bad_close").with_columns(ts=pl.lit(hour))
    vendor = FakeVendor(bars={"AAA": [datetime(2024, 3, 5, 14, 30, tzinfo=UTC)]}, rejected=lost)
    ask(world, vendor, "2024-03-05", "2024-03-05", timeframe="1h")
    told = explain(world.platform, ["AAA"], FIRST, LAST, Timeframe.H1, ["yahoo"])
    assert "1 of 7 expected bars came" in reasons(told)[5]
    assert "1 row(s) came and were refused (bad_close)" in reasons(told)[5]


def test_a_bar_that_curation_refused_is_no_bar_without_a_word(tmp_path: Path) -> None:
    world = shares(World.at(tmp_path, NOW))
    ask(world, FakeVendor(bars={"AAA": [utc(5)]}), "2024-03-05", "2024-03-05")
    bar = world.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))
    world.platform.quarantine.add(
        quarantine_bars(
            bar.with_columns(reasons=pl.lit("ohlc")), timeframe=Timeframe.D1, seen_at=NOW
        )
    )
    assert "1 row(s) came and were refused (ohlc)" in reasons(known(world, "yahoo"))[5]


def test_a_long_silence_says_when_it_is_asked_for_again(tmp_path: Path) -> None:
    world = shares(World.at(tmp_path, NOW))
    ask(world, FakeVendor(), "2024-02-01", "2024-03-08")
    assert reasons(known(world, "yahoo"))[4] == (
        "asked at 2024-03-15 00:00 UTC, the vendor had no bars: nothing over 26 sessions in a row; "
        "it is asked again from 2024-03-15 20:00 UTC on"
    )
    late = world.later(utc(16))
    assert "by the next run" in reasons(known(late, "yahoo"))[4]


def test_what_a_vendor_does_not_serve_is_not_waited_for(world: World) -> None:
    told = explain(world.platform, ["AAA"], FIRST, LAST, Timeframe.D1, ["coinbase"])
    assert reasons(told)[4] == reasons(told)[18] == "not served by this vendor"
    assert reasons(told)[9] == "", "a Saturday"
    hours = explain(world.platform, ["AAA"], FIRST, LAST, Timeframe.H4, ["mine"])
    assert reasons(hours)[4] == "not served by this vendor: it has no 4h bars"


def test_a_session_outside_of_all_names_is_not_waited_for(tmp_path: Path) -> None:
    world = World.at(tmp_path, NOW)
    name = {"vendor": "yahoo", "symbol": "NEWNAME", "from": "2024-03-06"}
    renamed = Instrument(
        symbol="NEW",
        asset_class=AssetClass.EQUITY,
        calendar="XNYS",
        tickers=(Ticker.model_validate(name),),
    )
    world = shares(world).register(instruments=(renamed,))
    told = explain(world.platform, ["NEW"], FIRST, LAST, Timeframe.D1, ["yahoo"])
    assert reasons(told)[5] == "not served by this vendor: it had no name for the symbol then"
    assert reasons(told)[6] == "nobody has asked for it yet; 'emp ingest' does"


def test_where_nobody_serves_there_is_nothing_to_explain(world: World) -> None:
    told = explain(world.platform, ["AAA"], FIRST, LAST, Timeframe.H4)
    assert told.is_empty()
    assert together(told).is_empty()
