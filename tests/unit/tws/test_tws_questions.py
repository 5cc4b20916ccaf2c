"""Questions for historical bars: pages, durations and ends that IB takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.vendors.tws.questions import BAR_SIZES, SPANS, Page, pages
from market_data.timeframes import Timeframe

NOW = datetime(2024, 6, 1, tzinfo=UTC)
START = datetime(2024, 1, 1, tzinfo=UTC)


def asked(timeframe: Timeframe, days: float, kind: str = "STK", now: datetime = NOW) -> list[Page]:
    return list(pages(kind, timeframe, START, START + timedelta(days=days), now))


def test_minutes_are_asked_week_by_week_backwards() -> None:
    found = asked(Timeframe.M1, 10)
    assert [(p.start.day, p.end.day) for p in found] == [(4, 11), (1, 4)]
    assert [p.question.end for p in found] == ["20240111-00:00:00", "20240104-00:00:00"]
    assert [p.question.duration for p in found] == ["8 D", "4 D"]
    assert {p.question.bar_size for p in found} == {"1 min"}


def test_days_are_asked_year_by_year() -> None:
    found = asked(Timeframe.D1, 100)
    assert [p.question.duration for p in found] == ["1 Y"]
    assert found[0].question.end == "20240411-00:00:00"
    assert [p.question.duration for p in asked(Timeframe.D1, 5)] == ["1 M"]


@pytest.mark.parametrize(
    ("kind", "prices", "regular"),
    [
        ("STK", "TRADES", True),
        ("IND", "TRADES", True),
        ("FUT", "TRADES", False),
        ("CASH", "MIDPOINT", False),
        ("CRYPTO", "AGGTRADES", False),
    ],
)
def test_a_kind_decides_prices_and_hours(kind: str, prices: str, regular: bool) -> None:
    (page,) = asked(Timeframe.M5, 1, kind)
    assert (page.question.prices, page.question.regular_hours) == (prices, regular)


def test_nothing_is_asked_about_what_has_not_begun() -> None:
    now = START + timedelta(days=3, hours=5)
    found = asked(Timeframe.M1, 20, now=now)
    assert found[0].question.end == "20240104-05:00:00"
    assert asked(Timeframe.M1, 1, now=START) == []
    # Monday's currencies are traded from Sunday evening on.
    sunday = START - timedelta(hours=1)
    assert [p.question.end for p in asked(Timeframe.D1, 1, now=sunday)] == ["20231231-23:00:00"]
    assert asked(Timeframe.D1, 1, now=START - timedelta(hours=25)) == []


@settings(max_examples=200, deadline=None)
@given(
    timeframe=st.sampled_from(list(BAR_SIZES)),
    minutes=st.integers(1, 900 * 24 * 60),
    back=st.integers(-10_000, 10_000_000),
)
def test_pages_cover_a_range_once_and_their_questions_reach_as_far(
    timeframe: Timeframe, minutes: int, back: int
) -> None:
    end = START + timedelta(minutes=minutes)
    now = end + timedelta(minutes=back)
    found = list(pages("STK", timeframe, START, end, now))
    for newer, older in pairwise(found):
        assert newer.start == older.end
    if found:
        assert found[-1].start == START
    for page in found:
        assert page.end - page.start <= SPANS[timeframe]
        until = datetime.strptime(page.question.end, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
        count, unit = page.question.duration.split()
        reach = timedelta(days=int(count) * {"D": 1, "M": 28, "Y": 365}[unit])
        assert until <= now
        assert until - reach <= page.start
        assert until + timedelta(seconds=1) > min(page.end, now)
        assert unit != "D" or int(count) <= 365
