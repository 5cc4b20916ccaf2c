"""Scores hear every check of the stored bars, not only those that need nothing beside a slice."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.calendars import trading_sessions
from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline.health import judged_range
from market_data.pipeline.score import score_range
from market_data.ports import Annotation, Decision
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.adjusted_series import EX, FIRST, LAST, series
from tests.support.fake_vendor import ask, shares
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 3, 20, 12, tzinfo=UTC)
DAILY = curated_bars(Timeframe.D1)
DATASET = DAILY.name
SPLIT_DAY = date(2024, 3, 12)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return shares(World.at(tmp_path, NOW))


def scored(world: World, symbol: str, first: date, last: date) -> dict[date, tuple[str, str]]:
    """Status and reasons that are kept; sessions that are GREEN are left out."""
    score_range(world.platform, [symbol], first, last)
    kept = world.platform.store.scan(SCORES_DATASET, symbols=[symbol])
    told = kept.filter(pl.col("dataset") == DATASET, pl.col("status") != "GREEN")
    return {row["session"]: (row["status"], row["reasons"]) for row in told.to_dicts()}


def judged(world: World, first: date, last: date) -> dict[date, tuple[str, str]]:
    told = judged_range(world.platform, DATASET, first, last).sessions
    bad = told.filter(pl.col("status") != "GREEN")
    return {row["session"]: (row["status"], row["codes"]) for row in bad.to_dicts()}


def test_an_action_that_the_vendors_adjusted_close_knows_of_and_the_record_does_not(
    world: World,
) -> None:
    ask(world, series("yahoo", carries=0.98), FIRST, LAST)
    world.curate("1d", "AAA", FIRST, LAST)
    found = scored(world, "AAA", EX, EX)
    assert found[EX][0] == "YELLOW"
    assert "adjustment_chain" in found[EX][1].split(",")
    # A session scores the same within a range; health and scores say the same.
    assert scored(world, "AAA", FIRST, LAST) == judged(world, FIRST, LAST)
    assert scored(world, "AAA", FIRST, LAST)[EX] == found[EX]
    world.platform.annotations.add(
        Annotation(
            created_at=NOW, author="ana", dataset=DATASET, symbol="AAA", first_session=EX,
            last_session=EX, decision=Decision.ACCEPT, codes=("adjustment_chain",),
            reason="paid in shares of another company",
        )
    )  # fmt: skip
    left = scored(world, "AAA", EX, EX).get(EX, ("GREEN", ""))
    assert "adjustment_chain" not in left[1]


def test_a_split_of_which_nobody_told(tmp_path: Path) -> None:
    days = trading_sessions("XNYS", date(2024, 2, 1), LAST)["session"]
    rows = []
    for number, day in enumerate(days):
        shares_per = 4 if day >= SPLIT_DAY else 1
        close = 100 * (1 + 0.004 * (-1) ** number) / shares_per
        volume = 1000 * shares_per
        rows.append(f"{day},{close},{close * 1.01},{close * 0.99},{close},{volume}")
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
    world = World.at(tmp_path, NOW).register(
        FileVendor("mine", {"1d": ("plain_daily", path)}, ("MINE",)),
        instruments=(Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS"),),
    )
    world.load_and_curate("mine", "1d", "MINE", days[0], LAST)
    found = scored(world, "MINE", SPLIT_DAY, SPLIT_DAY)
    assert "suspected_missing_split" in found[SPLIT_DAY][1].split(",")
    assert scored(world, "MINE", days[0], LAST) == judged(world, days[0], LAST)


def test_bars_of_which_nobody_can_say_what_they_are_divided_by(world: World) -> None:
    ask(world, series("yahoo", carries=None), FIRST, LAST)
    world.curate("1d", "AAA", FIRST, LAST)
    bars = world.platform.store.scan(DAILY, symbols=["AAA"])
    marked = bars.with_columns(
        flags=pl.when(pl.col("session") == EX).then(pl.lit("splits_disputed")).otherwise("flags")
    )
    world.platform.store.replace(DAILY, marked, sessions=(FIRST, LAST), symbols=["AAA"])
    found = scored(world, "AAA", FIRST, LAST)
    told = [day for day, (_, codes) in found.items() if "splits_disputed" in codes.split(",")]
    assert told == [EX]
