"""Apple's and IBM's splits in bars as traded: suspected while nobody has told of them.

Of the five, two hide: in 2005 the volume of the weeks before was as high as that after, and in
2020 the shares opened 2.3 % above a quarter of the close before.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from market_data.quality.price_sanity import check_missing_split
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

NOW = datetime(2021, 4, 2, tzinfo=UTC)
SPAN = (date(1998, 1, 2), date(2021, 3, 31))
SYMBOLS = ("AAPL", "IBM")
CRASH = date(2000, 9, 29)
"""Apple warned of its profits and lost half of its price on 24 times the usual volume."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> World:
    made = World.at(tmp_path_factory.mktemp("splits"), NOW).register(
        *(
            FileVendor(
                f"lean_{s.lower()}",
                {"1d": ("lean_daily", test_data / f"daily/lean_usa/{s.lower()}.zip")},
                (s,),
            )
            for s in SYMBOLS
        ),
        instruments=tuple(
            Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS")
            for s in SYMBOLS[1:]
        ),
    )
    for symbol in SYMBOLS:
        made.load_and_curate(f"lean_{symbol.lower()}", "1d", symbol, *SPAN)
    return made


def suspected(world: World) -> list[tuple[str, date, int]]:
    found = check_missing_split(
        world.read("1d", SYMBOLS, quality="all"),
        world.platform.actions.read(),
        world.platform.universe.instruments,
        thresholds=world.platform.thresholds,
        dataset="curated/bars_1d",
        sessions=SPAN,
    ).findings
    return [
        (symbol, session, round(1 / ratio))
        for symbol, session, ratio in found.select("symbol", "session", "threshold").iter_rows()
    ]


def test_splits_are_suspected_until_they_are_told(world: World, test_data: Path) -> None:
    assert suspected(world) == [
        ("IBM", date(1999, 5, 27), 2),
        ("AAPL", date(2000, 6, 21), 2),
        ("AAPL", date(2014, 6, 9), 7),
    ]
    one_day = world.inspect("1d", date(2014, 6, 9), date(2014, 6, 9)).findings
    (found,) = one_day.filter(code="suspected_missing_split").to_dicts()
    assert (found["check"], found["severity"]) == ("price_sanity", "warn")
    assert "like a 7:1 split" in found["detail"]
    for symbol in SYMBOLS:
        world.add_lean_actions(
            test_data / f"reference/lean_factor_files/{symbol.lower()}.csv", symbol, snap=True
        )
    assert suspected(world) == []
