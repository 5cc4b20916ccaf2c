"""Commands of failover: a drill changes nothing but its report, restore makes what was missed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml

from adapters.failover_drill import drill
from adapters.operations_opening import open_operations
from adapters.stores import delta_bar_store
from definitions import build_definitions
from emp.cli import run as command
from jobs.ranged_run import bars_selection, execute
from market_data.datasets import FEATURES, curated_bars
from market_data.errors import ConfigurationError, StoreUnavailableError
from market_data.failover.drill import Drill, Step
from market_data.failover.policy import DrillRules
from market_data.failover.state import MissedSlice
from market_data.features.registry import Kind, group_for
from market_data.operations.grades import Grade
from market_data.timeframes import Timeframe
from tests.support.worlds import World

NOW = datetime(2024, 1, 20, tzinfo=UTC)
SYMBOLS = ("DEMO-ACME", "DEMO-BTC")


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World.at(tmp_path, NOW)
    found.load("sample_a", "1d", SYMBOLS, "2024-01-08", "2024-01-12")
    return found


def test_a_drill_finds_what_was_fetched_whole_again(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EMP_DATA_DIR", str(world.settings.data_dir))
    assert command(["failover", "drill", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "ok"
    assert told["slices"] == ["curated/bars_1d 2024-01-08 to 2024-01-12: DEMO-ACME, DEMO-BTC"]
    assert told["rows"] == 10
    assert 0 < told["recovery_seconds"] < 60
    assert [step["ok"] for step in told["steps"]] == [True] * 7
    # Beside the warehouse, which holds nothing yet.
    assert world.platform.store.scan(curated_bars(Timeframe.D1)).is_empty()
    operations = open_operations(world.settings.local_operations_url)
    (kept,) = operations.reports.newest("failover_drill")
    assert (kept.status, kept.body["recovery_seconds"]) == ("ok", told["recovery_seconds"])
    assert (operations.failover.decisions(), operations.failover.newest()) == ([], [])
    assert command(["failover", "status"]) == 0
    assert "no server that may be away" in capsys.readouterr().out


def test_a_command_makes_what_was_missed_where_no_daemon_runs(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EMP_DATA_DIR", str(world.settings.data_dir))
    # Records of runs on disk are nothing that this is about.
    monkeypatch.setattr("emp.instance.open_instance", lambda _: dg.DagsterInstance.ephemeral())
    daily, days = curated_bars(Timeframe.D1), (date(2024, 1, 9), date(2024, 1, 11))
    failover = open_operations(world.settings.local_operations_url).failover
    failover.note(MissedSlice(daily.name, Timeframe.D1, SYMBOLS, *days, "", NOW))
    assert command(["failover", "restore", "--dry-run"]) == 0
    assert "waits" in capsys.readouterr().out
    assert world.platform.store.scan(daily).is_empty()
    assert command(["failover", "restore"]) == 0
    told = capsys.readouterr()
    assert "every missed slice is whole" in told.out
    assert "missed slice 1 is whole: 6 rows" in told.err
    (whole,) = failover.newest()
    assert (whole.attempts, whole.rows) == (1, 6)
    assert whole.digest_lake == whole.digest_store != ""
    assert world.platform.store.scan(daily).height == 6
    # Nothing is left to make, and nothing is made twice.
    assert command(["failover", "restore"]) == 0
    assert failover.newest() == [whole]


def test_features_that_were_missed_are_made_behind_their_bars(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EMP_DATA_DIR", str(world.settings.data_dir))
    monkeypatch.setattr("emp.instance.open_instance", lambda _: dg.DagsterInstance.ephemeral())
    days = (date(2024, 1, 9), date(2024, 1, 10))
    failover = open_operations(world.settings.local_operations_url).failover
    for dataset in (MADE, BARS):
        failover.note(MissedSlice(dataset, Timeframe.D1, SYMBOLS, *days, "", NOW))
    assert command(["failover", "restore"]) == 0
    bars, made = failover.newest()
    assert (bars.rows, bars.attempts, made.attempts) == (4, 1, 1)
    # Five groups of the bars, confluence and macro context; no market is in a regime yet.
    assert made.rows == 7 * bars.rows
    assert made.digest_lake == made.digest_store != ""
    stored = FEATURES[group_for(Kind.PRICE, Timeframe.D1).key]
    assert world.platform.store.scan(stored)["session"].unique().sort().to_list() == [*days]


BARS, SCORED, MADE = "curated/bars_1d", "quality/scores", "features/bars_1d"


@pytest.mark.parametrize(
    ("place", "noted"),
    [
        ("curated.bars.curate_sessions", {BARS, MADE}),
        ("curated.bars.inspect_curated", {BARS, MADE}),
        ("quality.scores.score_range", {SCORED, MADE}),
        ("features.bar_features.make_features", {MADE}),
        ("marts.regime_stats.make_regime_stats", {MADE}),
    ],
)
def test_a_step_without_its_store_notes_what_its_run_would_have_made(
    world: World, monkeypatch: pytest.MonkeyPatch, place: str, noted: set[str]
):
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("no server answers")

    monkeypatch.setattr(f"emp_assets.{place}", away)
    days = (date(2024, 1, 10), date(2024, 1, 10))
    chosen = bars_selection(Timeframe.D1, [], days, symbols=SYMBOLS, features=True)
    with dg.DagsterInstance.ephemeral() as instance:
        assert not execute(build_definitions(world.settings), instance, chosen)
    found = open_operations(world.settings.local_operations_url).failover.open()
    assert {missed.dataset for missed in found} == noted
    assert {(missed.symbols, missed.sessions) for missed in found} == {(SYMBOLS, days)}


def test_a_store_that_loses_rows_fails_the_drill(world: World, monkeypatch: pytest.MonkeyPatch):
    whole = delta_bar_store.DeltaBarStore.replace

    def loses(self: delta_bar_store.DeltaBarStore, dataset, frame, **more):
        if dataset.name == "curated/bars_1d":
            frame = frame.head(frame.height - 1)
        return whole(self, dataset, frame, **more)

    monkeypatch.setattr(delta_bar_store.DeltaBarStore, "replace", loses)
    done = drill(world.settings, world.platform)
    assert done.grade is Grade.FAIL
    failed = [step.what for step in done.steps if not step.ok]
    assert failed == [
        "none is lost, none is doubled",
        "digests and scores agree",
        "the policy ends the failover",
    ]


def test_a_policy_that_never_decides_fails_the_drill(world: World, tmp_path: Path):
    folder = tmp_path / "config"
    folder.mkdir()
    # Looks are half a minute apart: none of them would follow from the one before.
    (folder / "failover.yaml").write_text(yaml.safe_dump({"trigger": {"longest_gap": "10s"}}))
    settings = world.settings.model_copy(update={"config_dir": folder})
    done = drill(settings, world.platform)
    assert "the policy counts the warehouse as away: no decision" in [r.text for r in done.reasons]


def test_a_drill_needs_something_that_was_fetched(tmp_path: Path):
    empty = World.at(tmp_path, NOW)
    with pytest.raises(ConfigurationError, match="no bars were fetched lately"):
        drill(empty.settings, empty.platform)


def test_a_slow_recovery_is_told():
    fast = Drill(NOW, ["one"], 10, 300.0, 2.0, [Step("a", "b", ok=True)], DrillRules())
    slow, too_slow = (replace(fast, recovery_seconds=s) for s in (400.0, 4000.0))
    assert [d.grade for d in (fast, slow, too_slow)] == [Grade.OK, Grade.WARN, Grade.FAIL]
    assert slow.reasons[0].text == "the recovery took 400.0 s, more than 300 s"
    assert "| a | b | ok |" in fast.to_markdown()
