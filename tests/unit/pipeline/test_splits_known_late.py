"""A split that comes to light after bars were fetched, from the answer to what is served."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from emp.leaving import Leaving, leave_files
from emp.summary import Scope
from market_data.basis import Adjustment, Basis
from market_data.calendars import trading_sessions
from market_data.datasets import raw_bars
from market_data.errors import UnknownActionsWarning
from market_data.pipeline.keep_actions import keep_actions
from market_data.ports import FetchRequest, FetchResult, Refused
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import Instrument
from tests.support.fake_vendor import FakeVendor, ask, shares
from tests.support.worlds import World

FIRST, EX_DATE, LAST = date(2024, 3, 4), date(2024, 3, 6), date(2024, 3, 8)
DAYS: list[date] = trading_sessions("XNYS", FIRST, LAST)["session"].to_list()
GAP = datetime(2024, 3, 9, 12, tzinfo=UTC)
"""After the ex-date; the vendor works the split in on the tenth."""
LATER = datetime(2024, 3, 12, 12, tzinfo=UTC)
AS_TRADED = [400.0, 400.0, 100.0, 100.0, 100.0]
DISPUTED = "splits_disputed"


@dataclass
class Dividing(FakeVendor):
    """Prices of 400, from the ex-date on 100, divided by a split or not; told or not."""

    divided: bool = False
    told: bool = False

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        return Basis(adjustment=Adjustment.SPLITS, unit=instrument.currency)

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        old = (pl.col("ts").dt.date() < EX_DATE) & pl.lit(not self.divided)
        prices = pl.col("open", "high", "low", "close") * pl.when(old).then(4.0).otherwise(1.0)
        for result in super().fetch(request):
            actions = split() if self.told and request.start.date() <= EX_DATE else split().clear()
            yield replace(result, frame=result.frame.with_columns(prices), actions=actions)


def split(source: str = "yahoo", value: float = 4.0) -> pl.DataFrame:
    row = ("AAA", EX_DATE, "split", value, source, datetime.combine(EX_DATE, time(), UTC))
    return pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")


def vendor(name: str = "yahoo", *, divided: bool, told: bool) -> Dividing:
    bars = {"AAA": [datetime.combine(day, time(), UTC) for day in DAYS]}
    return Dividing(name=name, bars=bars, divided=divided, told=told)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Asked in the gap, Yahoo tells no split, and its prices are as traded."""
    made = shares(World.at(tmp_path, GAP))
    ask(made, vendor(divided=False, told=False), FIRST, LAST)
    made.curate("1d", "AAA", FIRST, LAST)
    return made


def served(world: World, **how: object) -> dict[date, float]:
    world.curate("1d", "AAA", FIRST, LAST)
    bars = world.read("1d", "AAA", sessions=(FIRST, LAST), **how)
    return dict(bars.select("session", "close").iter_rows())


def test_nobody_doubts_prices_before_a_split_is_told(world: World) -> None:
    assert list(served(world).values()) == AS_TRADED


@pytest.mark.parametrize("how", ["a list", "an answer about later sessions"])
def test_right_bars_are_disputed_and_not_spoilt(world: World, how: str) -> None:
    later = world.later(LATER)
    if how == "a list":
        later.platform.actions.add(split("list"), now=LATER)
    else:
        ask(later, vendor(divided=True, told=True), EX_DATE, LAST, refetch=True)
    assert list(served(later)) == DAYS[2:]
    shown = later.read("1d", "AAA", sessions=(FIRST, LAST), quality="all")
    assert shown["close"].to_list() == AS_TRADED
    assert shown.select("flags", "dq_status").head(2).unique().rows() == [(DISPUTED, "error")]
    found = later.inspect("1d", FIRST, LAST).findings.filter(code="splits_disputed")
    assert found["session"].to_list() == DAYS[:2]
    assert "emp ingest --vendor yahoo --symbols AAA --refetch" in found["detail"][0]


def test_asking_again_settles_it_and_leaves_the_past_alone(world: World) -> None:
    later = world.later(LATER)
    ask(later, vendor(divided=True, told=True), FIRST, LAST, refetch=True)
    assert list(served(later).values()) == AS_TRADED
    then = later.read("1d", "AAA", sessions=(FIRST, LAST), as_of=GAP)
    assert then["close"].to_list() == AS_TRADED


def test_an_answer_with_the_same_values_settles_it_too(tmp_path: Path) -> None:
    """A vendor that tells no splits had divided all the time."""
    world = shares(World.at(tmp_path, GAP))
    mine = vendor("mine", divided=True, told=False)
    ask(world, mine, FIRST, LAST)
    later = world.later(LATER)
    known = split("list").with_columns(known_at=pl.lit(LATER))
    later.platform.actions.add(known, now=LATER)
    assert list(served(later)) == DAYS[2:]
    again = later.later(LATER + timedelta(hours=1))
    report = ask(again, mine, FIRST, LAST, refetch=True)
    assert list(served(again).values()) == AS_TRADED
    assert (report.new_rows, report.revised_rows) == (2, 2)
    dataset = raw_bars("mine", Timeframe.D1)
    rows = again.platform.raw_log.revisions(dataset).height
    once_more = again.later(LATER + timedelta(hours=2))
    assert ask(once_more, mine, FIRST, LAST, refetch=True).new_rows == 0
    assert once_more.platform.raw_log.revisions(dataset).height == rows


def test_what_cannot_be_goes_to_the_quarantine_whoever_tells_it(world: World) -> None:
    odd = split("somebody", 1e9)
    assert keep_actions(world.platform, odd, fetch_id="a", now=GAP) == 0
    assert world.platform.actions.read().is_empty()
    (row,) = world.platform.quarantine.entries(Refused(vendors=["somebody"])).to_dicts()
    assert (row["session"], row["reasons"]) == (EX_DATE, "implausible_split")


@pytest.fixture
def doubted(tmp_path: Path) -> World:
    """A vendor that tells no splits, its prices divided; another told a split since."""
    made = shares(World.at(tmp_path, GAP))
    ask(made, vendor("mine", divided=True, told=False), FIRST, LAST)
    made.curate("1d", "AAA", FIRST, LAST)
    later = made.later(LATER)
    later.platform.actions.add(split(), now=LATER)
    return later


def bars_of(world: World, **how: object) -> dict[date, float]:
    bars = world.read("1d", "AAA", sessions=(FIRST, LAST), **how)
    return dict(bars.select("session", "close").iter_rows())


@pytest.mark.parametrize("quality", ["trusted", "all"])
def test_they_are_left_out_with_a_warning(doubted: World, quality: str) -> None:
    with pytest.warns(UnknownActionsWarning, match=r"AAA \(2 bars .*emp actions import"):
        found = bars_of(doubted, adjusted="splits", quality=quality)
    assert list(found) == DAYS[2:]
    assert set(found.values()) == {100.0}
    assert [day for day in bars_of(doubted) if day < EX_DATE] == DAYS[:2]


def test_curated_anew_they_are_an_error(doubted: World) -> None:
    doubted.curate("1d", "AAA", FIRST, LAST)
    assert list(bars_of(doubted)) == DAYS[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownActionsWarning)
        assert list(bars_of(doubted, adjusted="splits")) == DAYS[2:]
    found = doubted.inspect("1d", FIRST, LAST).findings.filter(code="splits_disputed")
    assert found["session"].to_list() == DAYS[:2]


@dataclass
class Counting(Dividing):
    """Volumes follow the split too."""

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        old = (pl.col("ts").dt.date() < EX_DATE) & pl.lit(self.divided)
        volume = pl.col("volume") * pl.when(old).then(4.0).otherwise(1.0)
        for result in super().fetch(request):
            yield replace(result, frame=result.frame.with_columns(volume))


def test_files_hold_bars_of_many_fetches_on_one_basis(tmp_path: Path) -> None:
    world = shares(World.at(tmp_path, datetime(2024, 3, 5, 23, tzinfo=UTC)))
    bars = vendor(divided=True, told=True).bars
    ask(world, Counting(bars=bars), FIRST, DAYS[1])
    later = world.later(LATER)
    ask(later, Counting(bars=bars, divided=True, told=True), FIRST, LAST, refetch=True)
    raw = later.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))
    assert raw["close"].to_list() == AS_TRADED
    scope = Scope(SimpleNamespace(vendor="yahoo", symbols=("AAA",)), Timeframe.D1, FIRST, LAST, ())
    leaving = Leaving(folder=tmp_path / "pricing")
    told, bad = leave_files(later.platform, scope, leaving, "r", sound=True, strict=False)
    frame = pl.read_parquet(told["dataset"])
    assert frame["close"].to_list() == frame["adj_close"].to_list() == [100.0] * 5
    assert frame["volume"].to_list() == [40.0, 40.0, 10.0, 10.0, 10.0]
    stated = json.loads(Path(told["metadata"]).read_text())["metadata"]
    assert (stated["splits_until"], stated["rows_put_on_that_basis"]) == ("2024-03-12", 2)
    assert not bad


class Carrying(FakeVendor):
    """Prices that carry splits and dividends until the answer."""

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        return replace(super().basis(instrument, timeframe), adjustment=Adjustment.TOTAL)


def test_files_say_that_prices_carry_the_dividends_until_several_days(tmp_path: Path) -> None:
    world = shares(World.at(tmp_path, datetime(2024, 3, 5, 23, tzinfo=UTC)))
    bars = vendor(divided=False, told=False).bars
    ask(world, Carrying(bars=bars), FIRST, DAYS[1])
    later = world.later(LATER)
    ask(later, Carrying(bars=bars), FIRST, LAST)
    scope = Scope(SimpleNamespace(vendor="yahoo", symbols=("AAA",)), Timeframe.D1, FIRST, LAST, ())
    leaving = Leaving(folder=tmp_path / "pricing")
    told, bad = leave_files(later.platform, scope, leaving, "r", sound=True, strict=False)
    (issue,) = [i for i in told["quality_issues"] if i["code"] == "mixed_basis"]
    assert (issue["severity"], issue["context"]["rows"], bad) == ("error", 2, True)


def test_files_say_what_nobody_can_put_on_one_basis(world: World, tmp_path: Path) -> None:
    later = world.later(LATER)
    later.platform.actions.add(split("list"), now=LATER)
    scope = Scope(SimpleNamespace(vendor="yahoo", symbols=("AAA",)), Timeframe.D1, FIRST, LAST, ())
    leaving = Leaving(folder=tmp_path / "pricing")
    told, bad = leave_files(later.platform, scope, leaving, "r", sound=True, strict=False)
    (issue,) = [i for i in told["quality_issues"] if i["code"] == "mixed_basis"]
    assert (issue["severity"], issue["context"]["rows"], bad) == ("error", 2, True)
