"""What a file tells of actions, on its way to the action log."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from market_data.schemas import CORPORATE_ACTIONS
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

NOW = datetime(2018, 2, 1, tzinfo=UTC)
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"
ROWS = ("2018-01-16,10,11,9,10,10,100,0.1,0", "2018-01-17,10,11,9,10,10,100,0,0")
SPAN = ("2018-01-16", "2018-01-17")


def world_of(folder: Path, rows: tuple[str, ...] = ROWS, header: str = HEADER) -> World:
    path = folder / "AAA.csv"
    path.write_text(header + "\n".join(rows) + "\n")
    vendor = FileVendor("mine", {"1d": ("yahoo_csv", path)}, ("AAA",))
    aaa = Instrument(
        symbol="AAA",
        asset_class=AssetClass.EQUITY,
        calendar="XNYS",
        vendor_symbols={"mine": "AAA"},
    )
    return World.at(folder, NOW).register(vendor, instruments=(aaa,))


def dividends(world: World) -> list[tuple[float, str, datetime]]:
    told = world.platform.actions.read(symbols=["AAA"]).filter(pl.col("kind") == "dividend")
    return told.select("value", "source", "known_at").rows()


@pytest.mark.parametrize(("exported", "value"), [("2018-01-18", 0.1), ("2018-01-20", 0.5)])
def test_splits_between_the_end_of_a_file_and_its_export_are_those_of_others(
    tmp_path: Path, exported: str, value: float
) -> None:
    world = world_of(tmp_path)
    day = date(2018, 1, 19)
    split = ("AAA", day, "split", 5.0, "broker", datetime(2018, 1, 19, tzinfo=UTC))
    frame = pl.DataFrame([split], schema=CORPORATE_ACTIONS.dtypes, orient="row")
    world.platform.actions.add(frame, now=NOW)
    world.load("mine", "1d", "AAA", *SPAN, exported=date.fromisoformat(exported))
    assert dividends(world) == [(value, "mine:file", datetime(2018, 1, 16, tzinfo=UTC))]


def test_what_comes_after_a_file_that_did_not_tell_it_is_known_from_then_on(
    tmp_path: Path,
) -> None:
    bare = tuple(row.removesuffix(",0.1,0").removesuffix(",0,0") for row in ROWS)
    exported = date(2018, 1, 18)
    world = world_of(tmp_path, bare, HEADER.replace(",Dividends,Stock Splits", ""))
    world.load("mine", "1d", "AAA", *SPAN, exported=exported)
    assert dividends(world) == []
    (tmp_path / "AAA.csv").write_text(HEADER + "\n".join(ROWS) + "\n")
    later = NOW + timedelta(days=1)
    world.later(later).load("mine", "1d", "AAA", *SPAN, exported=exported, refetch=True)
    assert dividends(world) == [(0.1, "mine:file", later)]
