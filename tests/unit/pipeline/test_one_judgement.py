"""Health and the summary say the same of a session, whenever they are asked about it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data.calendars import trading_sessions
from market_data.pipeline.health import WINDOW_DAYS, health_of, judged_range
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.fake_vendor import FakeVendor
from tests.support.worlds import World

FIRST, LAST = date(2024, 3, 1), date(2024, 3, 12)
NOON = datetime(2024, 3, 13, 12, tzinfo=UTC)
CURATED, RAW = "curated/bars_1d", "raw/yahoo_bars_1d"
STATUSES = ("GREEN", "YELLOW", "RED")


def listed(symbol: str, calendar: str) -> Instrument:
    asset_class = AssetClass.CRYPTO if calendar == "24/7" else AssetClass.EQUITY
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        calendar=calendar,
        vendor_symbols={"yahoo": symbol},
    )


COIN, SHARE, SOUND = listed("COIN", "24/7"), listed("SHARE", "XNYS"), listed("SOUND", "24/7")
UNASKED = listed("UNASKED", "XNYS")
"""Nobody ever asked for it."""
ASKED = {"COIN": LAST, "SHARE": date(2024, 3, 7), "SOUND": LAST}
"""Until when each was asked for; for the days of SHARE behind that nobody asked."""
LACKING = {date(2024, 3, 8), date(2024, 3, 11), LAST}
"""Days of COIN that were asked for and did not come."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("judged")
    opened = World.at(folder, NOON).register(instruments=(COIN, SHARE, SOUND, UNASKED))
    for one in (COIN, SHARE, SOUND):
        days = trading_sessions(one.calendar, FIRST, ASKED[one.symbol])["open"].to_list()
        lacking = LACKING if one is COIN else set()
        vendor = FakeVendor(bars={one.symbol: [d for d in days if d.date() not in lacking]})
        request = IngestRequest("yahoo", Timeframe.D1, (one.symbol,), FIRST, ASKED[one.symbol])
        ingest(opened.platform, request, vendor)
        opened.curate("1d", one.symbol, FIRST, ASKED[one.symbol])
    return opened


def summed(rows: pl.DataFrame) -> dict[str, int]:
    return {status: rows.filter(status=status).height for status in STATUSES}


@settings(max_examples=20, deadline=None)
@given(asked=st.integers(0, 24 * 4), before=st.one_of(st.just(0), st.integers(0, 24 * 10)))
def test_health_and_summary_agree(world: World, asked: int, before: int) -> None:
    """Whatever the moment of the question, and the moment that it is about."""
    agree(world, RAW, NOON + timedelta(hours=asked), timedelta(hours=before))


@pytest.mark.parametrize(("asked", "before"), [(0, 0), (2, 20), (30, 100)])
def test_they_agree_about_curated_bars(world: World, asked: int, before: int) -> None:
    agree(world, CURATED, NOON + timedelta(hours=asked), timedelta(hours=before))


def agree(world: World, dataset: str, now: datetime, before: timedelta) -> None:
    as_of = now - before
    platform = world.later(now).platform
    told = health_of(platform, dataset, as_of)
    first = as_of.date() - timedelta(days=WINDOW_DAYS)
    rows = judged_range(platform, dataset, first, now.date()).sessions
    hours = pl.concat(
        trading_sessions(i.calendar, first, now.date()).select(
            "session", "open", "close", symbol=pl.lit(i.symbol)
        )
        for i in (COIN, SHARE, SOUND)
    )
    judged = rows.join(hours, on=["symbol", "session"]).filter(
        (pl.col("close") <= as_of) | ((pl.col("open") <= as_of) & (pl.col("close") > now))
    )
    assert judged.height
    assert told.counts == summed(judged)


def test_what_was_young_then_and_still_lacks_its_bars_is_late(world: World) -> None:
    """A day after a session without bars it is YELLOW; asked about that day a week later, RED."""
    then = datetime(2024, 3, 10, 1, tzinfo=UTC) + timedelta(hours=4)
    week_later = world.later(NOON + timedelta(days=7)).platform
    lacking = date(2024, 3, 8)

    def status(platform: Platform, as_of: datetime) -> list[str]:
        rows = judged_range(platform, RAW, lacking, lacking, as_of=as_of, symbols=["COIN"])
        return rows.sessions["status"].to_list()

    assert status(world.later(then).platform, then) == ["YELLOW"]
    assert status(week_later, then) == ["RED"]
    assert health_of(week_later, RAW, then, symbols=["COIN"]).counts["RED"] == 1


def test_days_that_nobody_asked_for_are_red_in_the_summary_too(world: World) -> None:
    later = world.later(NOON + timedelta(days=2)).platform
    rows = judged_range(later, RAW, FIRST, LAST, symbols=["SHARE"]).sessions
    red = rows.filter(status="RED")
    assert red.select("session", "codes").rows() == [
        (date(2024, 3, 8), "stale"),
        (date(2024, 3, 11), "stale"),
        (LAST, "stale"),
    ]
    assert rows.height == trading_sessions("XNYS", FIRST, LAST).height
    # Two days after its close a session is late; until then nobody need have asked for it.
    earlier = judged_range(world.platform, RAW, FIRST, LAST, symbols=["SHARE"]).sessions
    assert earlier.filter(status="RED")["session"].to_list() == [date(2024, 3, 8)]


@pytest.mark.parametrize("dataset", [CURATED, RAW])
def test_a_named_symbol_that_nobody_ever_asked_for_is_no_silence(
    world: World, dataset: str
) -> None:
    assert health_of(world.platform, dataset, symbols=["SOUND"]).status != "RED"
    found = health_of(world.platform, dataset, symbols=["SOUND", "UNASKED"])
    assert (found.status, found.symbols) == ("RED", 2)
    assert "never any bar of UNASKED" in found.reasons[0].text
    rows = judged_range(world.platform, dataset, FIRST, LAST, symbols=["SOUND", "UNASKED"])
    told = rows.sessions.filter(symbol="UNASKED")
    assert set(told["status"]) == {"RED"}
    assert set(told["codes"]) == {"no_data"}
    # Unless somebody names it, a symbol that nobody wanted is no defect.
    assert "UNASKED" not in set(
        judged_range(world.platform, dataset, FIRST, LAST).sessions["symbol"]
    )
