"""Periods as people write them."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from emp.arguments import days_of
from emp.moments import Period, day, instant, parse, period
from market_data.errors import ConfigurationError

EARLIEST, LATEST = date(1990, 1, 1), date(2026, 1, 2)


def between(start: object, end: object) -> Period:
    return period(start, end, earliest=EARLIEST, latest=LATEST)  # type: ignore[arg-type]


def test_days_are_sessions_both_included() -> None:
    assert between("2024-01-02", date(2024, 1, 5)) == Period((date(2024, 1, 2), date(2024, 1, 5)))


def test_one_open_end_reaches_to_the_bounds() -> None:
    assert between("2024-01-02", None).sessions == (date(2024, 1, 2), LATEST)
    assert between(None, "2024-01-02").sessions == (EARLIEST, date(2024, 1, 2))
    assert between(None, None) == Period()


def test_instants_are_utc_and_no_sessions() -> None:
    east = timezone(timedelta(hours=2))
    found = between("2024-01-02T14:30", datetime(2024, 1, 2, 18, 0, tzinfo=east))
    assert found == Period(
        None, datetime(2024, 1, 2, 14, 30, tzinfo=UTC), datetime(2024, 1, 2, 16, 0, tzinfo=UTC)
    )


def test_an_instant_without_offset_is_utc_whatever_the_machine_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse("2024-01-02T14:30", "start") == datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_day_and_an_instant_both_hold() -> None:
    found = between("2024-01-02", "2024-01-03T12:00:00Z")
    assert found.sessions == (date(2024, 1, 2), LATEST)
    assert found.end == datetime(2024, 1, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-01-03", "2024-01-02"),
        ("2024-01-03T10:00", "2024-01-03T10:00"),
        ("2024-01-03T10:00", "2024-01-02"),
    ],
)
def test_a_period_that_ends_before_it_starts_is_refused(start: str, end: str) -> None:
    with pytest.raises(ConfigurationError, match="before it starts"):
        between(start, end)


def test_days_of_a_period_come_in_order_and_an_error_names_them_as_they_were_given() -> None:
    day_after = date(2024, 1, 3)
    assert days_of("2024-01-02", day_after) == (date(2024, 1, 2), day_after)
    assert days_of(day_after, day_after) == (day_after, day_after)
    with pytest.raises(ConfigurationError, match=r"ends \(2024-01-02\) before it starts"):
        days_of(day_after, "2024-01-02")
    with pytest.raises(ConfigurationError, match=r"^end='soon' is no date"):
        days_of("2024-01-02", "soon")
    with pytest.raises(ConfigurationError, match=r"^--start='soon' is no date"):
        days_of("soon", "2024-01-02", names=("--start", "--end"))


def test_text_that_is_no_date_names_the_argument_and_the_cure() -> None:
    with pytest.raises(ConfigurationError, match=r"start='soon' is no date; write 2024-03-01"):
        parse("soon", "start")


def test_a_session_has_no_time_of_day() -> None:
    with pytest.raises(ConfigurationError, match="time of day"):
        day("2024-01-02T10:00", "end")


def test_as_of_a_day_is_its_first_moment() -> None:
    assert instant("2024-01-02", "as_of") == datetime(2024, 1, 2, tzinfo=UTC)
