"""Alpha Vantage's times: which end of a bar is stamped, across changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from adapters.vendors.alpha_vantage.stamps import NEW_YORK, dates, starts, zone_of
from market_data.errors import MalformedAnswerError
from market_data.timeframes import Timeframe

M15, M30, H1 = Timeframe.M15, Timeframe.M30, Timeframe.H1


def at(*stamps: str, timeframe: Timeframe = M15, label: str = "") -> list[datetime | None]:
    found = starts(pl.Series(stamps, dtype=pl.String), timeframe, NEW_YORK, week=False, label=label)
    return found.to_list()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_a_session_that_ends_with_a_bar_is_stamped_at_ends() -> None:
    assert at("2019-03-08 16:00:00", "2019-03-08 15:45:00", "2019-03-08 09:45:00") == [
        utc(2019, 3, 8, 20, 45), utc(2019, 3, 8, 20, 30), utc(2019, 3, 8, 14, 30),
    ]  # fmt: skip


def test_a_session_that_begins_with_a_bar_is_stamped_at_starts() -> None:
    assert at("2024-03-08 15:45:00", "2024-03-08 09:30:00") == [
        utc(2024, 3, 8, 20, 45), utc(2024, 3, 8, 14, 30),
    ]  # fmt: skip


@pytest.mark.parametrize(("odd", "year"), [("16:00:00", 2024), ("09:30:00", 2019)])
def test_one_odd_bar_moves_no_other(odd: str, year: int) -> None:
    days = ("03-06", "03-07", "03-08")
    told = [f"{year}-{day} 12:00:00" for day in days]
    for some in (days[:1], days[:2]):
        with pytest.raises(MalformedAnswerError, match="not usual of its time"):
            at(*told, *(f"{year}-{day} {odd}" for day in some))
    step = timedelta(minutes=15 if odd.startswith("16") else 0)
    found = at(*told, *(f"{year}-{day} {odd}" for day in days))
    assert found[0] == utc(year, 3, 6, 17, 0) - step


def test_hours_that_end_at_full_hours_are_none_of_a_session_from_half_past_nine() -> None:
    ends = ("2019-03-08 16:00:00", "2019-03-08 15:00:00", "2019-03-08 10:00:00")
    for label in ("", "end"):
        with pytest.raises(MalformedAnswerError, match="full hours in the middle"):
            at(*ends, timeframe=H1, label=label)


@pytest.mark.parametrize("order", [1, -1], ids=["oldest first", "newest first"])
def test_each_day_has_the_offset_of_its_own_season(order: int) -> None:
    days = ("2024-03-08", "2024-03-11", "2024-10-31", "2024-11-04")[::order]
    found = at(*(f"{day} 09:30:00" for day in days))
    assert found == [
        utc(2024, 3, 8, 14, 30), utc(2024, 3, 11, 13, 30),
        utc(2024, 10, 31, 13, 30), utc(2024, 11, 4, 14, 30),
    ][::order]  # fmt: skip


def test_a_long_history_is_the_one_that_polars_converts() -> None:
    local = pl.datetime_range(utc(2019, 1, 1, 9, 30), utc(2024, 12, 31, 16), "30m", eager=True)
    local = local.dt.replace_time_zone(None)
    local = local.filter(local.dt.hour().is_between(4, 19)).reverse()
    exact = local.dt.replace_time_zone(NEW_YORK).dt.convert_time_zone("UTC")
    assert at(*local.dt.to_string("%Y-%m-%d %H:%M:%S"), label="start") == exact.to_list()


def test_hours_that_the_clock_skips_or_repeats() -> None:
    found = at("2024-11-03 01:30:00", "2024-03-10 02:30:00", "2024-03-08 09:30:00")
    assert found == [utc(2024, 11, 3, 5, 30), None, utc(2024, 3, 8, 14, 30)]


def test_the_half_hour_at_the_end_of_a_session_starts_where_it_does() -> None:
    found = at("2019-02-15 16:00:00", "2019-02-15 15:30:00", "2019-02-15 10:30:00", timeframe=H1)
    assert found == [utc(2019, 2, 15, 20, 30), utc(2019, 2, 15, 19, 30), utc(2019, 2, 15, 14, 30)]


def test_half_hours_fill_a_session_whichever_end_is_stamped() -> None:
    ended = at("2019-02-15 16:00:00", "2019-02-15 10:00:00", timeframe=M30)
    assert ended == [utc(2019, 2, 15, 20, 30), utc(2019, 2, 15, 14, 30)]
    begun = at("2024-03-08 15:30:00", "2024-03-08 09:30:00", timeframe=M30)
    assert begun == [utc(2024, 3, 8, 20, 30), utc(2024, 3, 8, 14, 30)]


def test_an_answer_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(MalformedAnswerError, match="holds both"):
        at("2024-03-08 16:00:00", "2024-03-07 09:30:00")


def test_an_answer_that_does_not_tell_is_refused_until_somebody_says() -> None:
    with pytest.raises(MalformedAnswerError, match="option 'label'"):
        at("2024-03-08 12:00:00")
    assert at("2024-03-08 12:00:00", label="start") == [utc(2024, 3, 8, 17)]
    assert at("2024-03-08 12:00:00", label="end") == [utc(2024, 3, 8, 16, 45)]


@pytest.mark.parametrize(
    ("stamp", "step"),
    # Friday's close in New York's winter and summer; Sunday's open.
    [("2018-12-21 22:00:00", 15), ("2018-09-14 21:00:00", 15), ("2024-01-07 22:00:00", 0)],
)
def test_the_week_of_currencies_tells_it_by_its_ends(stamp: str, step: int) -> None:
    found = starts(pl.Series([stamp]), M15, "UTC", week=True)
    expected = datetime.fromisoformat(stamp).replace(tzinfo=UTC) - timedelta(minutes=step)
    assert found.to_list() == [expected]


def test_other_days_at_that_hour_tell_nothing() -> None:
    with pytest.raises(MalformedAnswerError):
        starts(pl.Series(["2024-01-10 22:00:00"]), M15, "UTC", week=True)


def test_what_is_no_time_is_no_bar() -> None:
    texts = ["", "2024-02-30", "2024-03-08 12:00", "99999-01-01", "0001-01-01", None, "2024-03-08"]
    found = dates(pl.Series(texts, dtype=pl.String)).to_list()
    assert found == [None] * 6 + [utc(2024, 3, 8)]
    stamps = ["x", "2024-03-08", "9999-12-31 09:30:00", None, "2024-03-08 09:30:00"]
    assert at(*stamps) == [None, None, None, None, utc(2024, 3, 8, 14, 30)]


def test_zones_by_the_names_that_answers_use() -> None:
    assert [zone_of(z) for z in ("", "US/Eastern", "UTC", "GMT+8")] == [
        NEW_YORK, NEW_YORK, "UTC", "Asia/Singapore",
    ]  # fmt: skip
    for wrong in ("Mars/Olympus", "../../etc/passwd", "\x00", "a" * 300, "UTC "):
        with pytest.raises(MalformedAnswerError, match="no such time zone"):
            zone_of(wrong)
