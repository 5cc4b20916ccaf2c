"""Runs of the real graph over the sample vendors: data, check states, failures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml
from dagster import AssetKey

from adapters.settings import PROJECT
from market_data.datasets import SCORES_DATASET, curated_bars
from market_data.pipeline import rescore
from market_data.timeframes import Timeframe
from tests.support.graph import Graph, graph

CHAIN = ["raw/sample_a_bars_1d", "raw/sample_b_bars_1d", "curated/bars_1d", "quality/scores"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Graph]:
    with graph(tmp_path) as made:
        yield made


def failures(result: object) -> list[str]:
    return [e.step_key for e in result.all_events if e.is_step_failure]  # type: ignore[attr-defined]


def symbols_in(world: Graph) -> set[str]:
    return set(world.platform.store.scan(curated_bars(Timeframe.D1))["symbol"])


def test_a_range_lands_and_every_session_has_its_own_state(world: Graph):
    result = world.run(CHAIN, "2024-02-05", "2024-02-09")
    assert result.success, failures(result)
    coverage = world.states("curated/bars_1d", "coverage")
    # Both vendors lack DEMO-EURUSD on the 8th.
    assert coverage.pop("2024-02-08") == "FAILED"
    assert set(coverage.values()) == {"SUCCEEDED"}
    assert len(coverage) == 4
    assert set(world.states("raw/sample_a_bars_1d", "schema").values()) == {"SUCCEEDED"}


def test_a_run_of_one_symbol_lands_and_still_shows_the_missing_one(tmp_path: Path):
    """DEMO-GLOBEX is configured to be held from January on, and nobody asked for it."""
    config = tmp_path / "config"
    config.mkdir()
    universe = yaml.safe_load((PROJECT / "config" / "universe.yaml").read_text())
    for instrument in universe["instruments"]:
        if instrument["symbol"] == "DEMO-GLOBEX":
            instrument["history"] = "2024-01-02"
    (config / "universe.yaml").write_text(yaml.safe_dump(universe))
    (config / "quality.yaml").write_text((PROJECT / "config" / "quality.yaml").read_text())
    with graph(tmp_path, config_dir=config) as world:
        result = world.run(CHAIN, "2024-02-05", "2024-02-07", symbols=["DEMO-ACME"])
        assert result.success, failures(result)
        assert symbols_in(world) == {"DEMO-ACME"}
        assert set(world.states("curated/bars_1d", "coverage").values()) == {"FAILED"}

        world.run(CHAIN, "2024-02-05", "2024-02-07", symbols=["DEMO-GLOBEX"])
        assert symbols_in(world) == {"DEMO-ACME", "DEMO-GLOBEX"}
        assert set(world.states("curated/bars_1d", "coverage").values()) == {"SUCCEEDED"}


def test_a_partial_run_never_turns_a_red_session_green(world: Graph):
    world.run(CHAIN, "2024-02-07", "2024-02-09")
    assert world.states("curated/bars_1d", "coverage")["2024-02-08"] == "FAILED"
    world.run(CHAIN, "2024-02-07", "2024-02-09", symbols=["DEMO-ACME"])
    assert world.states("curated/bars_1d", "coverage")["2024-02-08"] == "FAILED"
    world.run(CHAIN, "2024-02-08", "2024-02-08", symbols=["DEMO-ACME"])
    assert world.states("curated/bars_1d", "coverage")["2024-02-08"] == "FAILED"


def test_a_long_run_marks_what_fails_and_skips_nothing(world: Graph):
    result = world.run(CHAIN, "2024-01-08", "2024-03-15", summary_only=True)
    assert result.success, failures(result)
    coverage = world.states("curated/bars_1d", "coverage")
    assert coverage == {"2024-02-08": "FAILED", "2024-03-15": "SUCCEEDED"}
    # The last record is what the UI shows of a check: that of the newest session.
    told = [
        e
        for e in result.get_asset_check_evaluations()
        if e.check_name == "coverage" and e.asset_key == AssetKey(["curated", "bars_1d"])
    ]
    assert [(e.partition, e.passed) for e in told] == [("2024-02-08", False), ("2024-03-15", True)]
    summary = [
        e
        for e in result.get_asset_check_evaluations()
        if e.check_name == "run_summary" and e.asset_key == AssetKey(["curated", "bars_1d"])
    ]
    assert len(summary) == 1
    assert "2024-02-08" in str(summary[0].metadata["sessions_with_findings"].value)
    # The page itself, with the part about what was found and without those about other codes.
    page = told[0].metadata["runbook"]
    assert isinstance(page, dg.MarkdownMetadataValue)
    assert (page.value or "").startswith("`docs/runbooks/check-coverage.md#no_data`\n\n# Check")
    assert "## no_data" in (page.value or "")
    assert "## row_count" not in (page.value or "")


def test_the_run_fails_when_too_much_of_its_own_data_is_in_error(world: Graph):
    """The session in which neither vendor has DEMO-EURUSD is all that this run asked for."""
    result = world.run(CHAIN, "2024-02-08", "2024-02-08", symbols=["DEMO-EURUSD"])
    assert not result.success
    # What is downstream of the block has not been made.
    assert not result.asset_materializations_for_node("quality__scores")


def test_a_reversed_range_fails_loudly(world: Graph):
    result = world.run(CHAIN[:1], "2024-02-09", "2024-02-05")
    assert not result.success
    assert failures(result)


def test_a_second_run_asks_for_nothing_and_changes_nothing(world: Graph):
    world.run(CHAIN, "2024-02-05", "2024-02-09")
    store = world.platform.store
    before, versions = (
        store.scan(curated_bars(Timeframe.D1)),
        store.history(curated_bars(Timeframe.D1)),
    )
    again = world.run(CHAIN, "2024-02-05", "2024-02-09")
    assert again.success
    raw = again.asset_materializations_for_node("raw__sample_a_bars_1d")
    assert raw[0].metadata["requests"].value == 0
    assert store.scan(curated_bars(Timeframe.D1)).equals(before)
    assert len(store.history(curated_bars(Timeframe.D1))) == len(versions)


def test_an_unknown_symbol_is_refused_before_anything_is_asked(world: Graph):
    result = world.run(CHAIN[:1], "2024-02-05", "2024-02-06", symbols=["NOBODY"])
    assert not result.success
    assert world.platform.journal.runs() == []


def test_what_the_materialisation_shows(world: Graph):
    result = world.run(CHAIN, "2024-02-05", "2024-02-09")
    (curated, *_) = result.asset_materializations_for_node("curated__bars_1d")
    assert curated.metadata["rows"].value == 19
    assert "totals" in curated.metadata["sessions"].value
    assert "█" in curated.metadata["coverage_heat_map"].value
    assert curated.metadata["first_rows"].records
    assert "DEMO-ACME" in curated.metadata["symbols"].value


def test_scores_by_other_rules_are_counted_of_the_sessions_of_a_run(
    world: Graph, monkeypatch: pytest.MonkeyPatch
):
    chain = [CHAIN[0], *CHAIN[2:]]
    assert world.run(chain, "2024-02-05", "2024-02-06", symbols=["DEMO-ACME"]).success
    scored = world.platform.store.scan(SCORES_DATASET).group_by("session").len()
    assert scored.height == 2
    monkeypatch.setattr(rescore, "rules_in_force", lambda _: pl.lit("newer"))
    again = world.run(CHAIN[3:], "2024-02-06", "2024-02-06", symbols=["DEMO-ACME"])
    (made,) = again.asset_materializations_for_node("quality__scores")
    (rows,) = scored.filter(session=date(2024, 2, 6))["len"]
    assert made.metadata["scores_by_other_rules"].value == rows
