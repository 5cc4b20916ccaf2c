"""A small installation of daily bars from files, for tests that put back what was there.

What belongs here: the world, its files, and all that its readers tell. What does not: assertions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from market_data.datasets import STORED, raw_bars
from market_data.pipeline.score import score_range
from market_data.ports import BarStore
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
DAYS = ("2024-02-12", "2024-02-13", "2024-02-14", "2024-02-15", "2024-02-16")
SYMBOLS = ("AAA", "BBB")
VENDORS = ("first", "second")
_HEAD = "symbol,date,open,high,low,close,volume\n"


def write_files(folder: Path, vendor: str, days: Mapping[str, float]) -> None:
    """The files of a vendor: a close per day, the same for every symbol."""
    for symbol in SYMBOLS:
        place = folder / vendor
        place.mkdir(parents=True, exist_ok=True)
        # No day says the one before once more: that would be told.
        said = ((d, c, 1000 + int(d[-2:])) for d, c in days.items())
        rows = (f"{symbol},{d},{c - 0.5},{c + 1},{c - 1},{c},{v}\n" for d, c, v in said)
        (place / f"{symbol}.csv").write_text(_HEAD + "".join(rows))


def small_world(folder: Path, store: BarStore | None = None) -> World:
    """Two shares of two vendors, whose files of five days lie in `folder`; nothing is loaded."""
    for vendor in VENDORS:
        write_files(folder, vendor, dict.fromkeys(DAYS, 50.0))
    world = World.at(folder, NOW).register(
        *(FileVendor(v, {"1d": ("plain_daily", folder / v)}, SYMBOLS) for v in VENDORS),
        instruments=tuple(
            Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS") for s in SYMBOLS
        ),
    )
    return World(world.settings, world.now, store)


def fill(world: World, days: tuple[str, ...] = DAYS, vendor: str = "first") -> None:
    """Load, curate and score some days."""
    world.load_and_curate(vendor, "1d", SYMBOLS, days[0], days[-1])
    score_range(world.platform, SYMBOLS, _day(days[0]), _day(days[-1]))


def all_told(world: World) -> dict[str, pl.DataFrame]:
    """What an installation tells: each stored dataset, raw bars, ledger, open rejected rows."""
    platform = world.platform
    found = {dataset.name: platform.store.scan(dataset) for dataset in STORED}
    for vendor in VENDORS:
        found[f"raw {vendor}"] = platform.raw_log.revisions(raw_bars(vendor, Timeframe.D1))
    found["ledger"] = platform.ledger.read()
    found["quarantine"] = platform.quarantine.counts(
        timeframe=Timeframe.D1, sessions=(date(2024, 1, 1), date(2024, 12, 31))
    )
    found["read"] = world.read("1d", SYMBOLS, quality="all")
    found["as of"] = world.read("1d", SYMBOLS, quality="all", as_of=world.now)
    return found


def _day(text: str) -> date:
    return date.fromisoformat(text)
