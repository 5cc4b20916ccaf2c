"""Session labels, bar ends and daily starts of frames of bars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_data import schemas
from market_data.calendars import (
    daily_start,
    exchange_zone,
    with_bar_end,
    with_end_of_basis,
    with_session,
)
from market_data.calendars.wall_clock import local_instant
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe

NEW_YORK = ZoneInfo("America/New_York")
CHICAGO = ZoneInfo("America/Chicago")


def bars(*starts: datetime | None) -> pl.DataFrame:
    return pl.DataFrame({"ts": list(starts)}, schema={"ts": schemas.UTC})


def session_of(calendar: str, start: datetime) -> date:
    labelled: date = with_session(bars(start.astimezone(UTC)), calendar)["session"].item()
    return labelled


@pytest.mark.parametrize(
    ("calendar", "start", "expected"),
    [
        ("fx", datetime(2024, 7, 7, 22, 30, tzinfo=UTC), date(2024, 7, 8)),  # Sunday evening
        ("fx", datetime(2024, 7, 5, 16, 59, tzinfo=NEW_YORK), date(2024, 7, 5)),  # Friday's last
        ("fx", datetime(2024, 7, 4, 17, 0, tzinfo=NEW_YORK), date(2024, 7, 5)),
        ("fx", datetime(2024, 3, 10, 21, 0, tzinfo=UTC), date(2024, 3, 11)),
        ("fx", datetime(2024, 3, 7, 21, 59, tzinfo=UTC), date(2024, 3, 7)),
        ("fx", datetime(2024, 11, 3, 21, 59, tzinfo=UTC), date(2024, 11, 3)),  # before the open
        ("24/7", datetime(2024, 7, 7, 23, 59, tzinfo=UTC), date(2024, 7, 7)),
        ("XNYS", datetime(2024, 7, 5, 23, 30, tzinfo=UTC), date(2024, 7, 5)),
        ("XNYS", datetime(2024, 7, 6, 3, 59, tzinfo=UTC), date(2024, 7, 5)),
        ("XNYS", datetime(2024, 7, 6, 4, 0, tzinfo=UTC), date(2024, 7, 6)),
        ("XTKS", datetime(2024, 7, 4, 15, 0, tzinfo=UTC), date(2024, 7, 5)),
        ("CMES", datetime(2024, 7, 7, 17, 0, tzinfo=CHICAGO), date(2024, 7, 8)),
        ("CMES", datetime(2024, 7, 8, 16, 59, tzinfo=CHICAGO), date(2024, 7, 8)),
        ("CMES", datetime(2024, 7, 8, 17, 0, tzinfo=CHICAGO), date(2024, 7, 9)),
        ("us_futures", datetime(2024, 7, 7, 18, 30, tzinfo=NEW_YORK), date(2024, 7, 8)),
        # Good Friday is no session: Thursday evening already belongs to Monday.
        ("CMES", datetime(2024, 3, 28, 18, 0, tzinfo=CHICAGO), date(2024, 4, 1)),
    ],
)
def test_session_of_a_bar(calendar: str, start: datetime, expected: date) -> None:
    assert session_of(calendar, start) == expected


@pytest.mark.parametrize("calendar", ["fx", "24/7", "XNYS", "CMES"])
def test_with_session_keeps_rows_columns_and_nulls(calendar: str) -> None:
    late, early = datetime(2024, 7, 8, 15, tzinfo=UTC), datetime(2024, 1, 8, 15, tzinfo=UTC)
    frame = bars(late, None, early, late).with_columns(
        session=pl.lit(date(1999, 1, 1)), row=pl.int_range(4)
    )
    labelled = with_session(frame, calendar)
    assert labelled.columns == ["ts", "session", "row"]
    assert labelled["row"].to_list() == [0, 1, 2, 3]
    assert labelled["session"].to_list() == [late.date(), None, early.date(), late.date()]


@pytest.mark.parametrize("calendar", ["fx", "24/7", "XNYS", "CMES"])
def test_with_session_of_no_times(calendar: str) -> None:
    assert with_session(bars(), calendar).schema == {"ts": schemas.UTC, "session": pl.Date()}
    assert with_session(bars(None), calendar)["session"].to_list() == [None]


@pytest.mark.parametrize("calendar", ["fx", "XNYS", "CMES"])
def test_an_absurd_time_does_not_harm_its_neighbours(calendar: str) -> None:
    good = datetime(2024, 7, 8, 15, tzinfo=UTC)
    absurd = [datetime(1, 1, 1, 12, tzinfo=UTC), datetime(9999, 12, 31, 12, tzinfo=UTC)]
    labelled = with_session(bars(absurd[0], good, absurd[1]), calendar)["session"].to_list()
    assert labelled == [date(1, 1, 1), date(2024, 7, 8), date(9999, 12, 31)]


def minute_since_1971(minute: int) -> datetime:
    return datetime(1971, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)


@settings(max_examples=60, deadline=None)
@given(
    calendar=st.sampled_from(["fx", "XNYS", "XLON", "XTKS", "XASX", "BVMF"]),
    starts=st.lists(st.integers(0, 56 * 365 * 24 * 60).map(minute_since_1971), min_size=1),
)
def test_sessions_by_search_equal_the_zone_rules(calendar: str, starts: list[datetime]) -> None:
    zone = ZoneInfo(exchange_zone(calendar))
    shift = timedelta(hours=7) if calendar == "fx" else timedelta()
    expected = [(start + shift).astimezone(zone).date() for start in starts]
    assert with_session(bars(*starts), calendar)["session"].to_list() == expected


def test_local_midnight_that_the_clocks_skip() -> None:
    # São Paulo went from 23:59:59 to 01:00 on 4 November 2018.
    day = pl.lit(date(2018, 11, 4))
    instant = pl.select(local_instant(day, "America/Sao_Paulo")).item()
    assert instant == datetime(2018, 11, 4, 3, tzinfo=UTC)


def ends(calendar: str, timeframe: Timeframe, *starts: datetime) -> list[datetime]:
    return with_bar_end(with_session(bars(*starts), calendar), calendar, timeframe)[
        "bar_end"
    ].to_list()


def test_bar_end_is_clipped_to_the_close_and_the_break() -> None:
    day = datetime(2024, 7, 3, tzinfo=UTC)  # New York closes at 17:00 UTC
    assert ends("XNYS", Timeframe.H1, day.replace(hour=13, minute=30)) == [
        day.replace(hour=14, minute=30)
    ]
    assert ends("XNYS", Timeframe.H1, day.replace(hour=16, minute=30)) == [day.replace(hour=17)]
    tokyo = [day.replace(hour=h, minute=m) for h, m in ((2, 0), (3, 30), (5, 30))]
    assert ends("XTKS", Timeframe.H1, *tokyo) == [
        day.replace(hour=2, minute=30),
        day.replace(hour=4, minute=30),
        day.replace(hour=6),
    ]


def test_bar_end_outside_the_session_is_never_before_the_bar() -> None:
    after_close = datetime(2024, 7, 3, 20, tzinfo=UTC)
    saturday = datetime(2024, 7, 6, 15, tzinfo=UTC)
    hour = timedelta(hours=1)
    assert ends("XNYS", Timeframe.H1, after_close, saturday) == [
        after_close + hour,
        saturday + hour,
    ]
    assert ends("XNYS", Timeframe.D1, saturday) == [saturday + timedelta(days=1)]


def test_daily_bar_end_is_the_close() -> None:
    frame = pl.DataFrame(
        {
            "ts": [datetime(2024, 7, 5, tzinfo=UTC), datetime(2024, 7, 3, tzinfo=UTC)],
            "session": [date(2024, 7, 5), date(2024, 7, 3)],
        },
        schema={"ts": schemas.UTC, "session": pl.Date},
    )
    assert with_bar_end(frame, "XNYS", Timeframe.D1)["bar_end"].to_list() == [
        datetime(2024, 7, 5, 20, tzinfo=UTC),
        datetime(2024, 7, 3, 17, tzinfo=UTC),
    ]
    assert with_bar_end(frame.clear(), "XNYS", Timeframe.D1).schema == {
        "ts": schemas.UTC,
        "session": pl.Date(),
        "bar_end": schemas.UTC,
    }


def daily(*sessions: date, basis: str = "") -> pl.DataFrame:
    return daily_start(pl.DataFrame({"session": list(sessions)}), "fx").with_columns(
        basis=pl.lit(basis)
    )


@pytest.mark.parametrize(
    ("day", "winter", "summer"),
    [
        ("", "2024-01-03 22:00", "2024-07-03 21:00"),
        ("Europe/London 00:00", "2024-01-04 00:00", "2024-07-03 23:00"),
        ("UTC 00:00", "2024-01-04 00:00", "2024-07-04 00:00"),
        ("Etc/GMT+5 00:00", "2024-01-04 05:00", "2024-07-04 05:00"),
        ("Asia/Tokyo 00:00", "2024-01-03 15:00", "2024-07-03 15:00"),
        ("America/New_York 17:00", "2024-01-04 22:00", "2024-07-04 21:00"),
    ],
)
def test_a_day_of_the_vendors_own_ends_when_it_does(day: str, winter: str, summer: str) -> None:
    frame = daily(date(2024, 1, 3), date(2024, 7, 3))
    expected = [datetime.fromisoformat(t).replace(tzinfo=UTC) for t in (winter, summer)]
    assert with_bar_end(frame, "fx", Timeframe.D1, day)["bar_end"].to_list() == expected


def test_the_vendors_day_is_as_long_as_its_clocks_make_it() -> None:
    # London's clocks change on Sunday 31 March and on Sunday 27 October 2024.
    days = [date(2024, 3, 28), date(2024, 3, 30), date(2024, 3, 31), date(2024, 10, 27)]
    ended = with_bar_end(daily(*days), "fx", Timeframe.D1, "Europe/London 00:00")
    assert ended["bar_end"].dt.strftime("%d %H").to_list() == ["29 00", "31 00", "31 23", "28 00"]
    assert ended["session"].to_list() == days


def test_the_vendors_day_says_nothing_about_a_shorter_bar() -> None:
    start = bars(datetime(2024, 1, 3, 12, tzinfo=UTC))
    frame = with_session(start, "fx")
    ended = with_bar_end(frame, "fx", Timeframe.H1, "Europe/London 00:00")
    assert ended["bar_end"].to_list() == [datetime(2024, 1, 3, 13, tzinfo=UTC)]


def test_a_day_that_is_over_before_the_session_opens_ends_no_bar_before_its_start() -> None:
    frame = daily_start(pl.DataFrame({"session": [date(2024, 1, 3)]}), "XNYS")
    ended = with_bar_end(frame, "XNYS", Timeframe.D1, "Pacific/Auckland 00:00")
    assert ended["bar_end"].to_list() == [datetime(2024, 1, 4, 14, 30, tzinfo=UTC)]


@pytest.mark.parametrize("day", ["London", "Europe/London", "Europe/Lundon 00:00", "UTC 24:00"])
def test_a_day_that_is_no_zone_and_hour_is_refused(day: str) -> None:
    with pytest.raises(ConfigurationError, match="Europe/London 00:00"):
        with_bar_end(daily(date(2024, 1, 3)), "fx", Timeframe.D1, day)


def test_each_bar_ends_with_the_day_of_its_basis() -> None:
    texts = ["splits|mid|USD|regular|Europe/London 00:00", "raw|mid||regular|"]
    texts += ["raw|bid||regular|Etc/GMT+5 00:00", "raw|mid||regular|Europe/London 00:00"]
    frame = daily(*[date(2024, 1, 3)] * 4).with_columns(basis=pl.Series(texts))
    ended = with_end_of_basis(frame, "fx", Timeframe.D1)
    assert ended["bar_end"].dt.strftime("%d %H").to_list() == ["04 00", "03 22", "04 05", "04 00"]
    assert ended.drop("bar_end").equals(frame)
    empty = with_end_of_basis(frame.clear(), "fx", Timeframe.D1)
    assert empty.schema == ended.schema


def test_daily_start_is_the_open_or_local_midnight() -> None:
    dates = [date(2024, 7, 5), date(2024, 7, 4), date(2024, 1, 8)]
    frame = pl.DataFrame({"session": dates, "row": [0, 1, 2]})
    started = daily_start(frame, "XNYS")
    assert started["row"].to_list() == [0, 1, 2]
    assert started.schema["ts"] == schemas.UTC
    assert started["ts"].to_list() == [
        datetime(2024, 7, 5, 13, 30, tzinfo=UTC),
        datetime(2024, 7, 4, 4, tzinfo=UTC),  # a holiday
        datetime(2024, 1, 8, 14, 30, tzinfo=UTC),
    ]
    assert daily_start(frame, "fx")["ts"].to_list() == [
        datetime(2024, 7, 4, 21, tzinfo=UTC),
        datetime(2024, 7, 3, 21, tzinfo=UTC),
        datetime(2024, 1, 7, 22, tzinfo=UTC),
    ]
    vendor_dates = frame.with_columns(ts=pl.col("session").cast(schemas.UTC))
    assert daily_start(vendor_dates, "XNYS")["ts"].equals(started["ts"])
