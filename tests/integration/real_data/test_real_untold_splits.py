"""Split-adjusted downloads of Apple without anybody who tells its splits, and with one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.schemas import LEDGER
from tests.support.worlds import FileVendor, World

DOWNLOADED = datetime(2018, 1, 20, 12, tzinfo=UTC)
SPAN = (date(2014, 1, 2), date(2014, 12, 31))
FILE = "daily/yahoo/yahoofinance-AAPL-20040819-20180120.csv"


@pytest.fixture
def world(tmp_path: Path, test_data: Path) -> World:
    made = World.at(tmp_path, DOWNLOADED).register(
        FileVendor("yahoo_csv", {"1d": ("yahoo_csv", test_data / FILE)}, ("AAPL",)),
    )
    made.load_and_curate("yahoo_csv", "1d", "AAPL", *SPAN)
    return made


def told_of(world: World) -> list[tuple[str, str]]:
    return world.read("1d", "AAPL").select("flags", "dq_status").unique().rows()


def answered(session: date, outcome: str = "rows", vendor: str = "yahoo") -> pl.DataFrame:
    """A record of a vendor that was asked about one session on the day of the download."""
    row = (vendor, "1d", "AAPL", session, outcome, 1, True, "", DOWNLOADED, "other")
    return pl.DataFrame([row], schema=LEDGER.dtypes, orient="row")


def test_a_download_alone_does_not_tell_its_splits(world: World, test_data: Path) -> None:
    """The prices until June are a seventh of what was paid, and nothing shows it."""
    assert told_of(world) == [("splits_unknown", "warn")]
    assert world.read("1d", "AAPL")["close"].max() < 120
    world.add_lean_actions(test_data / "reference/lean_factor_files/aapl.csv", "AAPL", snap=True)
    world.curate("1d", "AAPL", *SPAN)
    assert told_of(world) == [("deadjusted", "ok")]
    assert world.read("1d", "AAPL")["close"].max() > 640


def test_only_an_answer_of_somebody_who_tells_splits_is_evidence(world: World) -> None:
    refused = (
        answered(SPAN[0], outcome="failed"),
        answered(SPAN[0], vendor="yahoo_csv"),
    )
    for record in refused:
        world.platform.ledger.record(record)
    world.curate("1d", "AAPL", *SPAN)
    assert told_of(world) == [("splits_unknown", "warn")]
    world.platform.ledger.record(answered(SPAN[0]))
    world.curate("1d", "AAPL", *SPAN)
    assert told_of(world) == [("deadjusted", "ok")]
