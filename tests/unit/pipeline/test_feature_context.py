"""What is made of features follows them, also beside the range that is made anew."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from market_data.calendars import bar_starts
from market_data.datasets import FEATURES, REGIME_STATS_DATASET, curated_bars
from market_data.failover.state import MissedSlice
from market_data.features.registry import Kind, bar_groups, group_for
from market_data.pipeline.feature_context import (
    confluence_now,
    make_confluence,
    make_macro_context,
    make_regime_stats,
    regime_stats_now,
)
from market_data.pipeline.features import make_features
from market_data.pipeline.missed_features import (
    compare_features,
    features_of,
    make_missed_features,
    timeframes_of,
)
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.feature_series import curated, walk
from tests.support.worlds import World

D1, SYMBOLS = Timeframe.D1, ["COIN"]
FIRST, LAST = date(2023, 7, 1), date(2024, 2, 28)
CHANGED = date(2023, 12, 20)


def test_a_correction_reaches_what_is_made_of_features_beside_its_range(tmp_path: Path) -> None:
    coin = Instrument(symbol="COIN", asset_class=AssetClass.CRYPTO, calendar="24/7")
    world = World.at(tmp_path, datetime(2024, 3, 1, tzinfo=UTC)).register(instruments=(coin,))
    platform, every = world.platform, (FIRST, LAST)
    grid = bar_starts("24/7", D1, FIRST, LAST)
    high, low, close = walk(5, grid.height)
    bars = curated(
        grid.with_columns(
            symbol=pl.lit("COIN"), open=pl.Series(close), high=pl.Series(high),
            low=pl.Series(low), close=pl.Series(close), volume=pl.lit(1.0),
        )
    )  # fmt: skip

    def make(bars: pl.DataFrame, span: tuple[date, date]) -> None:
        platform.store.replace(curated_bars(D1), bars, sessions=every, symbols=SYMBOLS)
        make_features(platform, bar_groups(D1), SYMBOLS, *span)
        make_confluence(platform, SYMBOLS, *span)
        make_regime_stats(platform, SYMBOLS, *span)

    make(bars, every)
    confluence = FEATURES[group_for(Kind.CONFLUENCE).key]
    gone = CHANGED + timedelta(days=9)
    kept = platform.store.scan(confluence).filter(pl.col("session") != gone)
    platform.store.replace(confluence, kept, sessions=every, symbols=SYMBOLS)
    before = {d: platform.store.scan(d) for d in (confluence, REGIME_STATS_DATASET)}
    prices = pl.col("open", "high", "low", "close")
    dearer = pl.when(session=CHANGED).then(prices * 3).otherwise(prices)
    make(bars.with_columns(dearer), (CHANGED, CHANGED))

    now = confluence_now(platform, SYMBOLS, every).filter(pl.col("session") != gone)
    found = platform.store.scan(confluence)
    assert_frame_equal(found, now, check_exact=True)
    stats = platform.store.scan(REGIME_STATS_DATASET)
    order = list(REGIME_STATS_DATASET.key)
    assert_frame_equal(
        stats.sort(order), regime_stats_now(platform, SYMBOLS, every).sort(order), check_exact=True
    )
    for dataset, frame in ((confluence, found), (REGIME_STATS_DATASET, stats)):
        other = frame.join(before[dataset], on=frame.columns, how="anti", nulls_equal=True)
        days = other["session"].to_list()
        assert max(days) > CHANGED + timedelta(days=5)
    assert min(days) == CHANGED - timedelta(days=1)

    # An outage that took statistics alone: the slice lacks them, is made, and is whole again.
    lost = date(2024, 1, 1), date(2024, 1, 31)
    platform.store.replace(REGIME_STATS_DATASET, stats.clear(), sessions=lost, symbols=SYMBOLS)
    (timeframe,) = timeframes_of(["marts/regime_stats"])
    asked = features_of(timeframe), timeframe, tuple(SYMBOLS)
    missed = MissedSlice(*asked, *lost, "run", platform.clock.now())
    make_macro_context(platform, SYMBOLS, *lost)
    lake, store = compare_features(platform, missed)
    assert lake.rows > store.rows > 0
    make_missed_features(platform, missed)
    lake, store = compare_features(platform, missed)
    assert lake == store
    assert_frame_equal(platform.store.scan(REGIME_STATS_DATASET).sort(order), stats.sort(order))
