"""Flags that are kept when bars are scored, and served with every read of them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import emp
from emp.cli import run
from emp.rescoring import get_outdated_scores
from market_data.calendars import trading_sessions
from market_data.datasets import FLAGS_DATASET, SCORES_DATASET, Dataset, curated_bars
from market_data.errors import (
    StoreAwayWarning,
    StoreUnavailableError,
    UnjudgedBarsWarning,
    WithheldBarsWarning,
)
from market_data.pipeline.rescore import rescore
from market_data.pipeline.score import score_range
from market_data.pipeline.scores_and_flags import contradicted_scores
from market_data.ports import Annotation, BarStore, Decision
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.decisions import taken_back_afterwards
from tests.support.worlds import FileVendor, World

FIRST, LAST = date(2024, 1, 2), date(2024, 4, 30)
BUSY, TICK, JUMP, PENCE = (date(2024, m, d) for m, d in ((2, 13), (2, 27), (3, 12), (4, 9)))
AFTER_TICK = date(2024, 2, 28)
DAILY = curated_bars(Timeframe.D1)
SHARE = Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS")
KEPT = {BUSY: "volume", TICK: "false_tick", JUMP: "jump", PENCE: "unit_error"}


def evening(day: date) -> datetime:
    return datetime.combine(day, time(23), UTC)


def lines(last: date) -> str:
    """A share that moves little, with a day of each code, as a file that ends on a day."""
    rows = ["date,open,high,low,close,volume"]
    for number, day in enumerate(trading_sessions("XNYS", FIRST, last)["session"]):
        close = 100 * (1 + 0.004 * (-1) ** number) * (1.5 if day >= JUMP else 1)
        close *= 100 if day >= PENCE else 1
        told = close * 1.25 if day == TICK else close
        volume = 20_000 if day == BUSY else 500
        rows.append(f"{day},{close},{told * 1.01},{close * 0.99},{told},{volume}")
    return "\n".join(rows) + "\n"


def curated(folder: Path, last: date = LAST) -> World:
    """A world at the evening of a day, its bars curated and not scored."""
    path = folder / "bars.csv"
    path.write_text(lines(last))
    world = World.at(folder, evening(last)).register(
        FileVendor("mine", {"1d": ("plain_daily", path)}, ("MINE",)), instruments=(SHARE,)
    )
    world.load_and_curate("mine", "1d", "MINE", FIRST, last)
    return world


def score(world: World, first: date, last: date, **how: Any) -> None:
    score_range(world.platform, ["MINE"], first, last, **how)


def marks(bars: pl.DataFrame) -> dict[date, str]:
    flagged = bars.with_columns(pl.col("flags").str.replace(",?splits_unknown", ""))
    return {d: f for d, f in flagged.select("session", "flags").iter_rows() if f}


def scored(world: World) -> dict[date, tuple[str, str]]:
    """Status and reasons of scores that have some."""
    rows = world.platform.store.scan(SCORES_DATASET).filter(pl.col("reasons") != "")
    return {d: (s, r) for d, s, r in rows.select("session", "status", "reasons").iter_rows()}


def restate(world: World, day: date, **columns: pl.Expr) -> None:
    """Another bar in the place of the stored one, which nobody scores."""
    bar = world.platform.store.scan(DAILY, sessions=(day, day))
    world.platform.store.replace(
        DAILY, bar.with_columns(**columns), sessions=(day, day), symbols=["MINE"]
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = curated(tmp_path_factory.mktemp("kept"))
    score(made, FIRST, LAST)
    return made


@pytest.fixture(autouse=True)
def _decisions_end_with_their_test(world: World) -> Iterator[None]:
    with taken_back_afterwards(world):
        yield


def test_a_plain_read_serves_what_the_checks_found_when_the_bars_were_scored(world: World) -> None:
    plain = world.read("1d", "MINE", quality="all")
    assert marks(plain) == KEPT
    assert_frame_equal(plain, world.read("1d", "MINE", quality="all", checked=True))
    for day in KEPT:
        part = world.read("1d", "MINE", sessions=(day, day), quality="all")
        assert_frame_equal(part, plain.filter(session=day))


def test_trusted_leaves_out_bars_in_another_unit_and_ok_all_that_carry_a_flag(
    world: World,
) -> None:
    whole = set(world.read("1d", "MINE", quality="all")["session"])
    with pytest.warns(WithheldBarsWarning, match="unit_error"):
        trusted = world.read("1d", "MINE")
    assert whole - set(trusted["session"]) == {PENCE}
    assert marks(trusted) == {day: code for day, code in KEPT.items() if day != PENCE}
    assert whole - set(world.read("1d", "MINE", quality="ok")["session"]) == set(KEPT)


def test_coverage_names_the_session_that_a_check_alone_leaves_out(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = emp.get_coverage("MINE", PENCE, PENCE, settings=world.settings)
    assert told["withheld"].to_list() == [1]
    assert "flags: " in told["reason"].item()
    assert "unit_error" in told["reason"].item()
    monkeypatch.setenv("EMP_DATA_DIR", str(world.settings.data_dir))
    span = ["MINE", "--start", str(FIRST), "--end", str(LAST)]
    assert run(["coverage", *span, "--gaps", "--json"]) == 0
    gaps = json.loads(capsys.readouterr().out)
    assert [g["first"] for g in gaps if "unit_error" in g["reason"]] == [str(PENCE)]


def test_as_of_a_moment_flags_that_were_found_later_are_not_known(world: World) -> None:
    now = world.now
    known = world.read("1d", "MINE", quality="all", as_of=now)
    assert_frame_equal(known, world.read("1d", "MINE", quality="all"))
    before = world.read("1d", "MINE", quality="all", as_of=now - timedelta(microseconds=1))
    assert marks(before) == {}


def test_what_is_accepted_is_not_flagged_and_taken_back_it_is(world: World) -> None:
    with taken_back_afterwards(world):
        world.platform.annotations.add(
            Annotation(
                created_at=world.now, author="ana", dataset=DAILY.name, symbol="MINE",
                first_session=PENCE, last_session=PENCE, decision=Decision.ACCEPT,
                codes=("unit_error",), reason="a consolidation",
            )
        )  # fmt: skip
        assert PENCE in set(world.read("1d", "MINE")["session"])
    assert marks(world.read("1d", "MINE", quality="all")) == KEPT


def test_the_same_bars_give_the_same_rows_whenever_they_are_scored(world: World) -> None:
    store = world.platform.store
    kept, version = store.scan(FLAGS_DATASET), store.version(FLAGS_DATASET)
    assert kept["found_at"].unique().to_list() == [world.now]
    later = world.later(world.now + timedelta(days=30))
    score(later, FIRST, LAST)
    score(later, BUSY, TICK)
    assert store.version(FLAGS_DATASET) == version
    assert_frame_equal(store.scan(FLAGS_DATASET), kept)


def test_scores_of_another_timeframe_leave_the_flags_alone(world: World) -> None:
    kept = world.platform.store.scan(FLAGS_DATASET)
    score(world, FIRST, LAST, timeframes=[Timeframe.M1])
    assert_frame_equal(world.platform.store.scan(FLAGS_DATASET), kept)


def test_the_record_of_actions_is_read_once_per_slice_of_the_checks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from market_data.pipeline.besides import checks_beside
    from market_data.pipeline.views import curated_view

    log = world.platform.actions
    read, reads = log.read, list[None]()

    def counted(**how: Any) -> pl.DataFrame:
        reads.append(None)
        return read(**how)

    monkeypatch.setattr(log, "read", counted)
    view = curated_view(world.platform, Timeframe.D1, BUSY, TICK, ["MINE"])
    checks_beside(world.platform, view)
    assert len(reads) == 1


def test_a_bar_that_was_restated_inherits_no_flag(tmp_path: Path) -> None:
    world = curated(tmp_path)
    score(world, FIRST, LAST)
    restate(world, TICK, close=pl.col("open"), high=pl.col("open") * 1.01)
    restate(world, BUSY, volume=pl.lit(600.0))
    restate(world, JUMP, volume=pl.lit(700.0))
    left = {JUMP: "jump", PENCE: "unit_error"}
    assert marks(world.read("1d", "MINE", quality="all")) == left
    score(world, TICK, TICK)
    kept = world.platform.store.scan(FLAGS_DATASET)
    assert TICK not in set(kept["session"])
    # The volume of a session within reach of those that were scored is judged anew, too.
    assert BUSY not in set(kept["session"])
    # So is what comes after them: the step is a day earlier now.
    before = date(2024, 3, 11)
    restate(world, before, **{p: pl.col(p) * 1.5 for p in ("open", "high", "low", "close")})
    score(world, before, before)
    assert marks(world.read("1d", "MINE", quality="all")) == {before: "jump", PENCE: "unit_error"}


def test_the_next_day_tells_a_false_tick_of_the_last(tmp_path: Path) -> None:
    """Each evening scores its own day alone."""
    world = curated(tmp_path, TICK)
    score(world, FIRST, TICK)
    assert marks(world.read("1d", "MINE", quality="all")).get(TICK) != "false_tick"
    (tmp_path / "bars.csv").write_text(lines(AFTER_TICK))
    tomorrow = world.later(evening(AFTER_TICK))
    tomorrow.load_and_curate("mine", "1d", "MINE", AFTER_TICK, AFTER_TICK)
    score(tomorrow, AFTER_TICK, AFTER_TICK)
    assert marks(tomorrow.read("1d", "MINE", quality="all")) == {
        BUSY: "volume",
        TICK: "false_tick",
    }
    # So does its score, though nobody scored that day again.
    assert scored(tomorrow)[TICK] == ("YELLOW", "false_tick")
    assert contradicted_scores(tomorrow.platform).is_empty()
    # The evening before nobody knew.
    then = tomorrow.read("1d", "MINE", quality="all", as_of=evening(TICK))
    assert marks(then).get(TICK) != "false_tick"


class Instead:
    """A store that fails in one respect."""

    def __init__(self, store: BarStore, **how: Any) -> None:
        self.store, self.how = store, how

    def __getattr__(self, name: str) -> Any:
        return self.how.get(name) or getattr(self.store, name)


def test_bars_as_of_a_moment_need_no_store_and_say_that_its_flags_are_missing(
    world: World,
) -> None:
    def away(*_: object, **__: object) -> pl.DataFrame:
        raise StoreUnavailableError("the warehouse does not answer")

    lake: BarStore = Instead(world.platform.store, scan=away)
    alone = replace(world, store=lake)
    with pytest.warns(StoreAwayWarning, match="without the flags .* does not answer"):
        bars = alone.read("1d", "MINE", quality="all", as_of=world.now)
    assert bars.height == world.read("1d", "MINE", quality="all").height
    assert marks(bars) == {}
    with pytest.raises(StoreUnavailableError):
        alone.read("1d", "MINE")


class KilledError(Exception):
    """The process is gone."""


def test_a_run_that_dies_between_flags_and_scores_shows_and_is_made_whole_by_the_next(
    tmp_path: Path,
) -> None:
    world = curated(tmp_path)
    own = world.platform.store

    def dies(dataset: Dataset, frame: pl.DataFrame, **how: Any) -> int:
        if dataset == SCORES_DATASET:
            raise KilledError
        return own.replace(dataset, frame, **how)

    dying: BarStore = Instead(own, replace=dies)
    with pytest.raises(KilledError):
        score(replace(world, store=dying), FIRST, LAST)
    assert marks(world.read("1d", "MINE", quality="all")) == KEPT
    assert own.scan(SCORES_DATASET).is_empty(), "so that the checks tell of it"
    kept = own.scan(FLAGS_DATASET)
    score(world, FIRST, LAST)
    assert_frame_equal(own.scan(FLAGS_DATASET), kept)
    assert not own.scan(SCORES_DATASET).is_empty()


def test_a_run_that_dies_before_the_scores_beside_shows_and_is_mended(tmp_path: Path) -> None:
    world = curated(tmp_path)
    score(world, FIRST, LAST)
    own = world.platform.store
    restate(world, TICK, close=pl.col("open"), high=pl.col("open") * 1.01)
    own_replace = own.replace

    def dies(dataset: Dataset, frame: pl.DataFrame, **how: Any) -> int:
        if dataset == SCORES_DATASET and how["sessions"][0] != AFTER_TICK:
            raise KilledError
        return own_replace(dataset, frame, **how)

    dying: BarStore = Instead(own, replace=dies)
    with pytest.raises(KilledError):
        score(replace(world, store=dying), AFTER_TICK, AFTER_TICK)
    found = get_outdated_scores(settings=world.settings)
    assert found["session"].to_list() == [TICK]
    assert rescore(world.platform, found).changed == 1
    assert TICK not in scored(world)
    assert get_outdated_scores(settings=world.settings).is_empty()


def test_bars_that_nobody_has_judged_are_told_of_until_somebody_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an installation that is older than its flags, whose scores were made without."""
    world = curated(tmp_path)
    monkeypatch.setenv("EMP_DATA_DIR", str(world.settings.data_dir))
    days = trading_sessions("XNYS", FIRST, LAST).height
    with pytest.warns(UnjudgedBarsWarning, match=rf"MINE \({days} session.s., 2024-01-02 to"):
        assert marks(world.read("1d", "MINE", quality="all")) == {}
    found = get_outdated_scores()
    assert found["session"].to_list() == trading_sessions("XNYS", FIRST, LAST)["session"].to_list()
    assert found["score"].null_count() == days
    score(world, FIRST, LAST)
    made = world.platform.store.scan(SCORES_DATASET)
    before = made.with_columns(pl.col("rule_version").str.split("+").list.first())
    world.platform.store.replace(SCORES_DATASET, before, sessions=(FIRST, LAST), symbols=["MINE"])
    none = world.platform.store.scan(FLAGS_DATASET).clear()
    world.platform.store.replace(FLAGS_DATASET, none, sessions=(FIRST, LAST), symbols=["MINE"])
    with pytest.warns(UnjudgedBarsWarning):
        assert marks(world.read("1d", "MINE", quality="all")) == {}
    assert run(["quality", "outdated", "--rescore", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["outdated"]) == days
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnjudgedBarsWarning)
        assert marks(world.read("1d", "MINE", quality="all")) == KEPT
    assert get_outdated_scores().is_empty()


def test_a_day_that_its_hours_contradict_is_flagged(tmp_path: Path) -> None:
    world = curated(tmp_path)
    day = date(2024, 1, 16)
    hours = world.platform.store.scan(DAILY, sessions=(day, day)).with_columns(
        ts=pl.col("ts").dt.replace(hour=15), high=pl.col("high") * 1.05
    )
    world.platform.store.replace(
        curated_bars(Timeframe.H1), hours, sessions=(day, day), symbols=["MINE"]
    )
    score(world, day, day)
    for checked in (False, True):
        bars = world.read("1d", "MINE", sessions=(day, day), checked=checked)
        assert marks(bars) == {day: "consistency"}
        assert bars["dq_status"].to_list() == ["warn"]
    score(world, FIRST, FIRST)
    assert marks(world.read("1d", "MINE", sessions=(day, day))) == {day: "consistency"}
    world.platform.store.replace(
        curated_bars(Timeframe.H1), hours.clear(), sessions=(day, day), symbols=["MINE"]
    )
    score(world, day, day)
    assert marks(world.read("1d", "MINE", sessions=(day, day))) == {}
