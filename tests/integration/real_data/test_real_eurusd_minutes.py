"""EURUSD by the minute from two dealers, and the hours that are made of these minutes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.calendars import trading_sessions
from tests.support.worlds import FileVendor, World

SPAN = (date(2014, 5, 2), date(2014, 5, 15))


def minutes_of(data: Path, dealer: str) -> FileVendor:
    feed = (f"lean_forex_minute_{dealer}", data / f"intraday/fx_1m_{dealer}")
    return FileVendor(f"{dealer}_files", {"1m": feed}, ("EURUSD",))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> World:
    made = World.at(tmp_path_factory.mktemp("minutes"), datetime(2014, 5, 17, tzinfo=UTC))
    made = made.register(minutes_of(test_data, "oanda"), minutes_of(test_data, "fxcm"))
    made.load_and_curate(("oanda_files", "fxcm_files"), "1m", "EURUSD", *SPAN)
    made.curate("1h", "EURUSD", *SPAN)
    return made


def test_minutes_belong_to_the_sessions_of_new_york(world: World) -> None:
    bars = world.read("1m", "EURUSD", quality="all")
    sessions = trading_sessions("fx", *SPAN)
    assert bars["session"].unique().sort().to_list() == sessions["session"].to_list()
    placed = bars.join(sessions.select("session", opens="open", closes="close"), on="session")
    inside = (pl.col("ts") >= pl.col("opens")) & (pl.col("ts") < pl.col("closes"))
    assert placed.select(inside.all(ignore_nulls=False)).item()
    monday = bars.filter(pl.col("session") == date(2014, 5, 5))
    assert monday["ts"][0].date() == date(2014, 5, 4)
    counts = bars.group_by("session").len().sort("session")
    print(f"\n{counts.rows()}, sources {dict(bars['source'].value_counts().iter_rows())}")


def test_two_dealers_do_not_drift(world: World) -> None:
    checks = world.inspect("1m", *SPAN)
    drift = checks.measured["drift"]
    print(f"\n1m: {drift.select('session', 'drift', 'drift_max', 'bars').rows()}")
    assert drift.height == 10
    assert drift["bars"].min() > 1000
    assert drift["drift"].max() < 1e-4
    assert checks.findings.filter(pl.col("check") == "drift").is_empty()


@pytest.fixture(scope="module")
def on_the_bid(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> World:
    """Oanda's minutes, and its own hours as another vendor, on one side of the market.

    The highest mid price of an hour's minutes is not the mean of its highest bid and ask.
    """
    folder = tmp_path_factory.mktemp("bid")
    for feed in ("hour", "minute"):
        spec = f"extends: lean_forex_{feed}_oanda\nname: {feed}_bid\nside: bid\n"
        (folder / f"{feed}_bid.yaml").write_text(spec)
    hours = (str(folder / "hour_bid.yaml"), test_data / "intraday/fx_1h_oanda/eurusd.zip")
    minutes = (str(folder / "minute_bid.yaml"), test_data / "intraday/fx_1m_oanda")
    made = World.at(folder, datetime(2014, 5, 17, tzinfo=UTC)).register(
        FileVendor("oanda_files", {"1m": minutes}, ("EURUSD",)),
        FileVendor("oanda_hours", {"1h": hours}, ("EURUSD",)),
    )
    made.load("oanda_files", "1m", "EURUSD", *SPAN)
    made.curate("1m", "EURUSD", *SPAN)
    return made


def test_hours_made_of_minutes_are_the_dealers_own_hours(on_the_bid: World) -> None:
    on_the_bid.curate("1h", "EURUSD", *SPAN)
    made = on_the_bid.read("1h", "EURUSD", quality="all")
    assert made["source"].unique().to_list() == ["oanda_files@1m"]
    minutes = on_the_bid.read("1m", "EURUSD", quality="all")
    complete = minutes.group_by(ts=pl.col("ts").dt.truncate("1h")).len().filter(pl.col("len") == 60)

    on_the_bid.load_and_curate("oanda_hours", "1h", "EURUSD", *SPAN)
    native = on_the_bid.read("1h", "EURUSD", quality="all")
    assert native["source"].unique().to_list() == ["oanda_hours"]

    both = made.join(native, on="ts", suffix="_own").join(complete, on="ts", how="semi")
    before = native.select(pl.col("ts"), before=pl.col("close").shift(1))
    both = both.join(before, on="ts", how="left")
    # The dealer's hours open at the close of the hour before, which then counts as one of their
    # prices; its minutes open at their own first quote.
    apart = {
        "open": pl.min_horizontal(_apart("open", "open_own"), _apart("before", "open_own")),
        "high": _apart(pl.max_horizontal("high", "open_own"), "high_own"),
        "low": _apart(pl.min_horizontal("low", "open_own"), "low_own"),
        "close": _apart("close", "close_own"),
    }
    worst = both.select(value.max().alias(name) for name, value in apart.items()).row(0, named=True)
    print(f"\n{made.height} hours made, {both.height} of 60 minutes, worst difference {worst}")
    assert made.height == native.height == 240
    assert both.height > 100
    assert max(worst.values()) < 1e-9
    quotes = minutes.group_by(ts=pl.col("ts").dt.truncate("1h")).agg(first=pl.col("open").first())
    assert made.join(quotes, on="ts").select((pl.col("open") == pl.col("first")).all()).item()


def _apart(a: str | pl.Expr, b: str) -> pl.Expr:
    return ((pl.col(a) if isinstance(a, str) else a) - pl.col(b)).abs()
