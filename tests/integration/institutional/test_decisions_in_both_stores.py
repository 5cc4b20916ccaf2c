"""Decisions are read alike from both stores: marks, made-up bars, settled drifts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.factory import open_connections
from adapters.timescale.settings import TimescaleSettings
from market_data.ports import Annotation, Decision
from market_data.universe import AssetClass, Instrument
from tests.support.worlds import FileVendor, World

DAYS = (2, 3, 5, 8)
FIRST, LAST = date(2024, 1, 2), date(2024, 1, 8)
NOW = datetime(2024, 1, 9, tzinfo=UTC)


def two_vendors(folder: Path) -> World:
    """Two vendors that disagree on the 5th and have nothing of the 4th."""
    vendors = []
    for name, close in (("first", 10.5), ("second", 10.8)):
        path = folder / f"{name}.csv"
        rows = [f"2024-01-0{d},10,11,9,{close if d == 5 else 10.5},{100 + d}" for d in DAYS]
        path.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
        vendors.append(FileVendor(name, {"1d": ("plain_daily", path)}, ("MINE",)))
    mine = Instrument(symbol="MINE", asset_class=AssetClass.EQUITY, calendar="XNYS")
    return World.at(folder, NOW).register(*vendors, instruments=(mine,))


def test_decisions_are_read_alike(tmp_path: Path, empty_timescale_url: str) -> None:
    here = two_vendors(tmp_path)
    here.load_and_curate(("first", "second"), "1d", "MINE", FIRST, LAST)
    accept = Annotation(
        created_at=NOW, author="ana", dataset="curated/bars_1d", symbol="MINE",
        first_session=FIRST, last_session=LAST, decision=Decision.UNUSABLE, reason="asked",
    )  # fmt: skip
    third, fourth = date(2024, 1, 3), date(2024, 1, 4)
    for decision in (
        replace(accept, first_session=third, last_session=third),
        replace(accept, decision=Decision.PREFER_VENDOR, vendor="second"),
        replace(
            accept, last_session=fourth, decision=Decision.IMPUTE, imputation="prices=ffill,limit=2"
        ),
    ):
        here.platform.annotations.add(decision)
    connections = open_connections(TimescaleSettings(url=empty_timescale_url))
    try:
        there = replace(here, store=TimescaleStore(connections))
        for world in (here, there):
            world.curate("1d", "MINE", FIRST, LAST)
        ways: list[dict[str, object]] = [
            {},
            {"quality": "all"},
            {"as_of": NOW},
            {"sessions": (fourth, fourth)},
            {"impute": "interpolate"},
            {"impute": "none", "start": datetime(2024, 1, 3, tzinfo=UTC)},
        ]
        for how in ways:
            read = here.read("1d", "MINE", **how)
            assert not read.is_empty()
            assert_frame_equal(there.read("1d", "MINE", **how), read)
        bars = there.read("1d", "MINE")
        assert bars.select(pl.col("session").dt.day(), "source", "flags", "close").rows() == [
            (2, "second", "", 10.5),
            (3, "imputed", "imputed", 10.5),
            (4, "imputed", "imputed", 10.5),
            (5, "second", "", 10.8),
            (8, "second", "", 10.5),
        ]
    finally:
        connections.close()
