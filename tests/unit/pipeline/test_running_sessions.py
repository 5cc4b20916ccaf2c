"""Sessions that run: what no vendor can have yet is not late, and what is late shows in health."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline.health import health_of
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.pipeline.score import score_range
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.fake_vendor import FakeVendor
from tests.support.worlds import World

DAY = date(2024, 3, 5)
BEFORE = DAY - timedelta(days=1)
MIDNIGHT = datetime(2024, 3, 5, tzinfo=UTC)
DELAY = timedelta(minutes=15)
"""Of the free vendor, as the configuration has it."""
CURATED, RAW = "curated/bars_5m", "raw/yahoo_bars_5m"
COIN = Instrument(
    symbol="AAA", asset_class=AssetClass.CRYPTO, calendar="24/7", vendor_symbols={"yahoo": "AAA"}
)


def stored(folder: Path, *, until: datetime, now: datetime) -> World:
    """Bars of five minutes from the midnight before, the last of which ends at a moment."""
    world = World.at(folder, now).register(instruments=(COIN,))
    start = MIDNIGHT - timedelta(days=1)
    count = (until - start) // timedelta(minutes=5)
    starts = [start + n * timedelta(minutes=5) for n in range(count)]
    vendor = FakeVendor(bars={"AAA": starts}, delay=DELAY)
    ingest(world.platform, IngestRequest("yahoo", Timeframe.M5, ("AAA",), BEFORE, DAY), vendor)
    world.curate("5m", "AAA", BEFORE, DAY)
    return world


def lags(world: World, vendor: str = "") -> list[tuple[date, str]]:
    found = world.inspect("5m", BEFORE, DAY, vendor).findings
    told = found.filter(pl.col("code").is_in(["stale", "no_data", "coverage_error"]))
    return told.select("session", "severity").rows()


@pytest.mark.parametrize("minutes", [16 * 60, 24 * 60 + 10])
def test_all_that_a_vendor_can_have_is_not_late(tmp_path: Path, minutes: int) -> None:
    """While the session runs, and after its close until the vendor's delay has passed."""
    now = MIDNIGHT + timedelta(minutes=minutes)
    world = stored(tmp_path, until=now - DELAY, now=now)
    assert world.platform.vendors.delay("yahoo") == DELAY
    assert lags(world, "yahoo") == []
    assert lags(world) == []
    score_range(world.platform, ["AAA"], BEFORE, DAY)
    scores = world.platform.store.scan(SCORES_DATASET, symbols=["AAA"]).filter(dataset=CURATED)
    assert scores.filter(session=DAY)["freshness_seconds"].to_list() == [0.0]
    assert scores.filter(session=DAY)["score"].to_list() == [1.0]


def test_the_volume_of_a_session_is_judged_when_all_of_it_can_be_there(tmp_path: Path) -> None:
    close = MIDNIGHT + timedelta(days=1)
    world = stored(tmp_path, until=close, now=close + timedelta(minutes=10))
    dataset = curated_bars(Timeframe.M5)
    silent = world.platform.store.scan(dataset, sessions=(DAY, DAY)).with_columns(
        volume=pl.lit(0.0), final=pl.lit(value=True)
    )
    world.platform.store.replace(dataset, silent, sessions=(DAY, DAY), symbols=["AAA"])
    for minutes, told in ((10, []), (16, ["zero_volume"])):
        then = world.later(close + timedelta(minutes=minutes))
        bars = then.read("5m", "AAA", sessions=(DAY, DAY), quality="all", checked=True)
        codes = bars["flags"].str.split(",").explode().unique().to_list()
        assert [code for code in codes if code == "zero_volume"] == told
        found = then.inspect("5m", DAY, DAY).findings["code"].to_list()
        assert [code for code in found if code == "zero_volume"] == told


def test_what_a_vendor_should_have_is_late(tmp_path: Path) -> None:
    now = MIDNIGHT + timedelta(hours=16)
    world = stored(tmp_path, until=now - DELAY - timedelta(minutes=20), now=now)
    assert lags(world, "yahoo") == [(DAY, "warn")]
    assert lags(world) == [(DAY, "warn")]


def test_a_feed_that_died_in_a_running_session_shows_in_health(tmp_path: Path) -> None:
    now = MIDNIGHT + timedelta(hours=23, minutes=50)
    world = stored(tmp_path, until=MIDNIGHT + timedelta(hours=1), now=now)
    assert lags(world) == [(DAY, "error")]
    score_range(world.platform, ["AAA"], BEFORE, DAY)
    for dataset in (RAW, CURATED):
        found = health_of(world.platform, dataset)
        assert found.status == "RED"
        assert any("stale" in reason.code for reason in found.reasons)
        assert found.counts["RED"] == 1
        # Of a moment at which another session ran, this one says nothing.
        earlier = health_of(world.platform, dataset, MIDNIGHT - timedelta(hours=1))
        assert earlier.counts["RED"] == 0


@pytest.mark.parametrize("timeframe", ["1d", "5m"])
def test_the_first_session_of_an_installation_is_scored_while_it_runs(
    tmp_path: Path, timeframe: str
) -> None:
    """No bar is over: there is nothing yet whose flags could be found."""
    now = MIDNIGHT + timedelta(minutes=2)
    world = World.at(tmp_path, now).register(instruments=(COIN,))
    chosen = Timeframe(timeframe)
    request = IngestRequest("yahoo", chosen, ("AAA",), DAY, DAY)
    ingest(world.platform, request, FakeVendor(bars={"AAA": [MIDNIGHT]}))
    world.curate(timeframe, "AAA", DAY, DAY)
    assert world.read(timeframe, "AAA", quality="all", running=True)["final"].to_list() == [False]
    score_range(world.platform, ["AAA"], DAY, DAY)
    scores = world.platform.store.scan(SCORES_DATASET, symbols=["AAA"])
    assert scores.filter(dataset=curated_bars(chosen).name)["session"].to_list() == [DAY]


def test_a_session_that_runs_well_does_not_count_yet(tmp_path: Path) -> None:
    now = MIDNIGHT + timedelta(hours=16)
    world = stored(tmp_path, until=now - DELAY, now=now)
    score_range(world.platform, ["AAA"], BEFORE, DAY)
    found = health_of(world.platform, CURATED)
    assert sum(found.counts.values()) == 1
