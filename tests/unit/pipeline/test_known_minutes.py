"""Training rows of bars that are made of minutes, after a vendor told minutes of them again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from market_data.calendars import bar_starts
from market_data.features.registry import Kind, group_for
from market_data.pipeline.feature_frames import FeatureRows, training_rows
from market_data.pipeline.features import make_features
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.feature_series import walk
from tests.support.restated_world import installation
from tests.support.worlds import FileVendor, World

H1, SYMBOLS = Timeframe.H1, ("AAA", "BBB")
FIRST, CHANGED, LAST = date(2024, 1, 24), date(2024, 1, 26), date(2024, 1, 29)
THEN, NOW = datetime(2024, 1, 28, tzinfo=UTC), datetime(2024, 1, 30, tzinfo=UTC)
PRICE = group_for(Kind.PRICE, H1)


def made(world: World, file: Path, now: datetime, factor: float) -> World:
    """Minutes of two coins until a moment, a session of AAA times a factor, and the features."""
    grid, parts = bar_starts("24/7", Timeframe.M1, FIRST, LAST), []
    for number, symbol in enumerate(SYMBOLS):
        high, low, close = walk(number, grid.height, step=0.0005)
        changed = (pl.col("session") == CHANGED) & pl.lit(symbol == SYMBOLS[0])
        told = grid.with_columns(
            open=pl.Series(close), high=pl.Series(high), low=pl.Series(low), close=pl.Series(close)
        ).filter(pl.col("bar_end") <= now)
        parts.append(
            told.select(
                pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
                pl.col("open", "high", "low", "close") * pl.when(changed).then(factor).otherwise(1),
                volume=pl.col("ts").dt.minute() + 1.0,
                symbol=pl.lit(symbol),
            )
        )
    pl.concat(parts).write_csv(file)
    world, until = world.later(now), min(LAST, now.date())
    world.load("mine", "1m", SYMBOLS, FIRST, until, refetch=True)
    world.curate("1h", SYMBOLS, FIRST, until)
    make_features(world.platform, [PRICE], SYMBOLS, FIRST, until)
    return world


def trained(world: World, *, known: bool = True) -> FeatureRows:
    sessions = FIRST, LAST
    return training_rows(world.platform, SYMBOLS, H1, [PRICE], sessions, labels=False, known=known)


def test_rows_before_minutes_were_told_again_stay(tmp_path: Path) -> None:
    file = tmp_path / "minutes.csv"
    coins = (Instrument(symbol=s, asset_class=AssetClass.CRYPTO, calendar="24/7") for s in SYMBOLS)
    world = World(installation(tmp_path), THEN).register(
        FileVendor("mine", {"1m": ("plain", file)}, SYMBOLS), instruments=tuple(coins)
    )
    world = made(world, file, THEN, 1.0)
    first = trained(world)
    world = made(world, file, NOW, 1.02)
    found, newest = trained(world), trained(world, known=False)
    before = pl.col("available_at") < THEN
    after = pl.col("available_at") >= NOW
    assert_frame_equal(found.frame.filter(before), first.frame.filter(before), check_exact=True)
    assert_frame_equal(found.frame.filter(after), newest.frame.filter(after), check_exact=True)
    assert not newest.frame.filter(before).equals(first.frame.filter(before))
    # From the first hour of the session on, of the one coin; the windows are of twenty hours.
    assert 24 < found.metadata["restated"]["rows"] <= 24 + 21
    assert found.metadata["restated"]["left_out"] == 0
