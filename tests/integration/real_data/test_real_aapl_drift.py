"""AAPL from Yahoo's download of 2018-01-20 against LEAN's bars as traded.

Yahoo's prices are divided by the splits until the day of the download, so they are fetched on that
day here; everything else happens three years and a 4:1 split later.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.basis import Adjustment, Basis
from market_data.datasets import raw_bars
from market_data.timeframes import Timeframe
from tests.support.worlds import FileVendor, World

DOWNLOADED = datetime(2018, 1, 20, 12, tzinfo=UTC)
NOW = datetime(2021, 4, 2, tzinfo=UTC)
SPAN = (date(2004, 8, 19), date(2018, 1, 19))
FILE = "daily/yahoo/yahoofinance-AAPL-20040819-20180120.csv"
WORST_DAY = date(2008, 10, 22)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> World:
    """Both vendors' bars, the factor file's actions, curated after the split of 2020."""
    at_download = World.at(tmp_path_factory.mktemp("aapl"), DOWNLOADED).register(
        FileVendor(
            "lean", {"1d": ("lean_daily", test_data / "daily/lean_usa/aapl.zip")}, ("AAPL",)
        ),
        FileVendor("yahoo_csv", {"1d": ("yahoo_csv", test_data / FILE)}, ("AAPL",)),
    )
    assert at_download.load("yahoo_csv", "1d", "AAPL", *SPAN).total_rows == 3379
    later = at_download.later(NOW)
    later.add_lean_actions(test_data / "reference/lean_factor_files/aapl.csv", "AAPL", snap=True)
    later.load_and_curate("lean", "1d", "AAPL", *SPAN)
    return later


@pytest.fixture(scope="module")
def served(test_data: Path) -> pl.DataFrame:
    """Yahoo's file as another reader sees it: session, yahoo, adj_close."""
    return pl.read_csv(test_data / FILE, try_parse_dates=True).select(
        session="Date", yahoo="Close", adj_close="Adj Close"
    )


@pytest.fixture(scope="module")
def of_yahoo_alone(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> World:
    """Yahoo's bars with nobody beside them."""
    made = World.at(tmp_path_factory.mktemp("yahoo"), DOWNLOADED).register(
        FileVendor("yahoo_csv", {"1d": ("yahoo_csv", test_data / FILE)}, ("AAPL",)),
    )
    made.add_lean_actions(test_data / "reference/lean_factor_files/aapl.csv", "AAPL", snap=True)
    made.load("yahoo_csv", "1d", "AAPL", *SPAN)
    later = made.later(NOW)
    later.curate("1d", "AAPL", *SPAN)
    return later


def test_both_vendors_speak_on_their_own_basis_in_the_raw_logs(world: World) -> None:
    read = world.platform.raw_log.read
    told = {
        vendor: Basis.parse(read(raw_bars(vendor, Timeframe.D1))["basis"].unique().item())
        for vendor in ("lean", "yahoo_csv")
    }
    assert told["lean"].adjustment is Adjustment.RAW
    assert told["yahoo_csv"].adjustment is Adjustment.SPLITS


def test_yahoos_prices_are_as_traded_after_curation(
    of_yahoo_alone: World, served: pl.DataFrame
) -> None:
    """Divided by the splits known until the download (2005 and 2014), not by that of 2020."""
    bars = of_yahoo_alone.read("1d", "AAPL").join(served, on="session")
    assert bars.height == 3379
    assert bars["flags"].unique().to_list() == ["deadjusted"]
    ratio = bars.select("session", ratio=(pl.col("close") / pl.col("yahoo")).round(6))
    steps = ratio.group_by("ratio", maintain_order=True).agg(
        first=pl.col("session").first(), last=pl.col("session").last()
    )
    assert steps.rows() == [
        (14.0, date(2004, 8, 19), date(2005, 2, 25)),
        (7.0, date(2005, 2, 28), date(2014, 6, 6)),
        (1.0, date(2014, 6, 9), date(2018, 1, 19)),
    ]


@pytest.mark.parametrize("vendor", ["", "lean", "yahoo_csv"], ids=["curated", "lean", "yahoo"])
def test_drift_is_neither_blind_nor_noisy(world: World, vendor: str) -> None:
    found = world.inspect("1d", *SPAN, vendor)
    drift = found.measured["drift"]
    values = drift["drift"]
    quantiles = {q: f"{values.quantile(q):.2e}" for q in (0.5, 0.9, 0.99, 0.999)}
    print(f"\n{found.dataset}: {values.len()} sessions, {quantiles}, max {values.max():.2e}")
    errors = found.findings.filter(pl.col("check") == "drift", pl.col("severity") == "error")
    warnings = found.findings.filter(pl.col("check") == "drift", pl.col("severity") == "warn")
    print(f"errors {errors['session'].to_list()}, warnings {warnings['session'].to_list()}")
    assert values.len() == 3379
    assert values.median() < 1e-6
    assert values.quantile(0.99) < 5e-3
    worst = drift.sort("drift").row(-1, named=True)
    assert worst["session"] == WORST_DAY
    assert worst["drift"] == pytest.approx(0.0133, abs=5e-4)
    assert WORST_DAY in errors["session"].to_list()
    assert errors.height == 2
    assert warnings.height == 5
    assert errors["code"].unique().to_list() == ["drift"]


def test_sessions_in_dispute_are_left_out_unless_asked_for(world: World) -> None:
    every = world.read("1d", "AAPL", quality="all")
    disputed = every.filter(pl.col("dq_status") == "error")
    assert every.height == 3379
    assert disputed.height == 2
    assert WORST_DAY in disputed["session"].to_list()
    assert all("drift" in flags.split(",") for flags in disputed["flags"])
    assert world.read("1d", "AAPL").height == 3377
    assert every["source"].unique().to_list() == ["lean"]


def test_yahoos_own_closes_adjusted_as_of_the_download_give_its_adjusted_close(
    of_yahoo_alone: World, served: pl.DataFrame
) -> None:
    total = of_yahoo_alone.read("1d", "AAPL", adjusted="total", as_of=DOWNLOADED, sessions=SPAN)
    error = _errors(total, served)["error"]
    print(f"\nYahoo as of its download against its Adj Close: max {error.max():.1e}")
    assert error.len() == 3379
    assert error.max() < 1e-3


def test_leans_closes_adjusted_as_of_the_download_give_yahoos_adjusted_close(
    world: World, served: pl.DataFrame
) -> None:
    """To 1e-3 wherever the two vendors' closes as traded agree so far themselves."""
    drift = world.inspect("1d", *SPAN).measured["drift"].select("session", "drift")
    total = world.read(
        "1d", "AAPL", adjusted="total", as_of=DOWNLOADED, sessions=SPAN, quality="all"
    )
    compared = _errors(total, served).join(drift, on="session")
    error = compared["error"]
    agreed = compared.filter(pl.col("drift") < 5e-4)
    print(
        f"\nLEAN as of the download against Yahoo's Adj Close: median {error.median():.1e}, "
        f"p99 {error.quantile(0.99):.1e}, max {error.max():.1e}, "
        f"{(error >= 1e-3).sum()} of {error.len()} above 1e-3; where the closes as traded agree "
        f"to 5e-4 ({agreed.height}): max {agreed['error'].max():.1e}"
    )
    assert error.len() == 3379
    assert error.median() < 1e-4
    assert (error >= 1e-3).sum() < 150
    assert agreed.height > 3000
    assert agreed["error"].max() < 1e-3


def _errors(bars: pl.DataFrame, served: pl.DataFrame) -> pl.DataFrame:
    """Columns session, error: the relative distance to Yahoo's adjusted close."""
    return bars.join(served, on="session").select(
        "session", error=(pl.col("close") / pl.col("adj_close") - 1).abs()
    )


MONTH = (date(2017, 6, 1), date(2017, 6, 30))


def read_in_2021(folder: Path, test_data: Path, exported: date | None) -> World:
    """The download beside LEAN's bars, read after the split of 2020 is known."""
    made = World.at(folder, NOW).register(
        FileVendor(
            "lean", {"1d": ("lean_daily", test_data / "daily/lean_usa/aapl.zip")}, ("AAPL",)
        ),
        FileVendor("yahoo_csv", {"1d": ("yahoo_csv", test_data / FILE)}, ("AAPL",)),
    )
    made.add_lean_actions(test_data / "reference/lean_factor_files/aapl.csv", "AAPL", snap=True)
    made.load_and_curate(("lean", "yahoo_csv"), "1d", "AAPL", *MONTH, exported=exported)
    return made


def test_a_download_that_is_read_today_keeps_to_the_day_in_its_name(
    tmp_path: Path, test_data: Path
) -> None:
    made = read_in_2021(tmp_path, test_data, None)
    assert made.inspect("1d", *MONTH).findings.is_empty()


def test_a_download_without_a_day_is_refused(tmp_path: Path, test_data: Path) -> None:
    nameless = tmp_path / "AAPL.csv"
    nameless.write_bytes((test_data / FILE).read_bytes())
    made = World.at(tmp_path / "world", NOW).register(
        FileVendor("yahoo_csv", {"1d": ("yahoo_csv", nameless)}, ("AAPL",))
    )
    report = made.load("yahoo_csv", "1d", "AAPL", *MONTH)
    assert report.total_rows == 0
    assert "prices-as-of" in report.outcomes["AAPL"].detail


def test_a_download_taken_for_one_of_today_is_caught(tmp_path: Path, test_data: Path) -> None:
    """Taken for an export of 2021, it would be divided by the split of 2020, unknown to it."""
    made = read_in_2021(tmp_path, test_data, NOW.date())
    drift = made.inspect("1d", *MONTH).findings.filter(pl.col("check") == "drift")
    assert drift.filter(pl.col("severity") == "error").height == 22
    assert drift["value"].min() == pytest.approx(0.75, abs=1e-3)
