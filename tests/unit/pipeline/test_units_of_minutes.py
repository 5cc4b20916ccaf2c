"""Weeks of short bars in another unit: judged by the closes of sessions that are not read whole."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from market_data.calendars import trading_sessions
from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline.score import score_range
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 4, 1, tzinfo=UTC)
FIRST, LAST = date(2023, 12, 27), date(2024, 3, 22)
WRONG = date(2024, 2, 14), date(2024, 3, 5)
"""Longer than the days around a range whose bars are all read, across the end of a month."""
MIDDLE, RIGHT = date(2024, 2, 26), date(2024, 3, 6)
UNIT_ERROR = "unit_error"
BARS = curated_bars(Timeframe.M30)


def stored(folder: Path) -> World:
    """A share in bars of half an hour, in pence for three weeks, curated and not scored."""
    rows = ["ts,open,high,low,close,volume"]
    for number, (day, opens) in enumerate(
        trading_sessions("XNYS", FIRST, LAST).select("session", "open").iter_rows()
    ):
        for part in range(13):
            close = 14.5 * (1 + 0.002 * (-1) ** (number + part))
            close *= 100 if WRONG[0] <= day <= WRONG[1] else 1
            ts = opens + part * timedelta(minutes=30)
            rows.append(f"{ts:%Y-%m-%dT%H:%M:%SZ},{close},{close},{close},{close},500")
    path = folder / "bars.csv"
    path.write_text("\n".join(rows) + "\n")
    world = World.at(folder, NOW).register(
        FileVendor("mine", {"30m": ("plain_30m", path)}, ("MINE",)),
        instruments=(Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS"),),
    )
    world.load_and_curate("mine", "30m", "MINE", FIRST, LAST)
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return stored(tmp_path)


def in_other_unit(world: World, **how: object) -> dict[date, int]:
    """How many bars of a session are flagged as such when they are read."""
    bars = world.read("30m", "MINE", quality="all", **how)
    flagged = bars.filter(pl.col("flags").str.contains(UNIT_ERROR, literal=True))
    assert set(flagged["dq_status"]) <= {"error"}
    return dict(flagged.group_by("session").len().sort("session").iter_rows())


def wrong_sessions() -> dict[date, int]:
    return dict.fromkeys(trading_sessions("XNYS", *WRONG)["session"].to_list(), 13)


def score(world: World, first: date, last: date) -> None:
    score_range(world.platform, ["MINE"], first, last)


def test_every_wrong_session_and_no_other_is_told_of(world: World) -> None:
    score(world, FIRST, LAST)
    assert in_other_unit(world) == wrong_sessions()
    assert world.read("30m", "MINE").filter(pl.col("close") > 1000).is_empty()
    scores = world.platform.store.scan(SCORES_DATASET, symbols=["MINE"])
    red = scores.filter(pl.col("reasons").str.contains(UNIT_ERROR, literal=True))
    assert set(red["session"]) == set(wrong_sessions())
    found = world.inspect("30m", FIRST, LAST).findings.filter(code=UNIT_ERROR)
    assert dict(found.select("session", "rows").iter_rows()) == wrong_sessions()


def test_a_session_alone_is_judged_as_in_the_whole(world: World) -> None:
    for day, wrong in ((MIDDLE, 13), (WRONG[1], 13), (RIGHT, 0)):
        found = world.inspect("30m", day, day).findings.filter(code=UNIT_ERROR)
        assert found["rows"].sum() == wrong, day
        told = in_other_unit(world, sessions=(day, day), checked=True)
        assert told.get(day, 0) == wrong, day


def test_the_step_back_tells_of_all_bars_before_it(world: World) -> None:
    """Scored day by day, as the sessions come."""
    before = world.platform.store.scan(BARS, sessions=(RIGHT, LAST))
    world.platform.store.replace(BARS, before.clear(), sessions=(RIGHT, LAST), symbols=["MINE"])
    score(world, FIRST, WRONG[1])
    # Nobody knows yet which side is the wrong one.
    assert in_other_unit(world) == {WRONG[0]: 1}
    world.platform.store.replace(BARS, before, sessions=(RIGHT, LAST), symbols=["MINE"])
    score(world, RIGHT, RIGHT)
    assert in_other_unit(world) == wrong_sessions()
    scores = world.platform.store.scan(SCORES_DATASET, symbols=["MINE"])
    red = scores.filter(pl.col("reasons").str.contains(UNIT_ERROR, literal=True))
    assert dict.fromkeys(red["session"], 13) == wrong_sessions(), "without scoring these again"


def test_a_stretch_that_turns_out_to_go_on_is_none_any_more(world: World) -> None:
    score(world, FIRST, LAST)
    bars = world.platform.store.scan(BARS, sessions=(RIGHT, LAST))
    prices = ("open", "high", "low", "close")
    pence = bars.with_columns(pl.col(name) * 100 for name in prices)
    world.platform.store.replace(BARS, pence, sessions=(RIGHT, LAST), symbols=["MINE"])
    score(world, RIGHT, RIGHT)
    assert in_other_unit(world) == {WRONG[0]: 1}
