"""A stretch of bars in another unit, as readers, findings and scores see it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.calendars import trading_sessions
from market_data.datasets import SCORES_DATASET
from market_data.pipeline.score import score_range
from market_data.pipeline.surroundings import next_to
from market_data.quality.unit_stretches import SEEN_BEFORE, SEEN_LATER
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 5, 1, tzinfo=UTC)
FIRST, LAST = date(2023, 12, 1), date(2024, 4, 30)
WRONG = date(2024, 3, 5), date(2024, 3, 28)
"""More sessions than the days that show the one next to a range."""


def stored(folder: Path) -> World:
    rows = []
    for number, day in enumerate(trading_sessions("XNYS", FIRST, LAST)["session"]):
        close = (1 + 0.004 * (-1) ** number) * (1450 if WRONG[0] <= day <= WRONG[1] else 14.5)
        rows.append(f"{day},{close},{close * 1.01},{close * 0.99},{close},500")
    path = folder / "bars.csv"
    path.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
    world = World.at(folder, NOW).register(
        FileVendor("mine", {"1d": ("plain_daily", path)}, ("MINE",)),
        instruments=(Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS"),),
    )
    world.load_and_curate("mine", "1d", "MINE", FIRST, LAST)
    return world


def test_bars_in_the_wrong_unit_are_left_out_and_right_ones_served(tmp_path: Path) -> None:
    world = stored(tmp_path)
    in_stretch = pl.col("session").is_between(*WRONG)
    whole = world.read("1d", "MINE", quality="all", checked=True)
    wrong = whole.filter(pl.col("flags").str.contains("unit_error", literal=True))
    assert wrong.height > 15
    assert_frame_equal(wrong, whole.filter(in_stretch))
    assert wrong["dq_status"].unique().to_list() == ["error"]
    served = world.read("1d", "MINE", checked=True)
    assert_frame_equal(served, whole.filter(~in_stretch))
    middle, first_right = date(2024, 3, 14), date(2024, 4, 1)
    for day in (*WRONG, middle, first_right):
        part = world.read("1d", "MINE", sessions=(day, day), quality="all", checked=True)
        assert_frame_equal(part, whole.filter(session=day))
    found = {}
    for day in (middle, first_right):
        score_range(world.platform, ["MINE"], day, day)
        kept = world.platform.store.scan(SCORES_DATASET, symbols=["MINE"], sessions=(day, day))
        (found[day],) = kept.select("status", "reasons").rows()
    assert found == {middle: ("RED", "unit_error"), first_right: ("GREEN", "")}


@pytest.mark.parametrize("timeframe", [Timeframe.D1, Timeframe.H4, Timeframe.H1])
def test_so_many_bars_are_read_as_have_a_say_in_their_unit(timeframe: Timeframe) -> None:
    """Also where a week without sessions comes before, and a session begins the day before."""
    asked: list[tuple[date, date]] = []

    def read(sessions: tuple[date, date]) -> pl.DataFrame:
        asked.append(sessions)
        return CURATED_BARS.empty()

    next_to(timeframe, *WRONG, read)
    (before, _), (_, after) = asked
    assert before <= WRONG[0] - SEEN_BEFORE - timedelta(days=8)
    assert after >= WRONG[1] + SEEN_LATER + timedelta(days=1)
