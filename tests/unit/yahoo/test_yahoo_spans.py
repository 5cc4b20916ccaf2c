"""Which questions a request to Yahoo takes, and how far they reach for events."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.vendors.yahoo.spans import has_later_events, seconds_of, spans_of
from market_data.ports import FetchRequest, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

DAY = timedelta(days=1)
OPENING = datetime(2024, 4, 10, 13, 30, tzinfo=UTC)
"""Of an ex-date in New York; its events bear this time."""
MIDNIGHT = datetime(2024, 4, 10, 4, tzinfo=UTC)
"""In New York, where the session before ends."""


def wanted(kind: AssetClass = AssetClass.EQUITY) -> SymbolRequest:
    return SymbolRequest(Instrument(symbol="ZZZ", asset_class=kind, calendar="XNYS"), "ZZZ")


def request(now: datetime, timeframe: str = "1h", *, days: float = 5) -> FetchRequest:
    """For the sessions until the one before the ex-date."""
    daily = timeframe == "1d"
    end = datetime(2024, 4, 10, tzinfo=UTC) if daily else MIDNIGHT
    return FetchRequest((wanted(),), Timeframe(timeframe), end - days * DAY, end, now)


def reach(asked: FetchRequest, kind: AssetClass = AssetClass.EQUITY) -> datetime:
    """Until when the question of the newest bars asks."""
    newest = spans_of(wanted(kind), asked)[-1]
    return datetime.fromtimestamp(seconds_of(wanted(kind), asked, newest)[1], UTC)


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "1h", "1d"])
@pytest.mark.parametrize(
    "now",
    [
        pytest.param(OPENING - timedelta(hours=15), id="the evening before"),
        pytest.param(MIDNIGHT, id="at midnight"),
        pytest.param(OPENING - timedelta(hours=3), id="before the opening"),
        pytest.param(OPENING, id="at the opening"),
        pytest.param(OPENING + timedelta(hours=8), id="in the evening"),
        pytest.param(MIDNIGHT + DAY, id="a day later"),
        pytest.param(OPENING + 9 * DAY, id="days later"),
    ],
)
def test_no_event_of_the_day_is_missed_and_none_is_asked_for_twice(
    timeframe: str, now: datetime
) -> None:
    asked = request(now, timeframe)
    assert has_later_events(wanted(), asked) != (reach(asked) > max(OPENING, now))


def test_what_ended_long_ago_is_asked_for_as_before() -> None:
    asked = request(OPENING + 9 * DAY)
    assert has_later_events(wanted(), asked)
    assert reach(asked) == MIDNIGHT


def test_a_whole_week_of_minutes_cannot_reach_further() -> None:
    evening = request(OPENING + timedelta(hours=8), "1m", days=7)
    assert has_later_events(wanted(), evening)
    assert reach(evening) == MIDNIGHT
    # The day that trades still is over at midnight: nothing has come after it.
    before = request(OPENING - timedelta(hours=15), "1m", days=7)
    assert not has_later_events(wanted(), before)
    assert reach(before) == MIDNIGHT


def test_older_spans_end_where_the_next_begins() -> None:
    asked = request(OPENING, "1m", days=10)
    older, newest = spans_of(wanted(), asked)
    assert seconds_of(wanted(), asked, older)[1] == newest[0].timestamp()
    assert reach(asked) == OPENING + DAY


def test_a_pair_of_currencies_has_no_events() -> None:
    asked = request(OPENING)
    assert not has_later_events(wanted(AssetClass.FX), asked)
    assert reach(asked, AssetClass.FX) == MIDNIGHT


def test_a_daily_question_covers_the_day_after_its_last() -> None:
    asked = request(datetime(2024, 4, 9, 1, tzinfo=UTC), "1d")
    assert reach(asked).date() == date(2024, 4, 11)
