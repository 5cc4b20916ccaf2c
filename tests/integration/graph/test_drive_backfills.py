"""The sensor drives a backfill through the graph, tick by tick; a dead run is begun again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from adapters.backfill_turns import open_turns
from adapters.clock import FixedClock
from adapters.operations import open_database
from adapters.operations.scope_state import SqlScopeStates
from adapters.rollback import Rollbacks
from adapters.snapshots import open_snapshot, snapshots_folder
from adapters.stores.withdrawals import WithdrawnFetches
from jobs.backfill_job import NAME, backfill_piece_jobs
from jobs.backfill_piece import TAG_TOKEN
from market_data.backfill.estimate import Rates
from market_data.backfill.guards import guarded
from market_data.backfill.plans import BackfillRequest
from market_data.backfill.policy import BackfillPolicy
from market_data.backfill.records import BackfillState, PieceState
from market_data.backfill.window import Window
from market_data.datasets import curated_bars
from market_data.errors import StorageError
from market_data.pipeline.backfill import plan_backfill
from market_data.pipeline.platform import silent
from market_data.timeframes import Timeframe
from resources.platform import PlatformResource
from sensors.backfills import backfill_sensor
from tests.support.graph import Graph, graph

WISH = BackfillRequest(
    "curated/bars_1d", ("DEMO-BTC",), date(2024, 1, 8), date(2024, 3, 8), ("sample_a",)
)


SENSOR = backfill_sensor(BackfillPolicy(), backfill_piece_jobs(dg.Definitions))


class Daemon:
    """Ticks of the sensor, and the runs that they ask for."""

    def __init__(self, house: Graph) -> None:
        self.house = house
        self.resource = house.defs.resources["platform"]
        self.kept = self.resource.operations.open().backfills

    def tick(self) -> list[dg.RunRequest]:
        with dg.build_sensor_context(
            instance=self.house.instance, resources={"platform": self.resource}
        ) as context:
            found = SENSOR(context)
        return list(found.run_requests or ()) if isinstance(found, dg.SensorResult) else []

    def run(self, request: dg.RunRequest) -> bool:
        job = self.house.defs.resolve_job_def(NAME)
        return job.execute_in_process(
            instance=self.house.instance,
            run_config=request.run_config,
            tags=request.tags,
            raise_on_error=False,
        ).success

    def launch(self, snapshot: str = "", *, off_peak: bool = False, **changes: Any) -> str:
        wish = replace(WISH, **changes)
        plan = plan_backfill(self.house.platform, wish, BackfillPolicy(), Rates()).plan
        plan = replace(plan, snapshot=snapshot, off_peak=off_peak)
        return self.kept.add(plan, at=datetime.now(UTC), author="me")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with graph(tmp_path_factory.mktemp("driven")) as house:
        yield Daemon(house)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes pass from tick to tick."""
    opened, passed = PlatformResource.open, count(5, 5)

    def ahead(self: PlatformResource) -> Any:
        now = datetime.now(UTC) + timedelta(minutes=next(passed))
        return replace(opened(self), clock=FixedClock(now))

    monkeypatch.setattr(PlatformResource, "open", ahead)


def test_nothing_under_way_asks_for_nothing(daemon: Daemon) -> None:
    assert daemon.tick() == []


def test_a_piece_is_asked_for_once_and_its_run_settles_it(daemon: Daemon) -> None:
    name = daemon.launch()
    (request,) = daemon.tick()
    assert request.run_key == request.tags[TAG_TOKEN]
    assert daemon.tick() == []
    assert daemon.run(request)
    (piece,) = daemon.kept.get(name).pieces
    assert (piece.state, piece.attempts) == (PieceState.SUCCEEDED, 1)
    made = daemon.house.instance.get_run_by_id(piece.run_id)
    assert made is not None
    assert made.tags["dagster/asset_partition_range_start"] == "2024-01-08"
    assert daemon.tick() == []
    assert daemon.kept.get(name).state is BackfillState.SUCCEEDED
    # The same request once more, as of a second daemon: its claim is over, it does nothing.
    before = daemon.house.instance.get_runs_count()
    assert daemon.run(request)
    assert daemon.house.instance.get_runs_count() == before + 1


def test_what_a_command_drives_is_left_to_it(daemon: Daemon) -> None:
    name = daemon.launch(overwrite_curated=True)
    turns = open_turns(daemon.resource.settings(), None)
    with turns.take(name):
        assert daemon.tick() == []
    daemon.kept.move(name, (BackfillState.RUNNING,), BackfillState.CANCELLING, datetime.now(UTC))
    assert daemon.tick() == []
    assert daemon.kept.get(name).state is BackfillState.CANCELLED


def test_a_piece_that_waited_until_its_window_was_over_begins_in_the_next(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = [True]
    monkeypatch.setattr(Window, "holds", lambda *_: inside[0])
    name = daemon.launch(symbols=("DEMO-GLOBEX",), off_peak=True)
    (request,) = daemon.tick()
    inside[0] = False
    assert daemon.run(request)
    (piece,) = daemon.kept.get(name).pieces
    assert (piece.state, piece.attempts) == (PieceState.WAITING, 0)
    assert daemon.tick() == []
    assert daemon.kept.get(name).state is BackfillState.WAITING
    inside[0] = True
    (request,) = daemon.tick()
    assert daemon.run(request)
    assert daemon.kept.get(name).pieces[0].state is PieceState.SUCCEEDED
    assert daemon.tick() == []


def test_a_run_that_never_came_or_died_is_asked_for_again_and_then_named(
    daemon: Daemon, later: None
) -> None:
    name = daemon.launch(overwrite_curated=True)
    (first,) = daemon.tick()
    # The daemon died before it made the run of the claim.
    (second,) = daemon.tick()
    assert first.run_key != second.run_key
    instance = daemon.house.instance
    run = instance.create_run_for_job(
        daemon.house.defs.resolve_job_def(NAME),
        run_config=second.run_config,
        tags=dict(second.tags),
    )
    # It waits in the queue.
    assert daemon.tick() == []
    assert daemon.kept.get(name).pieces[0].state is PieceState.CLAIMED
    instance.report_run_canceled(run)
    assert daemon.tick() == []
    done = daemon.kept.get(name)
    assert done.state is BackfillState.FAILED
    assert done.reasons() == {"its process ended without a word": 1}
    # A claim that was given up does nothing.
    assert daemon.run(first)
    assert daemon.kept.get(name).pieces[0].state is PieceState.FAILED


def test_a_failure_of_the_piece_is_one_of_its_run(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("emp_assets.curated.bars.curate_sessions", broken)
    name = daemon.launch(overwrite_curated=True)
    (request,) = daemon.tick()
    assert not daemon.run(request)
    assert "the disk is gone" in daemon.kept.get(name).pieces[0].reason
    (again,) = daemon.tick()
    assert not daemon.run(again)
    assert daemon.tick() == []
    assert daemon.kept.get(name).state is BackfillState.FAILED


def test_what_a_sensor_launches_keeps_what_was_there_before_its_first_piece(daemon: Daemon) -> None:
    """And is rolled back like what a person launches."""
    platform = daemon.house.platform
    wish = replace(WISH, symbols=("DEMO-ACME",), last=date(2024, 1, 9), refetch=True)
    plan = plan_backfill(platform, wish, BackfillPolicy(), Rates()).plan
    halves = tuple(replace(plan.pieces[0], number=n) for n in (0, 1))
    launch = guarded(replace(plan, pieces=halves), [], BackfillPolicy(), datetime.now(UTC)).plan
    name = daemon.kept.add(launch, at=datetime.now(UTC), author="fill_after_outages")
    settings = daemon.resource.settings()
    folder = snapshots_folder(settings) / launch.snapshot
    (request,) = daemon.tick()
    assert not folder.exists()
    assert daemon.run(request)
    kept = open_snapshot(folder)
    assert kept.rows == 0
    (request,) = daemon.tick()
    assert daemon.run(request)
    assert open_snapshot(folder).taken_at == kept.taken_at
    assert daemon.tick() == []
    bars = curated_bars(Timeframe.D1)
    assert platform.store.scan(bars, symbols=["DEMO-ACME"]).height == 2
    engine = open_database(daemon.resource.operations.url)
    parts = Rollbacks(
        settings,
        platform,
        daemon.kept,
        SqlScopeStates(engine),
        WithdrawnFetches(daemon.house.settings.lake_root),
        open_turns(settings, None),
        silent,
    )
    assert parts.back(name, []).withdrawn == 2
    engine.dispose()
    assert platform.store.scan(bars, symbols=["DEMO-ACME"]).is_empty()


def test_a_snapshot_that_cannot_be_taken_fails_the_piece_and_nothing_is_done(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("the disk takes no more")

    monkeypatch.setattr("adapters.snapshots.take", full)
    name = daemon.launch(overwrite_curated=True, first=date(2024, 3, 4), snapshot="kept")
    for _ in range(2):
        (request,) = daemon.tick()
        assert not daemon.run(request)
    assert daemon.tick() == []
    done = daemon.kept.get(name)
    assert done.reasons() == {"StorageError: the disk takes no more": 1}
    assert done.pieces[0].outcome == {}
