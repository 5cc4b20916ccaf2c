"""Sessions against recorded ones, known dates, and the FX week across clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

from market_data.calendars import (
    exchange_zone,
    is_session,
    last_closed_session,
    trading_sessions,
)
from market_data.errors import ConfigurationError
from market_data.schemas import TRADING_SESSIONS

TIMES = ["open", "close", "break_start", "break_end"]


@pytest.mark.parametrize(
    ("calendar", "file", "sessions"),
    [
        ("XNYS", "xnys", 6300),
        ("XLON", "xlon", 6491),
        ("XETR", "xetr", 6462),
        ("XTKS", "xtks", 6128),
        ("XHKG", "xhkg", 6656),
        ("CMES", "cmes", 5042),
        ("24/5", "24-5", 261),
        ("24/7", "24-7", 366),
    ],
)
def test_sessions_equal_the_recorded_ones(
    calendar: str, file: str, sessions: int, test_data: Path
) -> None:
    path = test_data / "reference" / "exchange_sessions" / f"{file}.csv.gz"
    recorded = (
        pl.read_csv(path, infer_schema=False)
        .select(
            pl.col("").str.slice(0, 10).str.to_date().alias("session"),
            *(pl.col(t).str.to_datetime(time_unit="us", time_zone="UTC") for t in TIMES),
        )
        .filter(pl.col("session").is_between(date(1998, 1, 1), date(2024, 12, 31)))
    )
    ours = trading_sessions(calendar, recorded["session"][0], recorded["session"][-1])
    assert ours.select("session", *TIMES).equals(recorded)
    assert ours.height == sessions


def test_golden_values_of_new_york_in_2024() -> None:
    year = trading_sessions("XNYS", date(2024, 1, 1), date(2024, 12, 31))
    TRADING_SESSIONS.check(year)
    assert year.height == 252
    assert year["minutes"].sum() == 97_740
    early = year.filter("early_close")
    assert early["session"].to_list() == [date(2024, 7, 3), date(2024, 11, 29), date(2024, 12, 24)]
    assert early["minutes"].to_list() == [210, 210, 210]


def test_minutes_leave_the_lunch_break_out_and_a_half_day_has_none() -> None:
    tokyo = trading_sessions("XTKS", date(2024, 1, 4), date(2024, 1, 4)).row(0, named=True)
    assert tokyo["minutes"] == 300
    assert tokyo["break_start"] == datetime(2024, 1, 4, 2, 30, tzinfo=UTC)
    eve = trading_sessions("XHKG", date(2024, 12, 24), date(2024, 12, 24)).row(0, named=True)
    assert (eve["minutes"], eve["break_start"], eve["early_close"]) == (150, None, True)


def test_both_ends_are_included_and_an_inverted_range_is_empty() -> None:
    week = trading_sessions("XNYS", date(2024, 1, 8), date(2024, 1, 12))
    assert week["session"].to_list() == [date(2024, 1, d) for d in range(8, 13)]
    assert trading_sessions("XNYS", date(2024, 1, 12), date(2024, 1, 8)).is_empty()
    assert trading_sessions("XNYS", date(2024, 1, 13), date(2024, 1, 14)).is_empty()


@pytest.mark.parametrize("calendar", ["XNYS", "XLON", "XTKS", "XHKG", "CMES", "XSHG", "fx", "24/7"])
def test_a_range_from_1970_to_next_year_is_covered(calendar: str) -> None:
    frame = trading_sessions(calendar, date(1970, 1, 1), date(2027, 12, 31))
    TRADING_SESSIONS.check(frame)
    assert frame["session"].is_sorted()
    assert frame["session"].is_unique().all()
    assert (frame["close"] > frame["open"]).all()
    assert (frame["open"] >= frame["close"].shift(1)).all()
    per_year = frame.group_by(pl.col("session").dt.year()).len()
    assert per_year.height == 58
    assert per_year["len"].min() >= 220


def test_years_without_recorded_holidays_keep_the_usual_weekdays_and_hours() -> None:
    shanghai = trading_sessions("XSHG", date(2028, 3, 3), date(2028, 3, 6))
    assert shanghai["session"].to_list() == [date(2028, 3, 3), date(2028, 3, 6)]
    assert shanghai["open"][0] == datetime(2028, 3, 3, 1, 30, tzinfo=UTC)
    assert shanghai["break_start"][0] == datetime(2028, 3, 3, 3, 30, tzinfo=UTC)
    assert shanghai["minutes"].to_list() == [240, 240]
    # Hong Kong opened at 10:00 until 2011 and opens at 9:30 since; its records end with 2049.
    hong_kong = trading_sessions("XHKG", date(2051, 3, 3), date(2051, 3, 3))
    assert hong_kong["open"].to_list() == [datetime(2051, 3, 3, 1, 30, tzinfo=UTC)]
    # Riyadh trades from Sunday to Thursday; its holidays are recorded from 2021 on.
    riyadh = trading_sessions("XSAU", date(2015, 3, 1), date(2015, 3, 7))
    assert riyadh["session"].to_list() == [date(2015, 3, d) for d in range(1, 6)]


@pytest.mark.parametrize(
    ("monday", "open_hour", "close_hour"),
    [
        (date(2024, 3, 4), 22, 22),  # both in winter time
        (date(2024, 3, 11), 21, 21),  # New York changed on 10 March, Europe not yet
        (date(2024, 4, 1), 21, 21),  # Europe changed on 31 March
        (date(2024, 10, 28), 21, 21),  # Europe changed back on 27 October
        (date(2024, 11, 4), 22, 22),  # New York changed back on 3 November
        (date(2023, 7, 3), 21, 21),
    ],
)
def test_the_fx_week_holds_120_hours_in_every_season(
    monday: date, open_hour: int, close_hour: int
) -> None:
    week = trading_sessions("fx", monday - timedelta(days=1), monday + timedelta(days=5))
    assert week["session"].to_list() == [monday + timedelta(days=d) for d in range(5)]
    assert week["minutes"].to_list() == [1440] * 5
    sunday, friday = monday - timedelta(days=1), monday + timedelta(days=4)
    assert week["open"][0] == datetime(*sunday.timetuple()[:3], open_hour, tzinfo=UTC)
    assert week["close"][-1] == datetime(*friday.timetuple()[:3], close_hour, tzinfo=UTC)
    assert week["close"][-1] - week["open"][0] == timedelta(hours=120)


def test_fx_rests_on_new_year_and_christmas_only() -> None:
    days = pl.date_range(date(2024, 1, 1), date(2025, 1, 1), eager=True)
    weekdays = days.filter(days.dt.weekday() <= 5)
    closed = set(weekdays) - set(trading_sessions("fx", days[0], days[-1])["session"])
    assert closed == {date(2024, 1, 1), date(2024, 12, 25), date(2025, 1, 1)}
    assert not trading_sessions("fx", days[0], days[-1])["early_close"].any()


def test_crypto_trades_every_day_from_midnight_to_midnight_utc() -> None:
    leap_day = trading_sessions("24/7", date(2024, 2, 29), date(2024, 2, 29)).row(0, named=True)
    assert leap_day["open"] == datetime(2024, 2, 29, tzinfo=UTC)
    assert leap_day["close"] == datetime(2024, 3, 1, tzinfo=UTC)
    assert leap_day["minutes"] == 1440


def test_zones() -> None:
    zones = {c: exchange_zone(c) for c in ("XNYS", "XTKS", "CMES", "fx", "24/7", "24/5")}
    assert zones == {
        "XNYS": "America/New_York",
        "XTKS": "Asia/Tokyo",
        "CMES": "America/Chicago",
        "fx": "America/New_York",
        "24/7": "UTC",
        "24/5": "UTC",
    }


def test_the_code_asked_for_is_the_code_returned() -> None:
    alias = trading_sessions("NYSE", date(2024, 7, 1), date(2024, 7, 5))
    assert alias["calendar"].unique().to_list() == ["NYSE"]
    assert alias["session"].to_list() == [date(2024, 7, d) for d in (1, 2, 3, 5)]


def test_an_unknown_calendar_names_the_cure() -> None:
    with pytest.raises(ConfigurationError, match=r"'NOPE' is unknown.*universe\.yaml.*XNYS"):
        trading_sessions("NOPE", date(2024, 1, 1), date(2024, 1, 2))
    with pytest.raises(ConfigurationError, match="'NOPE' is unknown"):
        exchange_zone("NOPE")


def test_a_calendar_that_the_library_cannot_build_names_the_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise NotImplementedError("holiday rule")

    monkeypatch.setattr("exchange_calendars.get_calendar", broken)
    with pytest.raises(ConfigurationError, match=r"'XBEL' \(holiday rule\); upgrade"):
        trading_sessions("XBEL", date(2024, 1, 1), date(2024, 1, 2))


def test_is_session() -> None:
    assert is_session("XNYS", date(2024, 7, 5))
    assert not is_session("XNYS", date(2024, 7, 4))
    assert is_session("fx", date(2024, 7, 4))
    assert not is_session("fx", date(2024, 7, 6))
    assert is_session("24/7", date(2024, 7, 6))


@pytest.mark.parametrize(
    ("calendar", "now", "expected"),
    [
        ("XNYS", datetime(2024, 7, 3, 16, 59, tzinfo=UTC), date(2024, 7, 2)),
        ("XNYS", datetime(2024, 7, 3, 17, 0, tzinfo=UTC), date(2024, 7, 3)),  # early close
        ("XNYS", datetime(2024, 7, 7, 12, 0, tzinfo=UTC), date(2024, 7, 5)),
        ("XNYS", datetime(2001, 9, 16, 12, 0, tzinfo=UTC), date(2001, 9, 10)),
        ("fx", datetime(2024, 7, 5, 20, 59, tzinfo=UTC), date(2024, 7, 4)),
        ("fx", datetime(2024, 7, 5, 21, 0, tzinfo=UTC), date(2024, 7, 5)),
        ("24/7", datetime(2024, 7, 5, 23, 59, tzinfo=UTC), date(2024, 7, 4)),
        ("24/7", datetime(2024, 7, 6, 9, tzinfo=timezone(timedelta(hours=9))), date(2024, 7, 5)),
    ],
)
def test_last_closed_session(calendar: str, now: datetime, expected: date) -> None:
    assert last_closed_session(calendar, now) == expected


def test_last_closed_session_refuses_a_time_without_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        last_closed_session("XNYS", datetime(2024, 7, 3, 17, 0))  # noqa: DTZ001
