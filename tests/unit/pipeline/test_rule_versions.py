"""Rules that changed put those rows out of date that they concern, and no others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.configuration import load_thresholds, load_universe, read_yaml, rule_versions
from adapters.settings import Settings
from emp.cli import app, run
from emp.rescoring import get_outdated_scores
from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline.inspection import inspect_scores
from market_data.pipeline.platform import Platform
from market_data.pipeline.reference_impact import reference_impact
from market_data.pipeline.rescore import _ranges, rescore, scores_by_other_rules
from market_data.pipeline.score import score_range
from market_data.quality.expectations import Expectations
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


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A share and a pair, curated and scored by the day."""
    folder = tmp_path_factory.mktemp("scored")
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n"
    text += f"{FIRST},50,51,49,50,50,1000\n{LAST},50,51,49,50,50,1001\n"
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
    return folder / "data"


@pytest.fixture
def scored(once: Path, tmp_path: Path) -> Platform:
    """The same, for a test to change."""
    copytree(once, tmp_path / "data")
    return World.at(tmp_path, NOW).platform


def outdated(platform: Platform) -> set[str]:
    told = reference_impact(platform, None, None, with_gaps=False).outdated
    return set(told.filter(reason="other limits or vendor priority")["symbol"])


def test_other_rules_list_the_sessions_that_they_concern(scored: Platform) -> None:
    versions = scored.rule_versions
    day = Timeframe.D1
    for dataset in (SCORES_DATASET, curated_bars(day)):
        rows = scored.store.scan(dataset, columns=["symbol", "rule_version"])
        # A score is of the entry of config/expectations.yaml too.
        rows = rows.with_columns(pl.col("rule_version").str.split("+").list.first())
        assert dict(rows.unique().iter_rows()) == {
            "AAA": versions[AssetClass.EQUITY, day],
            "CCCUSD": versions[AssetClass.CRYPTO, day],
        }
    assert outdated(scored) == set()
    other = replace(scored, rule_versions={**versions, (AssetClass.CRYPTO, day): "other"})
    assert outdated(other) == {"CCCUSD"}
    found = inspect_scores(other, FIRST, LAST).findings.filter(code="rules_changed")
    assert set(found["symbol"]) == {"CCCUSD"}
    elsewhere = {**versions, (AssetClass.FX, Timeframe.M1): "other"}
    assert outdated(replace(scored, rule_versions=elsewhere)) == set()


def test_rows_that_were_made_before_are_out_of_date(scored: Platform) -> None:
    kept = scored.store.scan(SCORES_DATASET)
    scored.store.replace(
        SCORES_DATASET,
        kept.with_columns(rule_version=pl.lit(scored.rule_version)),
        sessions=(FIRST, LAST),
        symbols=["AAA", "CCCUSD"],
    )
    assert outdated(scored) == {"AAA", "CCCUSD"}


def expecting(platform: Platform, symbol: str, at_most: int) -> Platform:
    entry = {"name": "x", "datasets": ["curated/*"], "symbols": [symbol], "at_most": at_most}
    return replace(platform, expectations=Expectations.parse({"expectations": [entry]}))


def test_what_is_expected_of_a_symbol_puts_its_scores_out_of_date(scored: Platform) -> None:
    platform = replace(scored, expectations=Expectations())
    score_range(platform, ["AAA", "CCCUSD"], FIRST, LAST)
    assert scores_by_other_rules(platform).is_empty()
    other = expecting(platform, "CCCUSD", at_most=0)
    found = scores_by_other_rules(other)
    assert found.select("dataset", "symbol", "session").rows() == [
        ("curated/bars_1d", "CCCUSD", day) for day in (FIRST, LAST)
    ]
    assert scores_by_other_rules(other, (LAST, LAST)).height == 1
    assert scores_by_other_rules(other, symbols=["AAA"]).is_empty()
    told = inspect_scores(other, FIRST, LAST).findings.filter(code="rules_changed")
    assert told["symbol"].unique().to_list() == ["CCCUSD"]


def test_scoring_anew_touches_exactly_what_other_rules_made(scored: Platform) -> None:
    platform = replace(scored, expectations=Expectations())
    score_range(platform, ["AAA", "CCCUSD"], FIRST, LAST)
    # Scores of another dataset and of a day that is up to date: marked, to see that they stay.
    kept = platform.store.scan(SCORES_DATASET)
    minutes = kept.with_columns(dataset=pl.lit("curated/bars_1h"), reasons=pl.lit("mark"))
    platform.store.replace(
        SCORES_DATASET,
        pl.concat([kept, minutes]).sort(SCORES_DATASET.sort),
        sessions=(FIRST, LAST),
        symbols=["AAA", "CCCUSD"],
    )
    other = expecting(platform, "CCCUSD", at_most=0)
    chosen = scores_by_other_rules(other, (LAST, LAST)).filter(dataset="curated/bars_1d")
    done = rescore(other, chosen)
    assert (done.scores, done.changed) == (1, 1)
    left = scores_by_other_rules(other).filter(dataset="curated/bars_1d")
    assert left["session"].to_list() == [FIRST]
    stored = platform.store.scan(SCORES_DATASET)
    assert stored.filter(dataset="curated/bars_1h", reasons="mark").height == 4
    (row,) = stored.filter(dataset="curated/bars_1d", symbol="CCCUSD", session=LAST).to_dicts()
    assert row["status"] != "GREEN"
    unchanged = stored.filter(pl.col("symbol") == "AAA", dataset="curated/bars_1d")
    assert unchanged.equals(kept.filter(pl.col("symbol") == "AAA"))
    assert rescore(other, scores_by_other_rules(platform).clear()).scores == 0


def test_ranges_to_score_anew_leave_no_stored_session_out() -> None:
    days = [date(2024, 1, d) for d in (4, 5, 8, 9)]
    held = pl.DataFrame({"symbol": ["AAA"] * 4, "session": days})
    found = held.with_columns(dataset=pl.lit("curated/bars_1d"))
    daily = [Timeframe.D1]
    assert list(_ranges(found, held)) == [(["AAA"], daily, days[0], days[3])]
    without = found.filter(pl.col("session") != days[2])
    assert list(_ranges(without, held)) == [
        (["AAA"], daily, days[0], days[1]),
        (["AAA"], daily, days[3], days[3]),
    ]
    both = pl.concat([found, found.with_columns(symbol=pl.lit("BBB")).head(2)])
    of_both = pl.concat([held, held.with_columns(symbol=pl.lit("BBB"))])
    assert list(_ranges(both, of_both)) == [
        (["AAA"], daily, days[2], days[3]),
        (["AAA", "BBB"], daily, days[0], days[1]),
    ]


def test_ranges_to_score_anew_hold_nothing_that_was_not_listed() -> None:
    """The bars of the second day are daily ones that are up to date, and hours that are not."""
    days = [date(2024, 1, d) for d in (4, 5, 8)]
    held = pl.DataFrame({"symbol": ["AAA"] * 3, "session": days})
    other = pl.Series("dataset", ["curated/bars_1d", "curated/bars_1h", "curated/bars_1d"])
    assert list(_ranges(held.with_columns(other), held)) == [
        (["AAA"], [Timeframe.D1], days[0], days[0]),
        (["AAA"], [Timeframe.D1], days[2], days[2]),
        (["AAA"], [Timeframe.H1], days[1], days[1]),
    ]


_days = st.integers(1, 6).map(lambda d: date(2024, 1, d))
_cells = st.tuples(
    st.sampled_from(["curated/bars_1d", "curated/bars_1h"]), st.sampled_from(["AAA", "BBB"]), _days
)


@settings(max_examples=200, deadline=None)
@given(st.sets(_cells), st.sets(_cells))
def test_ranges_to_score_anew_are_exactly_what_was_listed(
    listed: set[tuple[str, str, date]], others: set[tuple[str, str, date]]
) -> None:
    columns = {"dataset": pl.String, "symbol": pl.String, "session": pl.Date}
    found = pl.DataFrame(list(listed), schema=columns, orient="row")
    stored = listed | others
    held = pl.DataFrame(list(stored), schema=columns, orient="row").select("symbol", "session")
    named = {Timeframe.D1: "curated/bars_1d", Timeframe.H1: "curated/bars_1h"}
    touched = [
        (dataset, symbol, session)
        for symbols, timeframes, first, last in _ranges(found, held)
        for dataset, symbol, session in stored
        if symbol in symbols
        and dataset in [named[t] for t in timeframes]
        and first <= session <= last
    ]
    assert sorted(touched) == sorted(listed)


@pytest.mark.usefixtures("scored")
def test_the_command_lists_and_scores_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config"
    copytree(Settings().config_dir, config)
    monkeypatch.setenv("EMP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("EMP_CONFIG_DIR", str(config))
    assert get_outdated_scores().is_empty()
    entry = {"name": "x", "datasets": ["curated/*"], "symbols": ["CCCUSD"], "at_most": 9}
    (config / "expectations.yaml").write_text(yaml.safe_dump({"expectations": [entry]}))
    assert run(["quality", "outdated"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "4 scores were made by other rules than those in force"
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if "AAA" in line
    ]
    assert rows == [["AAA", "curated/bars_1d", "2", str(FIRST), str(LAST)]]
    with pytest.raises(SystemExit) as ended:
        app(["quality", "outdated", "--rescore", "--symbols", "CCCUSD", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert [(row["symbol"], row["session"]) for row in told["outdated"]] == [
        ("CCCUSD", str(day)) for day in (FIRST, LAST)
    ]
    assert told["rescored"] == {"scores": 2, "changed": 0}
    # That of AAA lost the entry that is shipped, and nobody asked for it.
    assert get_outdated_scores()["symbol"].unique().to_list() == ["AAA"]
    assert run(["quality", "outdated", "--rescore"]) == 0
    head, *_, done = capsys.readouterr().out.splitlines()
    assert head.startswith("2 scores ")
    assert done == "2 scored anew, 0 with another score or status"
    assert run(["quality", "outdated"]) == 0
    assert capsys.readouterr().out == "0 scores were made by other rules than those in force\n"
