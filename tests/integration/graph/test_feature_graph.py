"""Features through the graph: made in ranged runs, checked session by session."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import dagster as dg
import polars as pl
import pytest
from dagster import AssetKey

from adapters.configuration import register
from jobs.ranged_run import execute, features_selection
from market_data.calendars import trading_sessions
from market_data.datasets import FEATURES, PREDICTIONS_DATASET, REGIME_STATS_DATASET, curated_bars
from market_data.features.checks import CHECKS
from market_data.features.registry import group_of
from market_data.pipeline.health import judged_range
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.feature_series import curated, walk
from tests.support.graph import Graph, graph

SYMBOLS = ("AAA", "BBB")
D1 = Timeframe.D1
FIRST, LAST = date(2023, 9, 1), date(2024, 2, 28)
RANGE = (date(2024, 2, 26), LAST)
PRICE = FEATURES["price_1d_v1"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """Half a year of daily bars of two shares, and a run over three sessions of their features."""
    with graph(tmp_path_factory.mktemp("features")) as made:
        shares = (
            Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS") for s in SYMBOLS
        )
        register(made.settings, instruments=tuple(shares))
        sessions = trading_sessions("XNYS", FIRST, LAST)
        frames = []
        for seed, symbol in enumerate(SYMBOLS):
            high, low, close = walk(seed, sessions.height)
            frames.append(
                sessions.select(
                    "session", ts="open", symbol=pl.lit(symbol), open=pl.Series(close),
                    high=pl.Series(high), low=pl.Series(low), close=pl.Series(close),
                    volume=pl.Series(close * 1000),
                )
            )  # fmt: skip
        made.platform.store.replace(
            curated_bars(D1), curated(pl.concat(frames)), sessions=(FIRST, LAST), symbols=SYMBOLS
        )
        assert run(made)
        yield made


def run(made: Graph) -> bool:
    chosen = features_selection([D1], RANGE, symbols=SYMBOLS)
    return execute(made.defs, made.instance, chosen)


def failed(made: Graph, asset: str) -> dict[str, set[str]]:
    """Sessions whose newest state of a check is a failure."""
    states = {check: made.states(asset, check) for check in CHECKS}
    return {
        check: {day for day, state in found.items() if state == "FAILED"}
        for check, found in states.items()
        if "FAILED" in found.values()
    }


def test_every_dataset_is_made_for_every_session(house: Graph) -> None:
    sessions = trading_sessions("XNYS", *RANGE).height
    for key in ("price_1d_v1", "volume_1d_v1", "indicators_1d_v1", "regime_1d_v1", "labels_1d_v1"):
        rows = house.platform.store.scan(FEATURES[key], sessions=RANGE)
        assert rows.height == 2 * sessions, key
    assert house.platform.store.scan(FEATURES["confluence_v1"]).height == 2 * sessions
    assert house.platform.store.scan(FEATURES["macro_context_v1"]).height == 2 * sessions
    stats = house.platform.store.scan(REGIME_STATS_DATASET)
    assert stats["bars"].sum() == 2 * sessions
    days = (RANGE[1] - RANGE[0]).days + 1
    for asset in ("features/price_1d_v1", "features/confluence_v1", "marts/regime_stats"):
        key = AssetKey(asset.split("/"))
        made = house.instance.get_materialized_partitions(key)
        assert len(made) == days, asset
        event = house.instance.get_latest_materialization_event(key)
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["rows"].value > 0
        assert not failed(house, asset)
    shown = house.instance.get_latest_materialization_event(AssetKey(["features", "price_1d_v1"]))
    assert shown is not None
    assert shown.asset_materialization is not None
    metadata = shown.asset_materialization.metadata
    assert metadata["null_rate"].value == 0.0
    assert metadata["definition"].value == group_of("price_1d_v1").definition
    assert house.states("features/price_1d_v1", "coverage")["2024-02-27"] == "SUCCEEDED"


@pytest.mark.parametrize(
    "dataset", ["features/price_1d_v1", "features/confluence_v1", "marts/regime_stats"]
)
def test_its_health_is_told_by_its_name(house: Graph, dataset: str) -> None:
    found = judged_range(house.platform, dataset, *RANGE, symbols=["AAA"])
    assert found.sessions.height == trading_sessions("XNYS", *RANGE).height
    assert set(found.sessions["status"]) == {"GREEN"}
    assert found.named == {"AAA": True}


def test_one_group_can_be_made_alone(house: Graph) -> None:
    before = house.platform.store.version(FEATURES["regime_1d_v1"])
    job = house.defs.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection={AssetKey(["features", "price_1d_v1"])}, asset_check_selection=set()
    )
    done = job.execute_in_process(instance=house.instance, partition_key="2024-02-28")
    assert done.success
    made = [e.asset_key for e in done.get_asset_materialization_events()]
    assert made == [AssetKey(["features", "price_1d_v1"])]
    assert house.platform.store.version(FEATURES["regime_1d_v1"]) == before


def test_checks_tell_what_is_missing_old_or_redefined(house: Graph) -> None:
    store = house.platform.store
    whole = store.scan(PRICE)
    gone, old, other = sorted(whole["session"].unique())
    of_a = pl.col("symbol") == "AAA"
    spoilt = whole.filter(~((pl.col("session") == gone) & of_a)).with_columns(
        ret_1=pl.when((pl.col("session") == old) & of_a).then(0.5).otherwise("ret_1"),
        definition=pl.when(pl.col("session") == other).then(pl.lit("x")).otherwise("definition"),
    )
    store.replace(PRICE, spoilt, sessions=RANGE, symbols=SYMBOLS)
    try:
        job = house.defs.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection=set(),
            asset_check_selection={
                key
                for key in house.defs.resolve_asset_graph().asset_check_keys
                if key.asset_key == AssetKey(["features", "price_1d_v1"])
            },
        )
        tags = {
            "dagster/asset_partition_range_start": str(RANGE[0]),
            "dagster/asset_partition_range_end": str(RANGE[1]),
        }
        assert job.execute_in_process(instance=house.instance, tags=tags).success
        found = failed(house, "features/price_1d_v1")
        assert found["coverage"] == {str(gone)}
        assert found["staleness"] == {str(old), str(other)}
        assert found.keys() == {"coverage", "staleness"}
        assert run(house)
        assert not failed(house, "features/price_1d_v1")
        assert store.scan(PRICE).equals(whole)
    finally:
        store.replace(PRICE, whole, sessions=RANGE, symbols=SYMBOLS)


def test_predictions_are_checked_against_the_features_that_they_are_of(house: Graph) -> None:
    key, store = AssetKey(["features", "predictions"]), house.platform.store
    config = {"model": "tests.support.toy_models:momentum_2", "groups": ["price_1d_v1"]}
    ops = {"features__predictions": {"config": {**config, "symbols": list(SYMBOLS)}}}
    days = sorted(store.scan(PRICE, sessions=RANGE)["session"].unique())

    def made(assets: set[AssetKey]) -> dict[str, set[str]]:
        """Run over the range; what failed of which session."""
        job = house.defs.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection=assets,
            asset_check_selection={
                k for k in house.defs.resolve_asset_graph().asset_check_keys if k.asset_key == key
            },
        )
        tags = {
            "dagster/asset_partition_range_start": str(RANGE[0]),
            "dagster/asset_partition_range_end": str(RANGE[1]),
        }
        done = job.execute_in_process(
            instance=house.instance, tags=tags, run_config={"ops": ops} if assets else {}
        )
        assert done.success
        return failed(house, "features/predictions")

    assert made({key}) == {}
    said, whole = store.scan(PREDICTIONS_DATASET), store.scan(PRICE)
    of_a = pl.col("symbol") == "AAA"
    lost = said.filter(~(of_a & (pl.col("session") == days[1])))
    changed = pl.when(of_a & (pl.col("session") == days[0])).then(0.5).otherwise("ret_1")
    store.replace(PREDICTIONS_DATASET, lost, sessions=RANGE, symbols=SYMBOLS)
    store.replace(PRICE, whole.with_columns(ret_1=changed), sessions=RANGE, symbols=SYMBOLS)
    try:
        assert made(set()) == {"coverage": {str(days[1])}, "staleness": {str(days[0])}}
    finally:
        store.replace(PRICE, whole, sessions=RANGE, symbols=SYMBOLS)
    assert made({key}) == {}
    assert store.scan(PREDICTIONS_DATASET).equals(said)


def test_a_step_of_the_daily_run_is_configured_by_its_name(house: Graph) -> None:
    chosen = features_selection([Timeframe.M30, D1], RANGE, symbols=("AAA",), macro=False)
    assert "features_1d" in chosen.ops
    assert AssetKey(["features", "macro_context_v1"]) not in chosen.keys
    job = house.defs.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(chosen.keys),
        asset_check_selection={
            k for k in house.defs.resolve_asset_graph().asset_check_keys
            if k.asset_key in chosen.keys
        },
    )  # fmt: skip
    assert all(job.has_node_named(name) for name in chosen.ops)
    assert isinstance(job, dg.JobDefinition)
