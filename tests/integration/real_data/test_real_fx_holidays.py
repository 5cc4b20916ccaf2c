"""Christmas and New Year of real dealers: nothing is missed that was not to be had, no bar refused.

The hours of EURUSD of OANDA and FXCM around four turns of the year, with the shipped
config/reference/holidays.yaml and with none.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.settings import Settings
from tests.support.worlds import FileVendor, World

TURNS = [(date(year, 12, 19), date(year + 1, 1, 8)) for year in (2012, 2013, 2016, 2017)]
VENDORS = ("oanda_files", "fxcm_files")
TRUE_GAPS = {("fxcm_files", "2016-12-19")}
"""An hour that is truly missing, far from any holiday: it has to be told before and after."""


def installed(folder: Path, test_data: Path, reference: Path | None) -> World:
    settings = Settings(data_dir=folder / "data", reference_dir=reference)
    made = World(settings, datetime(2018, 7, 6, tzinfo=UTC))
    made = made.register(
        *(
            FileVendor(f"{dealer}_files", {"1h": (f"lean_forex_hour_{dealer}", path)}, ("EURUSD",))
            for dealer in ("oanda", "fxcm")
            for path in [test_data / "intraday" / f"fx_1h_{dealer}" / "eurusd.zip"]
        )
    )
    made.load_and_curate(VENDORS, "1h", "EURUSD", TURNS[0][0], TURNS[-1][1])
    return made


def told(world: World, vendor: str) -> set[tuple[str, str]]:
    """Name of the dataset's vendor and session of what coverage and staleness find."""
    found = pl.concat(world.inspect("1h", *turn, vendor=vendor).findings for turn in TURNS)
    lacking = found.filter(pl.col("check").is_in(["coverage", "staleness"]))
    return {(vendor or "curated", str(session)) for session in lacking["session"]}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> tuple[World, World]:
    empty = tmp_path_factory.mktemp("empty")
    before = installed(tmp_path_factory.mktemp("before"), test_data, empty)
    return before, installed(tmp_path_factory.mktemp("after"), test_data, None)


def test_the_reviewed_days_take_every_false_alarm_away(worlds: tuple[World, World]) -> None:
    before, after = ({f for v in ("", *VENDORS) for f in told(w, v)} for w in worlds)
    assert {("curated", "2016-12-26"), ("curated", "2017-01-02")} <= before
    assert len(before) > 25
    assert after == TRUE_GAPS


def test_not_one_bar_is_refused_for_it(worlds: tuple[World, World]) -> None:
    before, after = (
        w.read("1h", "EURUSD", quality="all").select("symbol", "ts", "session", "close")
        for w in worlds
    )
    assert after.equals(before)
    trusted_before, trusted_after = (w.read("1h", "EURUSD").height for w in worlds)
    # Sessions that were marked as in error for want of bars are served now.
    assert trusted_after > trusted_before


def test_minutes_of_a_third_vendor_on_a_quiet_day_are_kept(tmp_path: Path, test_data: Path) -> None:
    made = World.at(tmp_path, datetime(2017, 4, 1, tzinfo=UTC))
    path = test_data / "intraday" / "fx_1m_histdata" / "DAT_ASCII_EURUSD_M1_201701.csv.gz"
    made = made.register(FileVendor("histdata", {"1m": ("histdata_m1", path)}, ("EURUSD",)))
    made.load_and_curate("histdata", "1m", "EURUSD", "2017-01-02", "2017-01-04")
    kept = made.read("1m", "EURUSD", quality="all").group_by("session").len().sort("session")
    assert kept.row(0) == (date(2017, 1, 2), 864)
    findings = made.inspect("1m", "2017-01-02", "2017-01-04").findings
    assert findings.filter(pl.col("check").is_in(["coverage", "staleness"])).is_empty()
