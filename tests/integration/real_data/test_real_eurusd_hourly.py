"""EURUSD by the hour from two dealers over eleven years, one of them with a wrong clock at first.

FXCM's file is said to be in UTC-05:00 throughout. Until September 2009 it runs nine or ten hours
behind UTC instead. Nobody tells the platform: its drift check has to.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.calendars import trading_sessions
from market_data.pipeline.inspection import Inspection
from tests.support.worlds import FileVendor, World

SPAN = (date(2007, 4, 2), date(2018, 7, 4))
WRONG_UNTIL, RIGHT_FROM = date(2009, 9, 18), date(2009, 9, 21)
FEEDS = ("oanda", "fxcm")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> World:
    made = World.at(tmp_path_factory.mktemp("hourly"), datetime(2018, 7, 6, tzinfo=UTC))
    made = made.register(
        *(
            FileVendor(
                f"{feed}_files",
                {
                    "1h": (
                        f"lean_forex_hour_{feed}",
                        test_data / "intraday" / f"fx_1h_{feed}" / "eurusd.zip",
                    )
                },
                ("EURUSD",),
            )
            for feed in FEEDS
        )
    )
    made.load_and_curate(("oanda_files", "fxcm_files"), "1h", "EURUSD", *SPAN)
    return made


@pytest.fixture(scope="module")
def checks(world: World) -> Inspection:
    return world.inspect("1h", *SPAN)


@pytest.fixture(scope="module")
def bars(world: World) -> pl.DataFrame:
    return world.read("1h", "EURUSD", quality="all")


@pytest.mark.parametrize(
    ("sunday", "session"),
    [
        (datetime(2012, 1, 8, 22, tzinfo=UTC), date(2012, 1, 9)),
        (datetime(2012, 7, 8, 21, tzinfo=UTC), date(2012, 7, 9)),
    ],
    ids=["winter", "summer"],
)
def test_the_first_bar_of_the_week_is_sundays_and_mondays(
    bars: pl.DataFrame, sunday: datetime, session: date
) -> None:
    of_monday = bars.filter(pl.col("session") == session)
    assert of_monday["ts"][0] == sunday
    assert of_monday.height == 24


def test_every_bar_lies_in_its_session_and_none_on_a_weekend(bars: pl.DataFrame) -> None:
    hours = trading_sessions("fx", *SPAN).select("session", opens="open", closes="close")
    placed = bars.join(hours, on="session", how="left")
    inside = (pl.col("ts") >= pl.col("opens")) & (pl.col("ts") < pl.col("closes"))
    assert placed.select(inside.all(ignore_nulls=False)).item()
    assert bars["session"].dt.weekday().max() == 5
    local = bars["ts"].dt.convert_time_zone("America/New_York")
    assert not ((local.dt.weekday() == 5) & (local.dt.hour() >= 17)).any()
    assert not (local.dt.weekday() == 6).any()
    assert not ((local.dt.weekday() == 7) & (local.dt.hour() < 17)).any()


def test_the_day_has_24_bars_also_when_the_clocks_change(bars: pl.DataFrame) -> None:
    """Both changes lie in the weekend; the UTC hour of the first bar moves, the count does not."""
    week = bars.filter(pl.col("session").is_between(date(2012, 3, 5), date(2012, 3, 16)))
    counts = week.group_by("session", maintain_order=True).agg(
        pl.len(), first=pl.col("ts").first().dt.hour()
    )
    assert counts["len"].unique().to_list() == [24]
    assert counts["first"].to_list() == [22] * 5 + [21] * 5


def test_quotes_while_the_market_is_closed_are_refused_by_name(world: World) -> None:
    refused = world.platform.quarantine.read(sessions=(date(2010, 1, 1), SPAN[1]))
    assert refused["reasons"].unique().to_list() == ["not_a_session"]
    assert refused["vendor"].unique().to_list() == ["fxcm_files"]
    hours = refused["ts"].dt.convert_time_zone("America/New_York").dt.strftime("%a %H")
    counted = dict(hours.value_counts().iter_rows())
    print(f"\nFXCM outside the week, from 2010: {counted}")
    assert sum(counted[f"Sun {h}"] for h in (14, 15, 16)) > 0.95 * refused.height


def test_the_wrong_clock_is_caught(checks: Inspection) -> None:
    drift = checks.measured["drift"].filter(pl.col("session") <= WRONG_UNTIL)
    found = _severities(checks).filter(pl.col("session") <= WRONG_UNTIL)
    errors = found.filter(pl.col("severity") == "error")
    lively = drift.filter(pl.col("session") >= date(2008, 9, 1))
    lively_errors = errors.filter(pl.col("session") >= date(2008, 9, 1))
    print(
        f"\nwrong clock: {drift.height} sessions, {errors.height} errors, {found.height} errors or "
        f"warnings; from 2008-09 {lively_errors.height} errors of {lively.height}; "
        f"{_quantiles(drift)}"
    )
    assert drift.height == 637
    assert errors.height / drift.height > 0.65
    assert found.height / drift.height > 0.9
    assert lively_errors.height / lively.height > 0.85
    assert found["session"].max() == WRONG_UNTIL
    weekly = drift.join(errors, on="session", how="semi").select(
        pl.col("session").dt.truncate("1w").n_unique()
    )
    weeks = drift.select(pl.col("session").dt.truncate("1w").n_unique()).item()
    assert weekly.item() / weeks > 0.85


def test_no_session_of_the_right_clock_is_accused(checks: Inspection) -> None:
    drift = checks.measured["drift"].filter(pl.col("session") >= RIGHT_FROM)
    print(f"\nright clock: {drift.height} sessions, {_quantiles(drift)}")
    assert drift.height > 2250
    assert drift["drift"].max() < 5e-4
    assert drift.filter(pl.col("bars") > 2)["drift"].max() < 1e-4
    assert _severities(checks).filter(pl.col("session") >= RIGHT_FROM).is_empty()


def test_sessions_of_the_wrong_clock_are_withheld(world: World) -> None:
    """Two vendors, nobody knows which: neither is served unless asked for."""
    day = (date(2008, 10, 15), date(2008, 10, 15))
    assert world.read("1h", "EURUSD", sessions=day).is_empty()
    every = world.read("1h", "EURUSD", sessions=day, quality="all")
    assert every["dq_status"].unique().to_list() == ["error"]
    assert "drift" in every["flags"][0].split(",")


def _severities(checks: Inspection) -> pl.DataFrame:
    return checks.findings.filter(pl.col("check") == "drift").select("session", "severity")


def _quantiles(drift: pl.DataFrame) -> str:
    values = drift["drift"]
    named = (f"p{q:g} {values.quantile(q / 100):.1e}" for q in (1, 10, 50, 90, 99))
    return f"{', '.join(named)}, max {values.max():.1e}"
