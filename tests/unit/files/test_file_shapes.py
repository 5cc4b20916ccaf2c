"""The shape of files: a column that bars are made of and that is gone is news, however packed."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from market_data.calendars import trading_sessions
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

FIRST, LAST, NOW = date(2024, 1, 2), date(2024, 2, 9), datetime(2024, 2, 12, tzinfo=UTC)
DAYS = trading_sessions("XNYS", FIRST, LAST)["session"].to_list()
BEFORE, AFTER, LATER = DAYS[:20], DAYS[20:23], DAYS[23:]
SHARE = Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS")
CURATED, RAW = "curated/bars_1d", "raw/mine_bars_1d"


def text_of(days: list[date], titles: dict[str, str]) -> str:
    """Bars whose columns have these titles, in this order."""
    cells = {
        "date": str, "open": lambda d: f"{50 + d.day % 7}", "high": lambda d: f"{60 + d.day % 7}",
        "low": lambda d: f"{40 + d.day % 7}", "close": lambda d: f"{51 + d.day % 5}",
        "volume": lambda d: f"{1000 + d.day}", "note": lambda d: "x",
    }  # fmt: skip
    rows = [",".join(cells[role](day) for role in titles) for day in days]
    return "\n".join([",".join(titles.values()), *rows]) + "\n"


def titles(*roles: str) -> dict[str, str]:
    return {role: role for role in ("date", "open", "high", "low", "close", *roles)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    opened = World.at(tmp_path, NOW).register(
        FileVendor("mine", {"1d": ("plain_daily", tmp_path / "files")}, ("MINE",)),
        instruments=(SHARE,),
    )
    (tmp_path / "files").mkdir()
    give(tmp_path, text_of(BEFORE, titles("volume")))
    opened.load_and_curate("mine", "1d", "MINE", BEFORE[0], BEFORE[-1])
    return opened


def give(folder: Path, text: str, *, packed: bool = False) -> None:
    """The one file that lies in the vendor's folder."""
    for old in (folder / "files").iterdir():
        old.unlink()
    path = folder / "files" / ("bars.csv.gz" if packed else "bars.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())


def drift(world: World) -> list[tuple[date, str, str]]:
    found = world.inspect("1d", FIRST, LAST, vendor="mine").findings
    own = found.filter(code="schema_drift", dataset=RAW)
    return own.select("session", "severity", "detail").rows()


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_lacks_a_column_is_told_and_so_are_its_bars(
    world: World, tmp_path: Path, packed: bool
) -> None:
    assert drift(world) == []
    give(tmp_path, text_of(BEFORE + AFTER, titles()), packed=packed)
    world.load_and_curate("mine", "1d", "MINE", AFTER[0], AFTER[-1])
    gone = "field 'volume', which came before, is gone; bars are made of it"
    assert drift(world) == [(AFTER[-1], "error", gone)]
    found = world.inspect("1d", FIRST, LAST).findings.filter(dataset=CURATED, check="volume")
    assert found.select("session", "code", "severity").rows() == [
        (day, "volume_missing", "warn") for day in AFTER
    ]
    served = world.read("1d", "MINE", quality="all", checked=True)
    assert served.filter(dq_status="warn")["session"].to_list() == AFTER
    give(tmp_path, text_of(LATER, titles("volume")))
    world.load_and_curate("mine", "1d", "MINE", LATER[0], LATER[-1])
    assert drift(world) == [], "the next file has it again"


def test_order_and_titles_and_columns_that_no_role_takes_are_no_news(
    world: World, tmp_path: Path
) -> None:
    other = dict(reversed(titles("volume", "note").items())) | {
        "close": "Close",
        "volume": "VOLUME",
    }
    give(tmp_path, text_of(AFTER, other))
    world.load_and_curate("mine", "1d", "MINE", AFTER[0], AFTER[-1])
    assert drift(world) == []
    assert world.inspect("1d", FIRST, LAST).findings.filter(check="volume").is_empty()
