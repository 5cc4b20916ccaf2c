"""A rollback of a backfill that made features: every stored dataset is what it was, bit for bit.

The backfill lies in the middle of what is stored: flags and labels before its sessions change with
it, and features, regimes, and what is made of them after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.backfill_turns import open_turns
from adapters.operations import SqlBackfills, open_database
from adapters.operations.scope_state import SqlScopeStates
from adapters.rollback import Rollbacks
from adapters.snapshots import snapshots_folder, take
from adapters.stores.withdrawals import WithdrawnFetches
from market_data.backfill.estimate import Estimate
from market_data.backfill.plans import BackfillPlan, BackfillRequest, Piece
from market_data.backfill.reach import reach_of
from market_data.backfill.records import BackfillState, PieceState
from market_data.backfill.scope import Stored
from market_data.calendars import trading_sessions
from market_data.datasets import FEATURES, FLAGS_DATASET, REGIME_STATS_DATASET, STORED
from market_data.features.registry import Kind, bar_groups, group_for
from market_data.pipeline.feature_context import (
    make_confluence,
    make_macro_context,
    make_regime_stats,
)
from market_data.pipeline.features import make_features
from market_data.pipeline.ingest import ingest
from market_data.pipeline.kept_flags import Scored, keep_flags
from market_data.pipeline.planning import IngestRequest
from market_data.pipeline.platform import Platform, silent
from market_data.pipeline.score import score_range
from market_data.ports import BarStore
from market_data.timeframes import Timeframe
from tests.support.small_world import NOW, SYMBOLS, small_world, write_files
from tests.support.worlds import World

D1 = Timeframe.D1
BEGIN, END = date(2023, 11, 1), date(2024, 2, 28)
FIRST, LAST = date(2024, 1, 16), date(2024, 1, 26)
LATER = NOW + timedelta(hours=1)
AFTER = LATER + timedelta(hours=1)
RUN = "a-run-of-the-backfill"
Told = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class House:
    """An installation of two shares whose daily bars, scores and features are all made."""

    folder: Path
    world: World
    parts: Rollbacks

    @property
    def platform(self) -> Platform:
        return self.world.later(LATER).platform

    def told(self) -> Told:
        return {dataset.name: self.platform.store.scan(dataset) for dataset in STORED}

    def work(self, run: str, first: date, last: date, *, refetch: bool = True) -> None:
        """What a run over daily bars makes, features too."""
        request = IngestRequest("first", D1, SYMBOLS, first, last, refetch=refetch, run_id=run)
        ingest(self.platform, request, self.platform.vendors.open("first"))
        self.world.later(LATER).curate("1d", SYMBOLS, first, last)
        score_range(self.platform, SYMBOLS, first, last)
        self.features(first, last)

    def features(self, first: date, last: date) -> None:
        make_features(self.platform, bar_groups(D1), SYMBOLS, first, last)
        for make in (make_confluence, make_macro_context, make_regime_stats):
            make(self.platform, SYMBOLS, first, last)

    def backfill(self, *, spoilt: float) -> str:
        """Launch and run a backfill whose vendor says other prices than it did."""
        plan = plan_of("kept")
        folder = snapshots_folder(self.world.settings) / "kept"
        take(self.platform, self.parts.states, plan, folder, silent)
        name = self.parts.kept.add(plan, at=LATER, author="me")
        write_files(self.folder, "first", prices(spoilt))
        assert self.parts.kept.claim(name, 0, "token", LATER)
        assert self.parts.kept.started(name, 0, "token", RUN)
        self.work(RUN, FIRST, LAST)
        assert self.parts.kept.settle(name, 0, "token", PieceState.SUCCEEDED, at=LATER)
        running, done = [BackfillState.RUNNING], BackfillState.SUCCEEDED
        assert self.parts.kept.move(name, running, done, LATER)
        return name


def plan_of(snapshot: str = "") -> BackfillPlan:
    request = BackfillRequest("curated/bars_1d", SYMBOLS, FIRST, LAST, ("first",), refetch=True)
    piece = Piece(0, D1, FIRST, LAST, SYMBOLS, {"first": SYMBOLS}, features=True)
    return BackfillPlan(request, (piece,), 0, 0, Estimate(0.0, 1.0), snapshot=snapshot)


def prices(spoilt: float = 1.0) -> dict[str, float]:
    """A wave; within the range so many times as much."""
    days = trading_sessions("XNYS", BEGIN, END)["session"].to_list()
    wave = {day: 100.0 + 7.0 * ((n * n) % 11) / 11 for n, day in enumerate(days)}
    wave |= {day: price * spoilt for day, price in wave.items() if FIRST <= day <= LAST}
    return {day.isoformat(): round(price, 4) for day, price in wave.items()}


@pytest.fixture(params=["lake", "timescale"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    store: BarStore | None = None
    if request.param == "timescale":
        store = request.getfixturevalue("timescale_store")
    yield from housed(tmp_path, store)


@pytest.fixture
def in_files(tmp_path: Path) -> Iterator[House]:
    yield from housed(tmp_path, None)


def housed(tmp_path: Path, store: BarStore | None) -> Iterator[House]:
    world = small_world(tmp_path, store)
    write_files(tmp_path, "first", prices())
    engine = open_database(world.settings.local_operations_url)
    parts = Rollbacks(
        world.settings,
        world.later(AFTER).platform,
        SqlBackfills(engine),
        SqlScopeStates(engine),
        WithdrawnFetches(world.settings.lake_root),
        open_turns(world.settings, None),
        silent,
    )
    world.load_and_curate("first", "1d", SYMBOLS, BEGIN, END)
    score_range(world.platform, SYMBOLS, BEGIN, END)
    built = House(tmp_path, world, parts)
    built.features(BEGIN, END)
    yield built
    engine.dispose()


@pytest.fixture
def timescale_store(empty_timescale_url: str) -> Iterator[BarStore]:
    from adapters.timescale.factory import open_connections, open_store
    from adapters.timescale.settings import TimescaleSettings

    opened = open_connections(TimescaleSettings(url=empty_timescale_url))
    yield open_store(opened)
    opened.close()


def same(ours: Told, theirs: Told) -> None:
    for name, frame in ours.items():
        assert_frame_equal(frame, theirs[name], check_exact=True)


def changed_outside(before: Told, now: Told) -> set[str]:
    """Datasets that have other rows than before outside of the sessions of the backfill."""
    beside = ~pl.col("session").is_between(FIRST, LAST)
    return {
        name
        for name, frame in before.items()
        if "session" in frame.columns and not frame.filter(beside).equals(now[name].filter(beside))
    }


def test_every_dataset_is_what_it_was_and_forth_again(house: House) -> None:
    before = house.told()
    made = {"curated/bars_1d", "quality/scores", REGIME_STATS_DATASET.name}
    made |= {FEATURES[group.key].name for group in bar_groups(D1)}
    assert made <= {name for name, frame in before.items() if frame.height}
    backfill = house.backfill(spoilt=9.0)
    spoilt = house.told()
    # Its volumes are those of before.
    beside = {FEATURES[g.key].name for g in bar_groups(D1) if g.kind is not Kind.VOLUME}
    beside |= {REGIME_STATS_DATASET.name, FEATURES[group_for(Kind.CONFLUENCE).key].name}
    assert changed_outside(before, spoilt) >= beside | {FLAGS_DATASET.name, "quality/scores"}
    said = json.loads((snapshots_folder(house.world.settings) / "kept/snapshot.json").read_text())
    assert {item["dataset"] for item in said["slices"]} >= beside | made
    house.parts.back(backfill, [])
    same(house.told(), before)
    house.parts.forth(backfill)
    same(house.told(), spoilt)


def test_what_others_made_after_the_range_stays_and_knows_nothing_of_it(in_files: House) -> None:
    """The daily run adds a session whose averages reach back into those of the backfill."""
    house = in_files
    backfill = house.backfill(spoilt=9.0)
    later = date(2024, 2, 29)
    write_files(house.folder, "first", {**prices(9.0), later.isoformat(): 104.0})
    house.work("the daily run", later, later, refetch=False)
    house.parts.back(backfill, [])
    found = house.told()
    house.features(FIRST, later)
    score_range(house.platform, SYMBOLS, FIRST, later)
    clean = house.told()
    for name in (g.dataset for g in bar_groups(D1)):
        assert found[name].filter(session=later).height == len(SYMBOLS)
        assert_frame_equal(found[name], clean[name], rel_tol=1e-9)
    assert found["quality/scores"].filter(session=later).height == len(SYMBOLS)
    assert_frame_equal(found[FLAGS_DATASET.name], clean[FLAGS_DATASET.name])


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.H1, D1])
def test_flags_are_found_anew_within_the_reach(tmp_path: Path, timeframe: Timeframe) -> None:
    world = small_world(tmp_path)
    whole = keep_flags(
        world.platform, SYMBOLS, Scored((FIRST, LAST)), held=[timeframe], chosen=[timeframe]
    )
    (slice_,) = [s for s in reach_of(plan_of()) if s.dataset == FLAGS_DATASET]
    assert slice_.sessions[0] <= whole[0] <= whole[1] <= slice_.sessions[1]


def test_pieces_beside_each_other_keep_nothing_twice() -> None:
    plan = plan_of()
    (piece,) = plan.pieces
    more = Piece(1, D1, LAST + timedelta(days=1), date(2024, 3, 29), SYMBOLS[:1], features=True)
    slices = reach_of(BackfillPlan(plan.request, (piece, more), 0, 0, plan.estimate))
    held = [(s.dataset.name, symbol, s.sessions) for s in slices for symbol in s.symbols]
    assert len({key[:2] for key in held}) == len(held)
    assert _sessions(slices, "curated/bars_1d", SYMBOLS[0]) == (FIRST, date(2024, 3, 29))
    assert _sessions(slices, "curated/bars_1d", SYMBOLS[1]) == (FIRST, LAST)


def _sessions(slices: tuple[Stored, ...], name: str, symbol: str) -> tuple[date, date]:
    (found,) = [s.sessions for s in slices if s.dataset.name == name and symbol in s.symbols]
    return found
