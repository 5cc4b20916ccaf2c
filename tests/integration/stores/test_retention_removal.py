"""Removing what is older than is kept: only what the raw logs make again, and never silently."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import yaml

from adapters.operations_opening import Operations, open_operations
from adapters.operations_reports import make_reports
from adapters.retention_removal import REPORT, apply_retention, leaving_of
from adapters.settings import PROJECT
from definitions import build_definitions
from emp.cli import run
from jobs.automation.retention import NAME
from market_data.datasets import FLAGS_DATASET, SCORES_DATASET, curated_bars, raw_bars
from market_data.errors import ConfigurationError, StoreUnavailableError
from market_data.failover.state import Decision, Standing
from market_data.operations.data_retention import NAME as RETENTION
from market_data.pipeline.removing import remove
from market_data.ports import BarStore
from market_data.retention.leaving import Removal
from market_data.timeframes import Timeframe
from tests.support.small_world import DAYS, NOW, SYMBOLS, all_told, fill, small_world
from tests.support.worlds import World

BARS = curated_bars(Timeframe.D1)
RULES = [
    {"name": "exception", "datasets": ["curated/bars_1d"], "symbols": ["BBB"]},
    {"name": "bars", "datasets": ["curated/bars_1d"], "keep": "30d"},
    {"name": "scores", "datasets": ["quality/scores"], "keep": "30d"},
]


def configure(world: World, rules: Sequence[dict[str, Any]], at_most: float = 1.0) -> None:
    """Give an installation a policy."""
    policy = {"rules": list(rules), "removal": {"at_most": at_most}}
    (world.settings.config_dir / "retention.yaml").write_text(yaml.safe_dump(policy))


@pytest.fixture
def timescale_store(empty_timescale_url: str) -> Iterator[BarStore]:
    from adapters.timescale.factory import open_connections, open_store
    from adapters.timescale.settings import TimescaleSettings

    opened = open_connections(TimescaleSettings(url=empty_timescale_url))
    yield open_store(opened)
    opened.close()


@pytest.fixture(params=["lake", "timescale"])
def on_both(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """The same on either store."""
    served = request.param == "timescale"
    return housed(tmp_path, request.getfixturevalue("timescale_store") if served else None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An installation in files."""
    return housed(tmp_path, None)


def housed(tmp_path: Path, store: BarStore | None) -> World:
    """Two shares of five days of February, seen so that three of these are older than 30 days."""
    made = small_world(tmp_path, store)
    config = tmp_path / "config"
    config.mkdir()
    for file in (PROJECT / "config").glob("*.yaml"):
        (config / file.name).write_bytes(file.read_bytes())
    (config / "reference").symlink_to(PROJECT / "config" / "reference")
    (config / "formats").symlink_to(PROJECT / "config" / "formats")
    made = World(made.settings.model_copy(update={"config_dir": config}), made.now, store)
    fill(made)
    # The 15th stays: 30 days before the 16th of March.
    return made.later(NOW.replace(month=3, day=16))


def operations(world: World) -> Operations:
    return open_operations(world.settings.local_operations_url)


def sessions(world: World, symbol: str) -> list[date]:
    rows = world.platform.store.scan(BARS, symbols=[symbol])
    return rows["session"].to_list()


ALL = [date.fromisoformat(day) for day in DAYS]


def test_what_is_older_goes_and_comes_back_from_the_raw_log(on_both: World):
    world = on_both
    configure(world, RULES)
    before = all_told(world)
    (bars, scores) = leaving_of(world.settings, world.platform)
    assert (bars.dataset, bars.rows, bars.held) == ("curated/bars_1d", 3, 10)
    assert bars.sessions == (date(2024, 2, 1), date(2024, 2, 14))
    # Of BBB the bars stay, and so do their scores.
    assert (scores.dataset, scores.rows) == ("quality/scores", 3)

    done = apply_retention(world.settings, world.platform, operations(world))
    assert (done.gone, done.kept) == (6, 0)
    assert sessions(world, "AAA") == ALL[3:]
    assert sessions(world, "BBB") == ALL
    left = world.platform.store.scan(SCORES_DATASET)
    assert left.filter(symbol="AAA")["session"].to_list() == ALL[3:]
    assert left.filter(symbol="BBB")["session"].to_list() == ALL
    assert len(before["raw first"]) == len(
        world.platform.raw_log.revisions(raw_bars("first", Timeframe.D1))
    )
    newest, begun = operations(world).reports.newest(REPORT, limit=2)
    assert (begun.body["state"], newest.body["state"]) == ("begun", "done")
    assert newest.body["removed"][0] == {
        "dataset": "curated/bars_1d", "gone": 3, "kept": 0, "first": "2024-02-01",
        "last": "2024-02-14",
    }  # fmt: skip
    # Once more: nothing is left to go, and nothing is told of it.
    assert leaving_of(world.settings, world.platform) == []
    assert apply_retention(world.settings, world.platform, operations(world)).done == ()
    assert len(operations(world).reports.newest(REPORT, limit=9)) == 2

    world.curate("1d", SYMBOLS, DAYS[0], DAYS[-1])
    assert world.platform.store.scan(BARS).equals(before["curated/bars_1d"])


def test_what_the_raw_log_does_not_make_stays_and_is_told(world: World):
    """A bar that is nowhere else is the last of its kind."""
    store = world.platform.store
    rows = store.scan(BARS, symbols=["AAA"], sessions=(ALL[0], ALL[0]))
    lone = rows.with_columns(session=date(2024, 2, 9), ts=pl.col("ts").dt.offset_by("-3d"))
    store.replace(BARS, lone, sessions=(date(2024, 2, 9),) * 2, symbols=["AAA"])
    configure(world, RULES[:2])
    done = apply_retention(world.settings, world.platform, operations(world))
    assert (done.gone, done.kept) == (3, 1)
    assert sessions(world, "AAA") == [date(2024, 2, 9), *ALL[3:]]
    (newest,) = operations(world).reports.newest(REPORT)
    assert newest.status == "warn"
    assert newest.body["removed"][0]["kept"] == 1


def test_flags_and_scores_stay_as_long_as_their_bars(world: World):
    """A bar in error is withheld by its flag: without it, it would be served."""
    store = world.platform.store
    row = {"symbol": "AAA", "session": ALL[0], "dataset": BARS.name, "bar": NOW.replace(month=2)}
    said = {"scope": "bar", "code": "spike", "severity": "error", "found_by": "false_ticks"}
    when = {"digest": 1, "found_at": NOW, "rule_version": "1"}
    flag = FLAGS_DATASET.schema.conform(pl.DataFrame([row | said | when]))
    where = {"sessions": (ALL[0], ALL[0]), "symbols": ["AAA"]}
    store.replace(FLAGS_DATASET, flag, **where)
    judged = [{"name": "judged", "datasets": ["quality/*"], "keep": "30d"}]
    configure(world, judged)
    assert leaving_of(world.settings, world.platform) == []
    asked = [Removal(d, ("AAA",), (ALL[0], ALL[0]), 1) for d in (FLAGS_DATASET, SCORES_DATASET)]
    assert [(r.gone, r.kept) for r in remove(world.platform, asked)] == [(0, 1), (0, 1)]
    assert store.scan(FLAGS_DATASET, **where).height == 1

    configure(world, [*judged, RULES[1]])
    done = apply_retention(world.settings, world.platform, operations(world))
    assert {r.removal.dataset.name: r.gone for r in done.done} == {
        "curated/bars_1d": 6, "quality/scores": 6, "quality/bar_flags": 1,
    }  # fmt: skip
    assert store.scan(FLAGS_DATASET, **where).is_empty()


@pytest.mark.parametrize("dataset", ["features/*", "features/predictions", "marts/*", "*"])
def test_what_nothing_makes_again_is_refused(world: World, dataset: str):
    configure(world, [{"name": "lost", "datasets": [dataset], "keep": "400d"}])
    with pytest.raises(ConfigurationError, match=r"retention\.yaml: .*nothing makes again"):
        leaving_of(world.settings, world.platform)


def test_a_removal_that_stops_says_what_went_and_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    configure(world, RULES)
    store, writes = world.platform.store, 0
    real = type(store).replace

    def dying(self: object, *args: Any, **how: Any) -> int:
        nonlocal writes
        writes += 1
        if writes == 2:
            raise KeyboardInterrupt
        return real(self, *args, **how)

    monkeypatch.setattr(type(store), "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        apply_retention(world.settings, world.platform, operations(world))
    stopped, begun = operations(world).reports.newest(REPORT, limit=9)
    assert (stopped.status, stopped.body["state"]) == ("warn", "stopped")
    assert stopped.body["error"].startswith("KeyboardInterrupt")
    assert [(one["dataset"], one["gone"]) for one in stopped.body["removed"]] == [
        ("curated/bars_1d", 3)
    ]
    assert begun.body["state"] == "begun"
    assert any("curated/bars_1d" in line for line in begun.body["planned"])
    monkeypatch.undo()
    apply_retention(world.settings, world.platform, operations(world))
    assert leaving_of(world.settings, world.platform) == []
    assert sessions(world, "AAA") == ALL[3:]


def test_a_mistyped_policy_empties_no_store(world: World):
    configure(world, RULES, at_most=0.25)
    done = apply_retention(world.settings, world.platform, operations(world))
    assert [f.dataset for f in done.held_back] == ["curated/bars_1d", "quality/scores"]
    assert done.gone == 0
    assert sessions(world, "AAA") == ALL
    assert apply_retention(world.settings, world.platform, operations(world), whole=True).gone == 6


def test_nothing_is_removed_while_the_warehouse_is_away(world: World):
    configure(world, RULES)
    ports = operations(world)
    ports.failover.take(Decision(NOW, Standing.NORMAL, Standing.AWAY, "test"), after=0)
    with pytest.raises(StoreUnavailableError, match="nothing is removed"):
        apply_retention(world.settings, world.platform, ports)
    assert sessions(world, "AAA") == ALL


def test_a_policy_over_raw_logs_is_refused_by_name(world: World):
    configure(world, [{"name": "raw", "datasets": ["raw/*"], "keep": "30d"}])
    with pytest.raises(ConfigurationError, match=r"retention\.yaml: .*kept for good"):
        leaving_of(world.settings, world.platform)


def test_the_command_tells_first(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    configure(world, RULES)
    monkeypatch.setenv("EMP_DATA_DIR", str(world.settings.data_dir))
    monkeypatch.setenv("EMP_CONFIG_DIR", str(world.settings.config_dir))
    # To the system's clock all of it is older.
    assert run(["retention", "plan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["dataset"], one["rows"], one["of"]) for one in told] == [
        ("curated/bars_1d", 5, 10), ("quality/scores", 5, 10),
    ]  # fmt: skip
    assert run(["retention", "apply"]) == 0
    assert "nothing was removed: repeat it with --yes" in capsys.readouterr().out
    assert sessions(world, "AAA") == ALL
    assert run(["retention", "apply", "--yes"]) == 0
    assert "curated/bars_1d 2024-02-01 to 2024-02-29: 5 rows went\n" in capsys.readouterr().out
    assert run(["retention", "plan"]) == 0
    assert capsys.readouterr().out == "nothing is older than is kept\n"
    configure(world, [{"name": "x", "datasets": ["curated/*"], "keep": "30d"}], at_most=0.1)
    assert run(["retention", "apply", "--yes"]) == 1
    assert "--all removes them" in capsys.readouterr().out
    assert sessions(world, "BBB") == ALL


def test_the_job_does_the_same_and_fails_where_it_holds_back(world: World):
    configure(world, RULES[1:])
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions(world.settings).resolve_job_def(NAME)
        done = job.execute_in_process(instance=instance)
        seen = [
            event.event_specific_data.asset_observation.asset_key.to_user_string()  # type: ignore[union-attr]
            for event in done.all_events
            if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        ]
        assert seen == ["curated/bars_1d", "quality/scores"]
        world.curate("1d", SYMBOLS, DAYS[0], DAYS[-1])
        configure(world, RULES[1:], at_most=0.5)
        again = build_definitions(world.settings).resolve_job_def(NAME)
        failed = again.execute_in_process(instance=instance, raise_on_error=False)
        assert not failed.success
        (failure,) = failed.get_failed_step_keys() and failed.filter_events(
            lambda event: event.event_type is dg.DagsterEventType.STEP_FAILURE
        )
        assert "removal.at_most" in str(failure.event_specific_data)


def test_the_report_reads_real_stores(world: World):
    """Somebody keeps the shares current: five days are less than a year."""
    configure(world, [{"name": "a year", "datasets": ["curated/bars_1d"], "symbols": ["AAA"],
                       "target": "365d", "minimum": "300d"}])  # fmt: skip
    seen = world.later(NOW.replace(month=2, day=17))
    seen.load("first", "1d", SYMBOLS, DAYS[-1], DAYS[-1], refetch=True)
    (made,) = make_reports(seen.settings, seen.platform, operations(seen), [RETENTION])
    (row,) = made.body["history"]
    assert (row["symbols"], row["oldest"], row["rows"]) == (1, "2024-02-12", 5)
    assert [r.code for r in made.reasons] == ["history_short"]
