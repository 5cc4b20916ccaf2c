"""Rolling a backfill back, in both stores: readers see what they saw, and nothing brings it back.

The backfill asks a vendor again whose files have changed meanwhile.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from adapters.backfill_turns import open_turns
from adapters.operations import SqlBackfills, open_database
from adapters.operations.scope_state import SqlScopeStates
from adapters.rollback import Rollbacks
from adapters.sides import copying_alone
from adapters.snapshots import ensure, open_snapshot, remove_old, snapshots_folder, take
from adapters.stores.withdrawals import WithdrawnFetches
from market_data.backfill.estimate import Estimate
from market_data.backfill.plans import BackfillPlan, BackfillRequest, Piece
from market_data.backfill.records import BackfillState, PieceState
from market_data.datasets import STORED, raw_bars
from market_data.errors import ConfigurationError, CopyMismatchError
from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.pipeline.platform import silent
from market_data.pipeline.score import score_range
from market_data.ports import BarStore
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from tests.support.small_world import (
    DAYS,
    NOW,
    SYMBOLS,
    all_told,
    fill,
    small_world,
    write_files,
)
from tests.support.warm_python import run_python
from tests.support.worlds import World

LATER = NOW + timedelta(hours=1)
AFTER = LATER + timedelta(minutes=30)
FIRST, LAST = date(2024, 2, 12), date(2024, 2, 16)
RUN = "a-run-of-the-backfill"
SPOILT = dict.fromkeys(DAYS[1:4], 60.0)
NEW_DAYS = {"2024-02-20": 61.0, "2024-02-21": 62.0}


@dataclass(frozen=True)
class House:
    """An installation, what it told before a backfill, and the parts of a rollback."""

    folder: Path
    world: World
    engine: sa.Engine

    def at(self, now: datetime) -> World:
        return World(self.world.settings, now, self.world.store)

    def rollbacks(self, now: datetime = LATER) -> Rollbacks:
        settings = self.world.settings
        return Rollbacks(
            settings,
            self.at(now).platform,
            SqlBackfills(self.engine),
            SqlScopeStates(self.engine),
            WithdrawnFetches(settings.lake_root),
            open_turns(settings, None),
            silent,
        )

    def told(self, now: datetime = LATER) -> dict[str, pl.DataFrame]:
        return all_told(self.at(now))


@pytest.fixture(params=["lake", "timescale"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    store: BarStore | None = None
    if request.param == "timescale":
        store = request.getfixturevalue("timescale_store")
    yield from housed(tmp_path, store)


@pytest.fixture
def in_files(tmp_path: Path) -> Iterator[House]:
    yield from housed(tmp_path, None)


def housed(folder: Path, store: BarStore | None) -> Iterator[House]:
    world = small_world(folder, store)
    fill(world)
    engine = open_database(world.settings.local_operations_url)
    yield House(folder, world, engine)
    engine.dispose()


@pytest.fixture
def timescale_store(empty_timescale_url: str) -> Iterator[BarStore]:
    from adapters.timescale.factory import open_connections, open_store
    from adapters.timescale.settings import TimescaleSettings

    opened = open_connections(TimescaleSettings(url=empty_timescale_url))
    yield open_store(opened)
    opened.close()


def plan_of(last: date = date(2024, 2, 21), snapshot: str = "") -> BackfillPlan:
    request = BackfillRequest("curated/bars_1d", SYMBOLS, FIRST, last, ("first",), refetch=True)
    piece = Piece(0, Timeframe.D1, FIRST, last, SYMBOLS, {"first": SYMBOLS}, symbol_sessions=14)
    return BackfillPlan(request, (piece,), 0, 0, Estimate(0.0, 1.0), snapshot=snapshot)


def launch(house: House, at: datetime = LATER, name: str = "kept") -> str:
    """Take the snapshot and keep the backfill, as a launch does."""
    parts = house.rollbacks(at)
    plan = plan_of(snapshot=name)
    folder = snapshots_folder(house.world.settings) / name
    take(parts.platform, parts.states, plan, folder, silent)
    return parts.kept.add(plan, at=at, author="me")


def perform(house: House, backfill: str, at: datetime = LATER, run: str = RUN) -> None:
    """The backfill's one piece, with the vendor's files as they are now."""
    kept = house.rollbacks().kept
    assert kept.claim(backfill, 0, "token", at)
    assert kept.started(backfill, 0, "token", run)
    work(house, "first", at, run)
    assert kept.settle(backfill, 0, "token", PieceState.SUCCEEDED, at=at)
    assert kept.move(backfill, [BackfillState.RUNNING], BackfillState.SUCCEEDED, at)


def work(house: House, vendor: str, at: datetime, run: str, last: str = "2024-02-21") -> None:
    world = house.at(at)
    request = IngestRequest(
        vendor, Timeframe.D1, SYMBOLS, FIRST, date.fromisoformat(last), refetch=True, run_id=run
    )
    ingest(world.platform, request, world.platform.vendors.open(vendor))
    world.curate("1d", SYMBOLS, FIRST, last)
    score_range(world.platform, SYMBOLS, FIRST, date.fromisoformat(last))


def spoil(house: House) -> None:
    """The vendor says other prices of three days, something impossible of one, and two new days."""
    write_files(house.folder, "first", {**dict.fromkeys(DAYS, 50.0), **SPOILT, **NEW_DAYS})
    file = house.folder / "first" / "AAA.csv"
    file.write_text(file.read_text().replace("2024-02-21,61.5,63.0", "2024-02-21,61.5,3.0"))


def same(ours: dict[str, pl.DataFrame], theirs: dict[str, pl.DataFrame]) -> None:
    assert ours.keys() == theirs.keys()
    for name, frame in ours.items():
        assert_frame_equal(frame, theirs[name], check_exact=True)


def differs(ours: dict[str, pl.DataFrame], theirs: dict[str, pl.DataFrame]) -> set[str]:
    return {name for name, frame in ours.items() if not frame.equals(theirs[name])}


def test_back_and_forth_and_never_back_by_itself(house: House) -> None:
    before = house.told()
    backfill = launch(house)
    same(house.told(), before)
    spoil(house)
    perform(house, backfill)
    spoilt = house.told()
    assert differs(spoilt, before) >= {
        *("curated/bars_1d", "quality/scores", "raw first", "ledger", "quarantine"),
        *("read", "as of"),
    }
    raw = house.at(LATER).platform.raw_log
    dry = house.rollbacks().look(backfill, [])
    stored = sum(before[d.name].height for d in STORED)
    assert (dry.done, dry.rows, dry.fetches) == (False, stored, 1)
    same(house.told(), spoilt)

    done = house.rollbacks(AFTER).back(backfill, [])
    assert (done.state, done.done) == (BackfillState.ROLLED_BACK, True)
    assert (done.withdrawn, done.made_anew) == (10, 0)
    same(house.told(), before)
    assert house.rollbacks(AFTER).back(backfill, []).done is False
    # No later curation brings it back, nothing is asked again that was known, and no row is gone.
    house.at(LATER).curate("1d", SYMBOLS, FIRST, LAST)
    same(
        {n: house.told()[n] for n in ("curated/bars_1d", "read")},
        {n: before[n] for n in ("curated/bars_1d", "read")},
    )
    shutil.rmtree(house.world.settings.lake_root / "withdrawals")
    assert house.at(LATER).platform.raw_log.revisions(raw_bars("first", Timeframe.D1)).height == (
        spoilt["raw first"].height
    )
    WithdrawnFetches(house.world.settings.lake_root).withdraw(
        backfill, {"raw/first_bars_1d": [_fetch(spoilt, before)]}
    )
    assert raw.revisions(raw_bars("first", Timeframe.D1)).equals(before["raw first"])

    undone = house.rollbacks(AFTER).forth(backfill)
    assert (undone.state, undone.made_anew) == (BackfillState.SUCCEEDED, 0)
    same(house.told(), spoilt)
    with pytest.raises(ConfigurationError, match="no rollback to undo"):
        house.rollbacks(AFTER).forth(backfill)
    house.rollbacks(AFTER).back(backfill, [])
    same(house.told(), before)
    # The vendor is right after all: the same backfill again is heard.
    again = launch(house, LATER + timedelta(hours=1), "again")
    perform(house, again, LATER + timedelta(hours=2), "another run")
    closes = house.told()["read"].filter(pl.col("session") == date(2024, 2, 13))["close"]
    assert closes.to_list() == [60.0, 60.0]


def _fetch(spoilt: dict[str, pl.DataFrame], before: dict[str, pl.DataFrame]) -> str:
    (name,) = set(spoilt["raw first"]["fetch_id"]) - set(before["raw first"]["fetch_id"])
    return name


def test_what_others_fetched_meanwhile_stays(house: House) -> None:
    backfill = launch(house)
    spoil(house)
    perform(house, backfill)
    # Another vendor's day comes by the daily run.
    write_files(house.folder, "second", {**dict.fromkeys(DAYS, 50.0), "2024-02-20": 51.0})
    at = LATER + timedelta(hours=1)
    work(house, "second", at, "the daily run", last="2024-02-20")
    done = house.rollbacks(at).back(backfill, [])
    assert done.made_anew == 12
    found = house.told(at)
    day = found["read"].filter(pl.col("session") == date(2024, 2, 20))
    assert day.select("source", "close").unique().rows() == [("second", 51.0)]
    assert found["raw second"].height == 12
    assert found["read"].filter(pl.col("session") > date(2024, 2, 20)).is_empty()
    scored = found["quality/scores"].filter(pl.col("session") == date(2024, 2, 20))
    assert scored.height == 2


def test_a_fetch_that_is_at_work_at_this_moment_is_not_withdrawn(in_files: House) -> None:
    house = in_files
    backfill = launch(house)
    spoil(house)
    perform(house, backfill)
    prices = {**dict.fromkeys(DAYS, 50.0), **SPOILT, **NEW_DAYS, "2024-02-21": 70.0}
    write_files(house.folder, "first", prices)
    at = LATER + timedelta(hours=1)
    work(house, "first", at, "the daily run")
    # Its rows lie in the log already; it has not put down that it fetched them yet.
    with house.engine.begin() as connection:
        gone = connection.execute(
            sa.text("delete from ingest_journal where run_id = :run"), {"run": "the daily run"}
        )
    assert gone.rowcount == 1
    house.rollbacks(at).back(backfill, [])
    day = house.told(at)["read"].filter(pl.col("session") == date(2024, 2, 21))
    assert day["close"].to_list() == [70.0, 70.0]


KILL = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from adapters import rollback
from adapters.backend import open_platform
from adapters.backfill_turns import open_turns
from adapters.clock import FixedClock
from adapters.operations import SqlBackfills, open_database
from adapters.operations.scope_state import SqlScopeStates
from adapters.settings import Settings
from adapters.stores.withdrawals import WithdrawnFetches
from market_data.pipeline.platform import silent

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

where, way, backfill = sys.argv[2:]
if where == "state":
    SqlScopeStates.put_back = die
elif where == "take":
    rollback.take = die
elif where == "stores":
    put = rollback.put_slices_back
    rollback.put_slices_back = lambda p, k, s, t, **how: (put(p, k, list(s)[:1], t), die())
settings = Settings(data_dir=Path(sys.argv[1]))
engine = open_database(settings.local_operations_url)
parts = rollback.Rollbacks(
    settings,
    open_platform(settings, clock=FixedClock(datetime(2024, 3, 1, 13, tzinfo=UTC))),
    SqlBackfills(engine),
    SqlScopeStates(engine),
    WithdrawnFetches(settings.lake_root),
    open_turns(settings, None),
    silent,
)
parts.back(backfill, []) if way == "back" else parts.forth(backfill)
"""


def test_a_rollback_that_was_killed_is_finished_by_the_same_again(in_files: House) -> None:
    house = in_files
    before = house.told()
    backfill = launch(house)
    spoil(house)
    perform(house, backfill)
    spoilt = house.told()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMP_", "DAGSTER_"))}

    def killed(where: str, way: str) -> None:
        words = [str(house.world.settings.data_dir), where, way, backfill]
        done = run_python(["-c", KILL, *words], env=clean)
        assert done.returncode == -9, done.stderr[-2000:]

    killed("take", "back")
    same(house.told(), spoilt)
    for where in ("state", "stores"):
        killed(where, "back")
    state = house.rollbacks().kept.get(backfill).state
    assert state is BackfillState.ROLLING_BACK
    house.rollbacks().back(backfill, [])
    same(house.told(), before)
    killed("stores", "forth")
    house.rollbacks().forth(backfill)
    same(house.told(), spoilt)
    # One that was killed on its way back may also be taken back.
    killed("stores", "back")
    house.rollbacks().forth(backfill)
    same(house.told(), spoilt)


def test_what_stands_in_the_way_is_named(in_files: House) -> None:
    house = in_files
    parts = house.rollbacks()
    bare = parts.kept.add(plan_of(), at=LATER, author="me")
    with pytest.raises(ConfigurationError, match="is running; 'emp backfill cancel"):
        parts.back(bare, [])
    parts.kept.move(bare, [BackfillState.RUNNING], BackfillState.CANCELLING, LATER)
    with pytest.raises(ConfigurationError, match="being cancelled: the piece at work ends first"):
        parts.back(bare, [])
    parts.kept.move(bare, [BackfillState.CANCELLING], BackfillState.CANCELLED, LATER)
    with pytest.raises(ConfigurationError, match="without a snapshot"):
        parts.back(bare, [])
    backfill = launch(house, LATER + timedelta(minutes=1))
    spoil(house)
    perform(house, backfill)
    with parts.turns.take(backfill, 0), pytest.raises(ConfigurationError, match="at work still"):
        parts.back(backfill, [])
    with parts.turns.take(backfill), pytest.raises(ConfigurationError, match="another process"):
        parts.back(backfill, [])
    later = launch(house, LATER + timedelta(minutes=2), "later")
    with pytest.raises(ConfigurationError, match=f"later backfills .*: {later}; roll them back"):
        parts.back(backfill, [])
    perform(house, later, LATER + timedelta(minutes=3), "another")
    parts.back(later, [])
    parts.back(backfill, [])
    assert remove_old(house.world.settings, timedelta(days=1), datetime.now(UTC), ()) == [
        "kept",
        "later",
    ]
    with pytest.raises(ConfigurationError, match="is gone"):
        parts.forth(backfill)
    third = launch(house, LATER + timedelta(minutes=4), "third")
    perform(house, third)
    over = parts.kept.add(plan_of(), at=LATER + timedelta(minutes=5), author="me")
    with pytest.raises(ConfigurationError, match=f"nothing rolls {over} back, .*: a backup of"):
        parts.back(third, [])


def test_a_snapshot_that_has_lost_rows_removes_nothing(in_files: House) -> None:
    """What it lacks would be put back as nothing."""
    house = in_files
    backfill = launch(house)
    spoil(house)
    perform(house, backfill)
    spoilt = house.told()
    kept = snapshots_folder(house.world.settings) / "kept" / "warehouse"
    shutil.rmtree(kept / "curated")
    with pytest.raises(CopyMismatchError, match="nothing is put back"):
        house.rollbacks().back(backfill, [])
    same(house.told(), spoilt)
    assert house.rollbacks().kept.get(backfill).state is BackfillState.SUCCEEDED


def test_no_snapshot_goes_while_a_rollback_needs_it(in_files: House) -> None:
    house, settings = in_files, in_files.world.settings
    late, month = datetime.now(UTC), timedelta(days=30)
    backfill = launch(house)
    perform(house, backfill)
    parts = house.rollbacks()
    with copying_alone(settings):
        assert remove_old(settings, month, late, ()) == []
    # Its process is gone, and its lock with it.
    assert parts.kept.move(backfill, [BackfillState.SUCCEEDED], BackfillState.ROLLING_BACK, LATER)
    in_use = parts.states.snapshots_in_use()
    assert in_use == {"kept"}
    assert remove_old(settings, month, late, in_use) == []
    assert remove_old(settings, month, late, ()) == ["kept"]


def test_a_snapshot_that_is_lost_midway_is_not_taken_of_what_the_backfill_made(
    in_files: House,
) -> None:
    house, settings = in_files, in_files.world.settings
    parts, said = house.rollbacks(), list[str]()
    backfill = parts.kept.add(plan_of(snapshot="kept"), at=LATER, author="a sensor")
    folder = snapshots_folder(settings) / "kept"

    def begin() -> None:
        known = parts.kept.get(backfill)
        ensure(settings, parts.platform, parts.states, known, timedelta(days=30), said.append)

    assert parts.kept.claim(backfill, 0, "token", LATER)
    begin()
    assert folder.exists()
    shutil.rmtree(folder)
    assert parts.kept.release(backfill, 0, "token")
    assert parts.kept.claim(backfill, 0, "again", LATER)
    begin()
    assert not folder.exists()
    assert said[-1] == f"the snapshot kept is lost: backfill {backfill} cannot be rolled back"
    # One that was killed while it took the snapshot has made nothing yet: it is taken.
    folder.with_name("kept.partial").mkdir()
    begin()
    assert open_snapshot(folder).rows > 0


def test_splits_that_it_alone_has_brought_go_with_it(house: House) -> None:
    """Adjusted prices are what they were, as of any time; what others were told, too, stays."""
    actions = house.world.platform.actions
    actions.add(split("2024-01-05", 3.0, source="first"), now=NOW)

    def adjusted() -> list[pl.DataFrame]:
        at = house.at(AFTER + timedelta(hours=1))
        how = {"quality": "all", "adjusted": "splits"}
        return [at.read("1d", SYMBOLS, **how, as_of=when) for when in (None, NOW, AFTER)]

    before = adjusted()
    backfill = launch(house)
    perform(house, backfill)
    run = {"source": "first"}
    # A new one, a changed one, and one that the daily run was told as well.
    at = LATER + timedelta(minutes=5)
    actions.add(
        pl.concat(
            [
                split("2024-02-14", 2.0, **run),
                split("2024-01-05", 4.0, **run),
                split("2024-02-20", 5.0, **run),
                split("2024-02-15", 7.0, source="a file"),
            ]
        ),
        now=at,
    )
    stays = split("2024-02-20", 5.0, **run), split("2024-02-15", 7.0, source="a file")
    write_files(house.folder, "first", {**dict.fromkeys(DAYS, 50.0), "2024-02-20": 61.0})
    ask = IngestRequest(
        "first", Timeframe.D1, SYMBOLS, date(2024, 2, 20), date(2024, 2, 20), run_id="daily"
    )
    platform = house.at(at).platform
    ingest(platform, ask, platform.vendors.open("first"))
    learned = actions.read()
    assert learned.height == 4
    assert not all(a.equals(b) for a, b in zip(before, adjusted(), strict=True))

    done = house.rollbacks(AFTER).back(backfill, [])
    assert done.actions == 2
    left = actions.read()
    expected = pl.concat([split("2024-01-05", 3.0, **run), *stays]).drop("known_at")
    assert_frame_equal(left.drop("known_at"), expected.sort("ex_date"))
    house.rollbacks(AFTER).forth(backfill)
    assert_frame_equal(actions.read(), learned)
    house.rollbacks(AFTER).back(backfill, [])
    assert_frame_equal(actions.read(), left)
    # The source says it again: that is heard, as news of that day.
    actions.add(split("2024-02-14", 2.0, **run), now=AFTER + timedelta(hours=1))
    assert actions.read().height == 4


def test_adjusted_prices_are_back_when_nobody_else_was_told(house: House) -> None:
    def adjusted() -> list[pl.DataFrame]:
        at = house.at(AFTER + timedelta(hours=1))
        how = {"quality": "all", "adjusted": "splits"}
        return [at.read("1d", SYMBOLS, **how, as_of=when) for when in (None, NOW, AFTER)]

    before = adjusted()
    backfill = launch(house)
    perform(house, backfill)
    told = split("2024-02-14", 2.0, source="first")
    house.world.platform.actions.add(told, now=LATER + timedelta(minutes=5))
    spoilt = adjusted()
    assert before[0]["close"].to_list() != spoilt[0]["close"].to_list()
    house.rollbacks(AFTER).back(backfill, [])
    for was, now in zip(before, adjusted(), strict=True):
        assert_frame_equal(now, was)
    house.rollbacks(AFTER).forth(backfill)
    for was, now in zip(spoilt, adjusted(), strict=True):
        assert_frame_equal(now, was)


def split(day: str, value: float, source: str) -> pl.DataFrame:
    """A split of AAA, known since the day before."""
    ex_date = date.fromisoformat(day)
    row = ("AAA", ex_date, "split", value, source, datetime(2024, 1, 4, tzinfo=UTC))
    return pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")
