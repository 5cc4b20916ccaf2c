"""What the lake gives while the warehouse is away: the same as the warehouse told before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.calendars import trading_sessions
from market_data.datasets import (
    FLAGS_DATASET,
    MACRO_CALENDAR,
    SCORES_DATASET,
    Dataset,
    curated_bars,
)
from market_data.errors import StoreUnavailableError
from market_data.pipeline.from_lake import LakeStore, judged_in_lake
from market_data.pipeline.health import health_of, judged_range
from market_data.pipeline.platform import Platform
from market_data.pipeline.read import Quality, read_bars
from market_data.pipeline.removing import planned_removals, remove
from market_data.pipeline.score import score_range
from market_data.retention.policy import DataRetention, RetentionRule
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

FIRST, TICK, PENCE, LAST = (date(2024, m, d) for m, d in ((1, 2), (2, 27), (4, 9), (4, 30)))
MINUTES = (date(2024, 4, 29), LAST)
DAILY, QUARTERS = Timeframe.D1, Timeframe.M15
NAMES = ["DAYS", "MINS"]
MADE = (*(curated_bars(t) for t in Timeframe), SCORES_DATASET, FLAGS_DATASET, MACRO_CALENDAR)
WHY = "the warehouse is away since yesterday"


def daily() -> str:
    """A share that moves little, with a false tick, and from a day on in pence."""
    rows = ["date,open,high,low,close,volume"]
    for number, day in enumerate(trading_sessions("XNYS", FIRST, LAST)["session"]):
        close = 100 * (1 + 0.004 * (-1) ** number) * (100 if day >= PENCE else 1)
        told = close * 1.25 if day == TICK else close
        rows.append(f"{day},{close},{told * 1.01},{close * 0.99},{told},{500 + number}")
    return "\n".join(rows) + "\n"


def quarters() -> str:
    """Quarters of an hour of two days, of which one in the middle is missing."""
    rows = ["ts,open,high,low,close,volume"]
    for day in MINUTES:
        began = datetime.combine(day, time(13, 30), UTC)
        for number in [n for n in range(26) if n != 7]:
            close = 50 + (number % 5) / 10
            stamp = f"{began + timedelta(minutes=15 * number):%Y-%m-%dT%H:%M:%SZ}"
            rows.append(f"{stamp},{close},{close + 0.1},{close - 0.1},{close},{100 + number}")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two shares, loaded, curated and scored."""
    folder = tmp_path_factory.mktemp("lake")
    files: dict[str, Path] = {}
    for name, text in (("daily", daily()), ("quarters", quarters())):
        files[name] = folder / f"{name}.csv"
        files[name].write_text(text)
    shares = [
        Instrument(symbol=name, asset_class=AssetClass.EQUITY, calendar="XNYS") for name in NAMES
    ]
    world = World.at(folder, datetime(2024, 4, 30, 23, tzinfo=UTC)).register(
        FileVendor("days", {"1d": ("plain_daily", files["daily"])}, ("DAYS",)),
        FileVendor("mins", {"15m": ("plain_15m", files["quarters"])}, ("MINS",)),
        instruments=tuple(shares),
    )
    world.load_and_curate("days", "1d", "DAYS", FIRST, LAST)
    world.load_and_curate("mins", "15m", "MINS", *MINUTES)
    score_range(world.platform, NAMES, FIRST, LAST)
    return world.platform


@pytest.fixture(scope="module")
def lake(platform: Platform) -> Platform:
    """The same without its warehouse."""
    return LakeStore(platform, WHY).platform


@pytest.mark.parametrize("dataset", MADE, ids=lambda d: d.name)
def test_every_dataset_is_made_of_the_lake_as_it_is_stored(
    platform: Platform, lake: Platform, dataset: Dataset
) -> None:
    stored = platform.store.scan(dataset)
    if dataset.name in ("curated/bars_1d", "curated/bars_15m", SCORES_DATASET.name):
        assert stored.height > 20
    if dataset == FLAGS_DATASET:
        assert set(stored["code"]) >= {"false_tick", "unit_error"}
    assert_frame_equal(lake.store.scan(dataset), stored)


def test_parts_of_a_dataset_are_cut_as_the_warehouse_cuts_them(
    platform: Platform, lake: Platform
) -> None:
    moment = datetime(2024, 4, 29, 15, tzinfo=UTC)
    for dataset, asked in (
        (curated_bars(DAILY), {"symbols": ["DAYS"], "sessions": (TICK, PENCE)}),
        (curated_bars(DAILY), {"start": TICK, "end": PENCE, "columns": ["close", "ts"]}),
        (curated_bars(QUARTERS), {"start": moment}),
        (curated_bars(QUARTERS), {"start": moment, "end": moment + timedelta(hours=1)}),
        (curated_bars(QUARTERS), {"symbols": ["DAYS", "nobody"]}),
        (curated_bars(Timeframe.M1), {"columns": ["symbol"]}),
        (SCORES_DATASET, {"start": PENCE, "columns": ["symbol", "score"]}),
        (SCORES_DATASET, {"symbols": ["MINS"], "sessions": MINUTES}),
        (MACRO_CALENDAR, {"symbols": ["USD"]}),
    ):
        assert_frame_equal(lake.store.scan(dataset, **asked), platform.store.scan(dataset, **asked))


@pytest.mark.parametrize("rows", [0, 1, 60])
def test_the_newest_rows_are_found_however_far_back_they_lie(
    platform: Platform, lake: Platform, rows: int
) -> None:
    for dataset in (curated_bars(DAILY), curated_bars(QUARTERS)):
        for symbols in (None, ["DAYS"]):
            assert_frame_equal(
                lake.store.latest(dataset, symbols=symbols, rows=rows),
                platform.store.latest(dataset, symbols=symbols, rows=rows),
            )


@pytest.mark.parametrize("quality", ["trusted", "all"])
def test_a_reader_gets_the_same_bars_with_the_same_flags(
    platform: Platform, lake: Platform, quality: Quality, recwarn: pytest.WarningsRecorder
) -> None:
    for timeframe, symbol in ((DAILY, "DAYS"), (QUARTERS, "MINS")):
        found, expected = (
            read_bars(one, [symbol], timeframe=timeframe, quality=quality)
            for one in (lake, platform)
        )
        assert_frame_equal(found, expected)
        assert expected.height > 20
    if quality == "all":
        flags = read_bars(lake, ["DAYS"], timeframe=DAILY, quality="all")["flags"]
        assert flags.str.contains("unit_error").sum() == 1


@pytest.mark.parametrize("dataset", ["curated/bars_1d", "raw/days_bars_1d"])
def test_health_and_its_sessions_are_those_that_the_warehouse_told(
    platform: Platform, lake: Platform, dataset: str
) -> None:
    assert health_of(lake, dataset, days=30) == health_of(platform, dataset, days=30)
    ours, theirs = (judged_range(one, dataset, FIRST, LAST) for one in (lake, platform))
    assert_frame_equal(ours.sessions, theirs.sessions)
    assert_frame_equal(ours.scores, theirs.scores)
    assert theirs.sessions.height > 1


def test_scores_and_flags_are_made_of_the_timeframes_that_somebody_needs(
    platform: Platform,
) -> None:
    lake = LakeStore(platform, WHY, [QUARTERS])
    for dataset in (SCORES_DATASET, FLAGS_DATASET):
        stored = platform.store.scan(dataset).filter(dataset=curated_bars(QUARTERS).name)
        assert_frame_equal(lake.scan(dataset), stored)


def test_what_the_lake_cannot_give_is_refused_with_the_reason(lake: Platform) -> None:
    store, other = lake.store, replace(SCORES_DATASET, name="marts/of_another_day")
    bars = curated_bars(DAILY)
    for refused in (
        lambda: store.scan(other),
        lambda: store.replace(bars, pl.DataFrame(), sessions=MINUTES, symbols=NAMES),
        lambda: store.counts(bars),
        lambda: store.version(bars),
        lambda: store.history(bars),
        lambda: store.compact(bars),
        lambda: store.vacuum(bars),
    ):
        with pytest.raises(StoreUnavailableError, match=WHY):
            refused()


def test_scores_are_not_judged_by_scores_that_are_made_only_now() -> None:
    error = StoreUnavailableError("no connection")
    assert judged_in_lake("curated/bars_1d", error) == [DAILY]
    assert judged_in_lake("raw/days_bars_1d", error) == []
    with pytest.raises(StoreUnavailableError, match="no connection; quality/scores is judged"):
        judged_in_lake("quality/scores", error)


def test_what_retention_let_go_is_not_made_of_the_lake(tmp_path: Path) -> None:
    file = tmp_path / "daily.csv"
    file.write_text(daily())
    share = Instrument(symbol="DAYS", asset_class=AssetClass.EQUITY, calendar="XNYS")
    now = datetime(2024, 4, 30, 23, tzinfo=UTC)
    world = World.at(tmp_path, now).register(
        FileVendor("days", {"1d": ("plain_daily", file)}, ("DAYS",)), instruments=(share,)
    )
    world.load_and_curate("days", "1d", "DAYS", FIRST, LAST)
    score_range(world.platform, ["DAYS"], FIRST, LAST)
    made = [d for d in MADE if d.name in ("curated/bars_1d", "quality/scores", "quality/bar_flags")]
    names = tuple(dataset.name for dataset in made)
    policy = DataRetention(
        rules=(
            RetentionRule(name="scores", datasets=("quality/*",), keep=timedelta(days=45)),
            RetentionRule(name="bars", datasets=names, keep=timedelta(days=60)),
        )
    )
    # Twice: what speaks of bars goes once these are gone.
    gone = 0
    for _ in range(2):
        leaving = planned_removals(world.platform, policy, now.date())
        removals = [one for found in leaving for one in found.removals]
        gone += sum(done.gone for done in remove(world.platform, removals))
    lake = LakeStore(world.platform, WHY, retention=policy).platform
    assert gone > 20
    for dataset in made:
        stored = world.platform.store.scan(dataset)
        assert lake.store.scan(dataset)["session"].to_list() == stored["session"].to_list()
        assert stored.height or dataset == FLAGS_DATASET
