"""HistData's minutes under the right time zone and under wrong ones, against Oanda's hours.

HistData documents EST without daylight saving; measured, its clock is New York's own. Both are
bid prices, and HistData has no hours: they are made of its minutes.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.pipeline.inspection import Inspection
from tests.support.worlds import FileVendor, World

JANUARY = (date(2017, 1, 3), date(2017, 1, 31))
AFTER_THE_CHANGE = (date(2017, 3, 13), date(2017, 3, 31))
"""New York's clocks went forward on 2017-03-12, EST did not."""


def world_of(folder: Path, data: Path, zone: str, span: tuple[date, date]) -> World:
    """Both vendors loaded and curated to minutes and hours, HistData read in a zone."""
    bid = folder / "hour_bid.yaml"
    bid.write_text("extends: lean_forex_hour_oanda\nname: hour_bid\nside: bid\n")
    histdata = folder / "histdata_zone.yaml"
    histdata.write_text(f'extends: histdata_m1\nname: histdata_zone\ntime:\n  zone: "{zone}"\n')
    made = World.at(folder, datetime(2024, 1, 1, tzinfo=UTC)).register(
        FileVendor(
            "oanda_files", {"1h": (str(bid), data / "intraday/fx_1h_oanda/eurusd.zip")}, ("EURUSD",)
        ),
        FileVendor(
            "histdata", {"1m": (str(histdata), data / "intraday/fx_1m_histdata")}, ("EURUSD",)
        ),
    )
    made.load("oanda_files", "1h", "EURUSD", *span)
    made.load_and_curate("histdata", "1m", "EURUSD", *span)
    made.curate("1h", "EURUSD", *span)
    return made


def drift_of(world: World, span: tuple[date, date]) -> pl.DataFrame:
    """session, drift, bars, severity of the check; the bars have to carry the same verdict."""
    checks = world.inspect("1h", *span)
    found = _findings(checks, "drift").select("session", "severity")
    table = checks.measured["drift"].join(found, on="session", how="left")
    print(f"\n{table.select('session', 'drift', 'bars', 'severity').rows()}")

    bars = world.read("1h", "EURUSD", quality="all")
    flagged = bars.filter(pl.col("flags").str.split(",").list.contains("drift"))
    assert flagged["session"].unique().sort().to_list() == found["session"].sort().to_list()
    withheld = flagged.filter(pl.col("dq_status") == "error")["session"].unique().sort()
    errors = found.filter(pl.col("severity") == "error")["session"].sort()
    assert withheld.to_list() == errors.to_list()
    return table


@pytest.mark.parametrize("span", [JANUARY, AFTER_THE_CHANGE], ids=["winter", "summer"])
def test_in_new_yorks_zone_nothing_drifts(
    tmp_path: Path, test_data: Path, span: tuple[date, date]
) -> None:
    world = world_of(tmp_path, test_data, "America/New_York", span)
    table = drift_of(world, span)
    assert table.height == (21 if span == JANUARY else 15)
    assert table["drift"].max() < 6e-5
    assert table["severity"].is_null().all()
    assert world.platform.quarantine.read().is_empty()
    assert _findings(world.inspect("1m", *span), "ohlc").is_empty()
    assert world.inspect("1h", *span).findings.is_empty()


def test_read_as_utc_almost_every_session_drifts(tmp_path: Path, test_data: Path) -> None:
    world = world_of(tmp_path, test_data, "UTC", JANUARY)
    severities = drift_of(world, JANUARY)["severity"]
    assert severities.to_list().count("error") == 19
    assert severities.to_list().count("warn") == 2
    refused = world.platform.quarantine.read()
    assert refused["reasons"].unique().to_list() == ["not_a_session"]
    assert refused.height > 1000


def test_the_documented_clock_is_told_by_the_hour_after_the_close(
    tmp_path: Path, test_data: Path
) -> None:
    """One hour moves EURUSD too little for the limit of errors in a calm month."""
    world = world_of(tmp_path, test_data, "-05:00", AFTER_THE_CHANGE)
    table = drift_of(world, AFTER_THE_CHANGE)
    right = 6e-5
    assert table["drift"].min() > 4 * right
    assert table["severity"].drop_nulls().to_list() == ["warn"] * 4
    refused = world.platform.quarantine.read()
    assert refused["reasons"].unique().to_list() == ["not_a_session"]
    assert refused.height == 120
    closed = _findings(world.inspect("1m", *AFTER_THE_CHANGE), "ohlc")
    assert closed.select("session", "code", "severity").rows() == [
        (date(2017, 3, 18), "not_a_session", "error"),
        (date(2017, 3, 25), "not_a_session", "error"),
    ]


def _findings(checks: Inspection, name: str) -> pl.DataFrame:
    return checks.findings.filter(pl.col("check") == name)
