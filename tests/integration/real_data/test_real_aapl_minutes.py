"""AAPL by the minute across its 7:1 split, with bars before the open and after the close."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import pytest

from market_data.basis import Basis, Hours
from market_data.datasets import raw_bars
from market_data.timeframes import Timeframe
from tests.support.worlds import FileVendor, World

SPAN = (date(2014, 6, 5), date(2014, 6, 9))
BEFORE, AFTER = date(2014, 6, 6), date(2014, 6, 9)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> World:
    minutes = ("lean_minute", test_data / "intraday/lean_1m/aapl")
    days = ("lean_daily", test_data / "daily/lean_usa/aapl.zip")
    made = World.at(tmp_path_factory.mktemp("split"), datetime(2014, 6, 14, tzinfo=UTC))
    made = made.register(FileVendor("lean", {"1m": minutes, "1d": days}, ("AAPL",)))
    made.add_lean_actions(test_data / "reference/lean_factor_files/aapl.csv", "AAPL", snap=True)
    made.load_and_curate("lean", "1m", "AAPL", *SPAN)
    return made


def test_the_raw_log_keeps_the_extended_hours_and_curated_bars_leave_them_out(
    world: World,
) -> None:
    raw = world.platform.raw_log.read(raw_bars("lean", Timeframe.M1))
    assert raw.height == 2303
    assert Basis.parse(raw["basis"].unique().item()).hours is Hours.EXTENDED
    assert _clock(raw).min() == time(4, 0)
    assert _clock(raw).max() == time(19, 59)

    bars = world.read("1m", "AAPL", quality="ok")
    assert bars.group_by("session").len().sort("session").rows() == [
        (date(2014, 6, 5), 390),
        (date(2014, 6, 6), 390),
        (date(2014, 6, 9), 390),
    ]
    assert _clock(bars).min() == time(9, 30)
    assert _clock(bars).max() == time(15, 59)
    assert world.platform.quarantine.read().is_empty()
    assert world.inspect("1m", *SPAN).findings.is_empty()


def test_the_split_is_a_jump_as_traded_and_none_when_adjusted(world: World) -> None:
    jumps = {}
    for mode in ("none", "splits"):
        bars = world.read("1m", "AAPL", adjusted=mode)
        last = bars.filter(pl.col("session") == BEFORE)["close"][-1]
        first = bars.filter(pl.col("session") == AFTER)["open"][0]
        jumps[mode] = first / last
    print(f"\nopen after the split over the close before it: {jumps}")
    assert jumps["none"] == pytest.approx(1 / 7, rel=0.01)
    assert jumps["splits"] == pytest.approx(1, abs=0.01)
    volume = [
        world.read("1m", "AAPL", adjusted=mode, sessions=(BEFORE, BEFORE))["volume"].sum()
        for mode in ("none", "splits")
    ]
    assert volume[1] / volume[0] == pytest.approx(7)


def test_minutes_and_days_tell_one_story(world: World) -> None:
    """Days made of the minutes of the regular session against the vendor's own days."""
    world.curate("1d", "AAPL", *SPAN)
    made = world.read("1d", "AAPL", quality="all")
    assert made["source"].unique().to_list() == ["lean@1m"]
    world.load_and_curate("lean", "1d", "AAPL", *SPAN)
    own = world.read("1d", "AAPL", quality="all")
    assert own["source"].unique().to_list() == ["lean"]
    both = own.join(made, on=["session", "ts"], suffix="_made")
    assert both.height == 3
    apart = {
        p: both.select((pl.col(p) / pl.col(f"{p}_made") - 1).abs().max()).item()
        for p in ("open", "high", "low", "close")
    }
    print(f"\ndays against their minutes: {apart}")
    assert max(apart.values()) < 5e-3


def _clock(bars: pl.DataFrame) -> pl.Series:
    return bars["ts"].dt.convert_time_zone("America/New_York").dt.time()
