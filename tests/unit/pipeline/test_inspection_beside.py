"""What is found beside a range is what the checks find there when they look at it themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.calendars import trading_sessions
from market_data.pipeline.inspection import Inspection, inspect_curated, inspect_raw
from market_data.pipeline.inspection_beside import Beside, beside_curated, beside_raw
from market_data.pipeline.views import curated_series
from market_data.quality.checks import OF_SERIES
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 7, 1, tzinfo=UTC)
FIRST, LAST = date(2023, 10, 2), date(2024, 6, 28)
D1 = Timeframe.D1


def faulty_close(number: int) -> float:
    """A price that swings a little, with false ones, weeks in pence, and days that stand still."""
    close = 50 * (1 + 0.004 * (-1) ** number + 0.0002 * (number % 7))
    if number in (60, 160):
        return close * 1.4
    if 90 <= number < 105:
        return close * 100
    return 50.0 if 130 <= number < 142 else close


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("beside")
    days = trading_sessions("XNYS", FIRST, LAST)["session"].to_list()
    closes = [faulty_close(number) for number in range(len(days))]
    rows = ["symbol,date,open,high,low,close,volume"]
    for number, (day, close) in enumerate(zip(days, closes, strict=True)):
        volume = 40_000 if number == 75 else 1_000 + number % 11
        rows.append(f"MINE,{day},{close},{close},{close},{close},{volume}")
    path = folder / "MINE.csv"
    path.write_text("\n".join(rows) + "\n")
    made = World.at(folder, NOW).register(
        FileVendor("mine", {"1d": ("plain_daily", path)}, ("MINE",)),
        instruments=(Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS"),),
    )
    made.load_and_curate("mine", "1d", "MINE", FIRST, LAST)
    yield made


@pytest.mark.parametrize("kind", ["raw", "curated"])
@pytest.mark.parametrize(
    "own",
    [
        (date(2023, 12, 27), date(2023, 12, 27)),
        (date(2024, 2, 13), date(2024, 3, 1)),
        (date(2024, 6, 28), date(2024, 6, 28)),
    ],
    ids=["after the false price", "in pence", "the newest"],
)
def test_a_neighbour_is_judged_as_if_it_were_looked_at_itself(
    world: World, own: tuple[date, date], kind: str
) -> None:
    def looked_at(first: date, last: date) -> Inspection:
        if kind == "raw":
            return inspect_raw(world.platform, "mine", D1, first, last)
        return inspect_curated(world.platform, D1, first, last)

    def beside() -> Beside:
        if kind == "raw":
            return beside_raw(world.platform, "mine", D1, *own)
        return beside_curated(world.platform, D1, *own)

    found = beside()
    assert all(last < own[0] or first > own[1] for first, last in found.sessions)
    themselves = pl.concat(looked_at(*part).findings for part in found.sessions)
    expected = themselves.filter(pl.col("check").is_in(OF_SERIES))
    if kind == "curated":
        assert expected.height
    findings, rows = found.look()
    assert_frame_equal(findings, expected, check_row_order=False)
    ticks = findings.filter(pl.col("code") == "false_tick")
    if ticks.height:
        assert set(ticks["session"]) <= set(rows["false_ticks"]["session"])


def test_days_to_come_are_not_looked_at(world: World) -> None:
    today = NOW.date()
    parts = beside_curated(world.platform, D1, today, today).sessions
    assert [last < today for _, last in parts] == [True]


def test_bars_without_a_promised_column_are_not_found_to_be_well(world: World) -> None:
    part = (date(2024, 1, 2), date(2024, 1, 5))
    sound = curated_series(world.platform, D1, *part, ["MINE"])
    beside = Beside(
        (part,), world.platform, D1, lambda *_: replace(sound, bars=sound.bars.drop("volume"))
    )
    found, _ = beside.look()
    assert set(found["code"]) == {"not_judged"}
    assert set(zip(found["check"], found["session"], strict=True)) == {
        (check, day) for check in OF_SERIES for day in sound.bars["session"]
    }
