"""AAPL's daily bars of 23 years, as traded, and the factor file that adjusts them.

What belongs here: LEAN's file alone; test_real_aapl_drift.py holds it against Yahoo's.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.calendars import trading_sessions
from market_data.corporate_actions.lean_factors import parse_factor_file
from market_data.datasets import curated_bars
from market_data.timeframes import Timeframe
from tests.support.worlds import FileVendor, World

FIRST, LAST = date(1998, 1, 2), date(2021, 3, 31)
NOW = datetime(2021, 4, 2, tzinfo=UTC)


WICKS = [
    (day, "wick")
    for day in (
        date(2009, 9, 21),
        date(2010, 8, 31),
        date(2011, 1, 3),
        date(2016, 4, 29),
        date(2017, 5, 12),
    )
]
"""Three lows at a tenth of the price or less; a high 13 % above, and a low 9 % below everything
else of the day and the two around it. The crash of 2010-05-06 is none."""
BACK = [*WICKS, (date(2020, 3, 13), "false_tick")]
"""Closed 12 % up in its last half hour, and opened below where it came from on the Monday after."""
ODD = [(date(2000, 9, 29), "jump"), *BACK]
"""Halved by a warning of low sales; no split."""


def lean(data: Path) -> FileVendor:
    return FileVendor("lean", {"1d": ("lean_daily", data / "daily/lean_usa/aapl.zip")}, ("AAPL",))


def factors_of(data: Path) -> pl.DataFrame:
    return parse_factor_file((data / "reference/lean_factor_files/aapl.csv").read_text())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> World:
    """LEAN's whole history and its factor file."""
    made = World.at(tmp_path_factory.mktemp("lean"), NOW).register(lean(test_data))
    made.add_lean_actions(test_data / "reference/lean_factor_files/aapl.csv", "AAPL")
    made.load_and_curate("lean", "1d", "AAPL", FIRST, LAST)
    return made


def test_every_session_of_23_years_is_there_once_and_covered_exactly(world: World) -> None:
    sessions = trading_sessions("XNYS", FIRST, LAST)["session"]
    assert sessions.len() == 5849
    for found in (world.inspect("1d", FIRST, LAST), world.inspect("1d", FIRST, LAST, "lean")):
        coverage = found.measured["coverage"].filter(pl.col("symbol") == "AAPL")
        assert coverage["session"].to_list() == sessions.to_list()
        assert coverage["coverage"].min() == 1.0
        assert coverage.select(pl.col("observed", "expected").sum()).row(0) == (5849, 5849)
        told = found.findings.select("session", "code").rows()
        assert told == [row for row in ODD if found.dataset.startswith("curated") or row in BACK]
    assert world.read("1d", "AAPL", quality="ok").height == 5849


def test_a_session_that_is_taken_away_is_found(world: World) -> None:
    """The whole coverage above says something only if a hole would show."""
    platform = world.platform
    gone = date(2012, 3, 14)
    kept = world.read("1d", "AAPL", quality="all", sessions=(gone, gone))
    dataset = curated_bars(Timeframe.D1)
    platform.store.replace(dataset, kept.clear(), sessions=(gone, gone), symbols=["AAPL"])
    try:
        findings = world.inspect("1d", FIRST, LAST).findings
    finally:
        platform.store.replace(dataset, kept, sessions=(gone, gone), symbols=["AAPL"])
    coverage = findings.filter(pl.col("check") == "coverage")
    assert coverage.select("session", "code").rows() == [(gone, "no_data")]


def test_adjusted_closes_agree_with_the_factor_file(world: World, test_data: Path) -> None:
    raw = world.read("1d", "AAPL", quality="all")
    total = world.read("1d", "AAPL", quality="all", adjusted="total")
    stated = raw.join_asof(
        factors_of(test_data), left_on="session", right_on="date", strategy="forward"
    ).select("session", stated=pl.col("close") * pl.col("price_factor") * pl.col("split_factor"))
    compared = total.join(stated, on="session", how="full", coalesce=True)
    error = compared.select(((pl.col("close") / pl.col("stated")) - 1).abs()).to_series()
    around = [date(2014, 6, 6), date(2014, 6, 9), date(2020, 8, 28), date(2020, 8, 31)]
    splits = total.filter(pl.col("session").is_in(around))["close"].to_list()
    print(f"\nagainst the factor file: {len(error)} closes, worst {error.max():.2e}")
    assert error.len() == 5849
    assert error.null_count() == 0
    assert error.max() < 1e-6
    assert splits[1] / splits[0] == pytest.approx(1.016, abs=1e-3)
    assert splits[3] / splits[2] == pytest.approx(1.034, abs=1e-3)


def test_splits_alone_leave_dividends_in_and_scale_the_volume(world: World) -> None:
    day = (date(2014, 6, 6), date(2014, 6, 6))
    raw = world.read("1d", "AAPL", sessions=day).row(0, named=True)
    adjusted = world.read("1d", "AAPL", sessions=day, adjusted="splits").row(0, named=True)
    assert raw["close"] / adjusted["close"] == pytest.approx(28, rel=1e-6)
    assert adjusted["volume"] / raw["volume"] == pytest.approx(28, rel=1e-6)
