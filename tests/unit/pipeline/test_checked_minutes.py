"""Reads of bars within a day that look at each bar beside its neighbours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copytree

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.calendars import bar_starts
from market_data.datasets import curated_bars
from market_data.pipeline.score import score_range
from market_data.ports import Annotation, Decision
from market_data.schemas import CURATED_BARS, PRICES
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.decisions import taken_back_afterwards
from tests.support.worlds import FileVendor, World

FIRST, TODAY = date(2024, 1, 2), date(2024, 3, 28)
NOW = datetime(2024, 3, 28, 15, tzinfo=UTC)
STILL, SILENT, BUSY = date(2024, 2, 13), date(2024, 2, 20), date(2024, 2, 27)
TICK, JUMP = date(2024, 3, 5), date(2024, 3, 12)
CODES = ["flat_run", "zero_volume", "volume", "false_tick", "jump"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Quarters of an hour of a share, with one session of each code; today has just begun."""
    folder = tmp_path_factory.mktemp("checked")
    number = pl.int_range(pl.len()).over("session")
    bars = bar_starts("XNYS", Timeframe.M15, FIRST, TODAY).filter(
        pl.col("bar_end") <= NOW - timedelta(minutes=30)
    )
    on, close = pl.col("session"), 100 + 0.1 * (number % 3)
    # Stretches of one price: four bars, which are too few, then six, and later five.
    for price, *stretch in ((100.3, 1, 4), (100.4, 6, 11), (100.5, 14, 18)):
        stands = (on == STILL) & number.is_between(*stretch)
        close = pl.when(stands).then(price).otherwise(close)
    close = pl.when(on == TICK, number == 10).then(125.0).otherwise(close)
    # The sessions right before the busy one are busier than usual too: they alone mislead.
    lively = on.is_between(BUSY - timedelta(days=6), BUSY, closed="left")
    volume = pl.when(on == SILENT).then(0).when(on == BUSY).then(4000).when(on == TODAY).then(1)
    volume = volume.when(lively).then(1000).otherwise(100)
    path = folder / "bars.csv"
    bars.with_columns(close=close * pl.when(on >= JUMP).then(1.5).otherwise(1)).select(
        datetime=pl.col("ts").dt.strftime("%Y-%m-%d %H:%M:%S"),
        open="close",
        high=pl.col("close") * 1.01,
        low=pl.col("close") * 0.99,
        close="close",
        volume=volume,
    ).write_csv(path)
    opened = World.at(folder, NOW).register(
        FileVendor("mine", {"15m": ("plain_15m", path)}, ("MINE",)),
        instruments=(Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS"),),
    )
    opened.load_and_curate("mine", "15m", "MINE", FIRST, TODAY)
    return opened


def read(world: World, **how: object) -> pl.DataFrame:
    return world.read("15m", "MINE", quality="all", checked=True, **how)


@pytest.fixture(scope="module")
def whole(world: World) -> pl.DataFrame:
    return read(world)


def counted(bars: pl.DataFrame) -> dict[tuple[date, str], int]:
    """Bars by session and code."""
    codes = bars.with_columns(code=pl.col("flags").str.split(",")).explode("code")
    known = codes.filter(pl.col("code").is_in(CODES))
    return {(day, code): n for day, code, n in known.group_by("session", "code").len().iter_rows()}


def test_bars_carry_the_flags_of_their_session_or_their_own(whole: pl.DataFrame) -> None:
    assert counted(whole) == {
        (STILL, "flat_run"): 11,
        (SILENT, "zero_volume"): 26,
        (BUSY, "volume"): 26,
        (TICK, "false_tick"): 1,
        (JUMP, "jump"): 1,
    }
    assert set(whole.filter(pl.col("session") == BUSY)["dq_status"]) == {"warn"}


@pytest.mark.parametrize("days", [0, 3, 40])
def test_flags_are_the_findings_of_the_checks_whatever_range_these_look_at(
    world: World, whole: pl.DataFrame, days: int
) -> None:
    """Checks of one session alone know what is usual from those before it, too."""
    told: dict[tuple[date, str], int] = {}
    for day in (STILL, SILENT, BUSY, TICK, JUMP, TODAY):
        found = world.inspect("15m", day - timedelta(days=days), day).findings
        rows = found.filter(pl.col("code").is_in(CODES)).select("session", "code", "rows").rows()
        told |= {(session, code): number for session, code, number in rows}
    # The finding names the longer of the two stretches.
    assert told | {(STILL, "flat_run"): 11} == counted(whole)
    assert told[STILL, "flat_run"] == 6


@pytest.mark.parametrize("day", [STILL, SILENT, BUSY, TICK, JUMP])
def test_a_part_is_flagged_as_the_whole_is(world: World, whole: pl.DataFrame, day: date) -> None:
    part = read(world, sessions=(day, day))
    assert_frame_equal(part, whole.filter(pl.col("session") == day))
    hour = part["ts"][10], part["ts"][14]
    inside = pl.col("ts").is_between(*hour, closed="left")
    assert_frame_equal(read(world, start=hour[0], end=hour[1]), whole.filter(inside))


def test_a_plain_read_of_any_part_carries_what_was_kept(world: World, whole: pl.DataFrame) -> None:
    """Also within a session, all of whose bars are meant."""
    score_range(world.platform, ["MINE"], FIRST, TODAY)
    assert_frame_equal(world.read("15m", "MINE", quality="all"), whole)
    for day in (STILL, SILENT, BUSY, TICK, JUMP):
        bars = whole.filter(pl.col("session") == day)
        start, end = bars["ts"][10], bars["ts"][14]
        part = world.read("15m", "MINE", quality="all", start=start, end=end)
        assert_frame_equal(part, bars.filter(pl.col("ts").is_between(start, end, closed="left")))
    two = {
        "start": datetime(2024, 2, 20, 16, tzinfo=UTC),
        "end": datetime(2024, 2, 27, 16, tzinfo=UTC),
    }
    found = counted(world.read("15m", "MINE", quality="all", **two))
    assert found.keys() == {(SILENT, "zero_volume"), (BUSY, "volume")}
    assert counted(world.read("15m", "MINE", quality="all", as_of=NOW, **two)) == found


def test_a_session_that_runs_has_no_volume_yet(world: World, whole: pl.DataFrame) -> None:
    assert counted(whole.filter(pl.col("session") == TODAY)) == {}
    evening = world.later(NOW + timedelta(hours=12))
    assert counted(read(evening, sessions=(TODAY, TODAY))) == {(TODAY, "volume"): 4}
    assert (TODAY, "volume") not in counted(read(evening, as_of=NOW))


def test_as_of_a_moment_flags_are_the_same(world: World, whole: pl.DataFrame) -> None:
    then = read(world, sessions=(BUSY, TICK), as_of=NOW)
    assert counted(then) == counted(whole.filter(pl.col("session").is_between(BUSY, TICK)))


def test_a_volume_that_somebody_accepted_is_no_flag(world: World) -> None:
    with taken_back_afterwards(world):
        world.platform.annotations.add(
            Annotation(
                created_at=NOW, author="ana", dataset="curated/bars_15m", symbol="MINE",
                first_session=BUSY, last_session=BUSY, decision=Decision.ACCEPT,
                codes=("volume",), reason="an index took it in",
            )
        )  # fmt: skip
        assert counted(read(world, sessions=(BUSY, BUSY))) == {}


def test_flags_of_a_symbol_do_not_depend_on_the_others_that_are_asked(tmp_path: Path) -> None:
    """Of a share volumes are judged, by six weeks before; of a pair of currencies none are."""
    pair = Instrument(symbol="PAIR", asset_class=AssetClass.FX, calendar="fx")
    share = Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    world = World.at(tmp_path, NOW).register(instruments=(pair, share))
    # Twelve days in another unit, more than the prices of a day are judged by.
    other = pl.col("session").is_between(date(2024, 2, 12), date(2024, 2, 23))
    for instrument in (pair, share):
        bars = bar_starts(instrument.calendar, Timeframe.M15, date(2024, 1, 22), date(2024, 3, 1))
        price = pl.when(other & (pl.lit(instrument.symbol) == "PAIR")).then(100.0).otherwise(1.0)
        texts = {n: pl.lit("") for n in ("source", "filled", "flags", "rule_version")}
        stored = bars.with_columns(
            symbol=pl.lit(instrument.symbol), volume=pl.lit(5.0), final=pl.lit(value=True),
            dq_status=pl.lit("ok"), **texts, **dict.fromkeys(PRICES, price),
        )  # fmt: skip
        world.platform.store.replace(
            curated_bars(Timeframe.M15), CURATED_BARS.conform(stored),
            sessions=(FIRST, TODAY), symbols=[instrument.symbol],
        )  # fmt: skip
    for day in (date(2024, 2, 13), date(2024, 2, 22), date(2024, 2, 26)):
        how: dict[str, object] = {"sessions": (day, day), "quality": "all", "checked": True}
        alone = world.read("15m", "PAIR", **how)
        assert_frame_equal(world.read("15m", ("MINE", "PAIR"), **how).filter(symbol="PAIR"), alone)


def test_a_restated_fortnight_changes_what_volume_is_usual_weeks_later(
    world: World, tmp_path: Path
) -> None:
    """The flags of sessions that are not scored again follow."""
    copytree(world.settings.data_dir, tmp_path / "data")
    own = World(world.settings.model_copy(update={"data_dir": tmp_path / "data"}), world.now)
    score_range(own.platform, ["MINE"], FIRST, TODAY)
    days = own.platform.store.scan(curated_bars(Timeframe.M15), sessions=(FIRST, BUSY))
    before = days["session"].unique().sort().to_list()[-14:-2]
    span = before[0], before[-1]
    lively = days.filter(pl.col("session").is_between(*span)).with_columns(volume=pl.lit(4000.0))
    own.platform.store.replace(curated_bars(Timeframe.M15), lively, sessions=span, symbols=["MINE"])
    score_range(own.platform, ["MINE"], *span)
    told = counted(own.read("15m", "MINE", quality="all"))
    assert told == counted(read(own))
    assert (BUSY, "volume") not in told
    assert any(code == "volume" for _, code in told), "those at the usual volume are too thin now"
