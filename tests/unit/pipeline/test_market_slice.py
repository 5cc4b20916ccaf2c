"""From look-backs to parts: who is asked for what, over which sessions."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from adapters.configuration import load_universe
from adapters.settings import Settings
from market_data.errors import ConfigurationError
from market_data.pipeline.market_slice import MarketSlice, plan_slice
from market_data.timeframes import Timeframe
from market_data.universe import Universe

FRIDAY = datetime(2024, 3, 8, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def universe() -> Universe:
    return load_universe(Settings())


def test_the_defaults_ask_everybody_for_sixty_days_and_two(universe: Universe) -> None:
    daily, intraday = plan_slice(universe, MarketSlice(), FRIDAY)
    assert (daily.name, daily.timeframe, daily.also) == ("daily", Timeframe.D1, ())
    assert (daily.first, daily.last) == (date(2024, 1, 8), date(2024, 3, 8))
    assert (intraday.timeframe, intraday.first) == (Timeframe.M1, date(2024, 3, 6))
    assert {f.vendor for f in daily.feeds} == {v.name for v in universe.vendors}
    assert set(daily.symbols) == {i.symbol for i in universe.instruments}


def test_bars_that_a_vendor_lacks_are_made_of_minutes(universe: Universe) -> None:
    wish = MarketSlice(daily_lookback_days=0, intraday_timeframe=Timeframe.M5)
    native, made = plan_slice(universe, wish, FRIDAY)
    assert {f.vendor for f in native.feeds} == {"yahoo", "alpha_vantage", "coinbase", "oanda"}
    assert (made.timeframe, made.also, made.wanted) == (
        Timeframe.M1, (Timeframe.M5,), Timeframe.M5,
    )  # fmt: skip
    assert {f.vendor for f in made.feeds} == {"sample_a", "sample_b"}
    assert not set(native.symbols) & set(made.symbols)


def test_a_slice_of_one_symbol_asks_only_who_serves_it(universe: Universe) -> None:
    wish = MarketSlice(("DEMO-BTC",), 5, 0, vendors=("sample_b",), refetch=True)
    (part,) = plan_slice(universe, wish, FRIDAY)
    (feed,) = part.feeds
    assert (feed.vendor, feed.symbols, feed.refetch) == ("sample_b", ("DEMO-BTC",), True)
    assert (part.first, part.last) == (date(2024, 3, 3), date(2024, 3, 8))


def test_the_range_ends_with_a_session_that_has_begun(universe: Universe) -> None:
    monday_before_the_open = datetime(2024, 3, 11, 9, tzinfo=UTC)
    wish = MarketSlice(("DEMO-ACME",), 1, 0, vendors=("sample_a",))
    (part,) = plan_slice(universe, wish, monday_before_the_open)
    assert (part.first, part.last) == (date(2024, 3, 8), date(2024, 3, 8))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (MarketSlice(("NOBODY",)), "NOBODY"),
        (MarketSlice(vendors=("nobody",)), "nobody"),
        (MarketSlice(daily_lookback_days=-1), "look-back"),
        (MarketSlice(intraday_timeframe=Timeframe.D1), "1d"),
        (MarketSlice(("DEMO-BTC",), vendors=("yahoo",)), "nobody serves"),
        (MarketSlice(daily_lookback_days=0, intraday_lookback_days=0), "nobody serves"),
    ],
)
def test_what_cannot_be_is_refused(universe: Universe, wish: MarketSlice, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        plan_slice(universe, wish, FRIDAY)
