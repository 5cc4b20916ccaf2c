"""Rules that changed put those rows out of date that they concern, and no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from adapters.configuration import load_thresholds, load_universe, read_yaml, rule_versions
from adapters.settings import Settings
from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline.inspection import inspect_scores
from market_data.pipeline.platform import Platform
from market_data.pipeline.reference_impact import reference_impact
from market_data.pipeline.score import score_range
from market_data.quality.thresholds import Thresholds
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument, Universe
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 2, 1, tzinfo=UTC)
FIRST, LAST = date(2024, 1, 2), date(2024, 1, 3)
UNIVERSE, LIMITS = load_universe(Settings()), load_thresholds(Settings())
Pairs = set[tuple[AssetClass, Timeframe]]


def with_priority(universe: Universe, key: str, *order: str) -> Universe:
    return universe.model_copy(update={"priority": {**universe.priority, key: order}})


def changed(universe: Universe = UNIVERSE, limits: Thresholds = LIMITS) -> Pairs:
    before, now = rule_versions(UNIVERSE, LIMITS), rule_versions(universe, limits)
    return {pair for pair in before if before[pair] != now[pair]}


def test_a_priority_concerns_its_asset_class_and_timeframe() -> None:
    daily = with_priority(UNIVERSE, "equity/1d", "lean", "yahoo")
    assert changed(daily) == {(AssetClass.EQUITY, Timeframe.D1)}
    # Bars of every length are made of minutes.
    minutes = with_priority(UNIVERSE, "fx/1m", "lean", "yahoo")
    assert changed(minutes) == {(AssetClass.FX, t) for t in Timeframe}
    assert changed() == set()


def test_a_limit_concerns_its_asset_class_and_timeframe() -> None:
    def limits(layer: str, **values: Any) -> Thresholds:
        rules = read_yaml(Settings().config_dir / "quality.yaml")["rules"]
        return Thresholds.parse({"rules": {**rules, layer: {**rules.get(layer, {}), **values}}})

    assert changed(limits=limits("crypto/5m", score_warn=0.91)) == {
        (AssetClass.CRYPTO, Timeframe.M5)
    }


def scored(folder: Path) -> Platform:
    """A share and a pair, curated and scored by the day."""
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n"
    text += "".join(f"{d},50,51,49,50,50,1000\n" for d in (FIRST, LAST))
    things = (
        Instrument(symbol="AAA", asset_class=AssetClass.EQUITY, calendar="XNYS"),
        Instrument(symbol="CCCUSD", asset_class=AssetClass.CRYPTO, calendar="24/7"),
    )
    for thing in things:
        (folder / f"{thing.symbol}.csv").write_text(text)
    world = World.at(folder, NOW).register(
        *(
            FileVendor(
                f"of_{t.symbol.lower()}",
                {"1d": ("yahoo_csv", folder / f"{t.symbol}.csv")},
                (t.symbol,),
            )
            for t in things
        ),
        instruments=things,
    )
    for thing in things:
        world.load(
            f"of_{thing.symbol.lower()}", "1d", thing.symbol, FIRST, LAST, exported=NOW.date()
        )
    world.curate("1d", ("AAA", "CCCUSD"), FIRST, LAST)
    score_range(world.platform, ["AAA", "CCCUSD"], FIRST, LAST)
    return world.platform


def outdated(platform: Platform) -> set[str]:
    told = reference_impact(platform, None, None, with_gaps=False).outdated
    return set(told.filter(reason="other limits or vendor priority")["symbol"])


def test_other_rules_list_the_sessions_that_they_concern(tmp_path: Path) -> None:
    platform = scored(tmp_path)
    versions = platform.rule_versions
    day = Timeframe.D1
    for dataset in (SCORES_DATASET, curated_bars(day)):
        rows = platform.store.scan(dataset, columns=["symbol", "rule_version"])
        assert dict(rows.unique().iter_rows()) == {
            "AAA": versions[AssetClass.EQUITY, day],
            "CCCUSD": versions[AssetClass.CRYPTO, day],
        }
    assert outdated(platform) == set()
    other = replace(platform, rule_versions={**versions, (AssetClass.CRYPTO, day): "other"})
    assert outdated(other) == {"CCCUSD"}
    found = inspect_scores(other, FIRST, LAST).findings.filter(code="rules_changed")
    assert set(found["symbol"]) == {"CCCUSD"}
    elsewhere = {**versions, (AssetClass.FX, Timeframe.M1): "other"}
    assert outdated(replace(platform, rule_versions=elsewhere)) == set()


def test_rows_that_were_made_before_are_out_of_date(tmp_path: Path) -> None:
    platform = scored(tmp_path)
    kept = platform.store.scan(SCORES_DATASET)
    platform.store.replace(
        SCORES_DATASET,
        kept.with_columns(rule_version=pl.lit(platform.rule_version)),
        sessions=(FIRST, LAST),
        symbols=["AAA", "CCCUSD"],
    )
    assert outdated(platform) == {"AAA", "CCCUSD"}
