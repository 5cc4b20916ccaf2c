"""What a plan costs: requests, time under the limits, and whether today has room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.vendors.alpha_vantage.vendor import AlphaVantageVendor
from adapters.vendors.yahoo.vendor import YahooVendor
from market_data.basis import Basis
from market_data.ports import (
    Allowance,
    Capabilities,
    FetchRequest,
    FetchResult,
    SymbolRequest,
    Vendor,
    Window,
)
from market_data.requests.cost import Cost, cost_of, requests_of
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = Allowance("minute", 5, timedelta(minutes=1), "VENDOR_REQUESTS_PER_MINUTE")
PATIENCE = timedelta(seconds=90)
DAY = Allowance("day", 25, timedelta(days=1), "VENDOR_REQUESTS_PER_DAY")
TWO = tuple(
    SymbolRequest(Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS"), s)
    for s in ("AAPL", "MSFT")
)


@dataclass
class Plain:
    """A vendor that says no more than its capabilities."""

    capabilities: Capabilities
    name: str = "vendor"

    def basis(self, instrument: Instrument, timeframe: Timeframe) -> Basis:
        return Basis()

    def fetch(self, request: FetchRequest) -> Iterator[FetchResult]:
        yield FetchResult()


def question(days: float, *, ends: float = 0, timeframe: Timeframe = Timeframe.M1) -> FetchRequest:
    """So many days, ending so many days ago."""
    end = NOW - timedelta(days=ends)
    return FetchRequest(TWO, timeframe, end - timedelta(days=days), end, NOW)


def plain(**capabilities: object) -> Vendor:
    return Plain(Capabilities((Timeframe.M1,), **capabilities))  # type: ignore[arg-type]


def test_one_request_per_symbol_and_span() -> None:
    week = {Timeframe.M1: timedelta(days=7)}
    assert requests_of(plain(), question(400)) == 2
    assert requests_of(plain(request_span=week), question(7)) == 2
    assert requests_of(plain(request_span=week), question(7.01)) == 4
    assert (
        requests_of(
            plain(request_span=week, lookback={Timeframe.M1: timedelta(days=30)}), question(400)
        )
        == 10
    )


def test_what_is_never_asked_costs_nothing() -> None:
    month = {Timeframe.M1: timedelta(days=30)}
    assert requests_of(plain(lookback=month), question(10, ends=40)) == 0
    assert requests_of(plain(), question(10, timeframe=Timeframe.D1)) == 0


def test_yahoo_asks_once_more_for_what_came_after_an_old_range() -> None:
    yahoo = YahooVendor()
    assert requests_of(yahoo, question(29)) == 10
    assert requests_of(yahoo, question(7)) == 4
    assert requests_of(yahoo, question(6)) == 2
    assert requests_of(yahoo, question(7, ends=10)) == 4
    assert requests_of(yahoo, question(7, ends=60)) == 0
    assert requests_of(yahoo, question(7, ends=60, timeframe=Timeframe.D1)) == 4
    wrong = replace(question(6), symbols=(replace(TWO[0], vendor_symbol="no symbol!"), TWO[1]))
    assert requests_of(yahoo, wrong) == 1


def test_alpha_vantage_asks_by_month() -> None:
    vendor = AlphaVantageVendor("key")
    assert requests_of(vendor, question(500, timeframe=Timeframe.D1)) == 2
    # 20 December to 2 March touches four months.
    assert requests_of(vendor, question(72)) == 8


def test_the_cost_of_a_plan_in_words() -> None:
    windows = (Window(MINUTE, used=2), Window(DAY, used=13))
    cost = cost_of(plain(), "vendor", [question(1)] * 4, windows, PATIENCE)
    assert (cost.requests, cost.duration, cost.short) == (8, timedelta(minutes=1), None)
    assert cost.fits_today
    assert cost.sentences() == [
        "vendor needs 8 requests, within 1 minute under its limits: 3 left of 5 requests per "
        "minute, 12 left of 25 requests per day"
    ]


def test_a_plan_that_does_not_fit_today_says_so() -> None:
    windows = (Window(MINUTE, used=0), Window(DAY, used=13))
    cost = cost_of(plain(), "vendor", [question(1)] * 31, windows, PATIENCE)
    assert not cost.fits_today
    assert cost.duration == timedelta(days=2)
    first, second = cost.sentences()
    assert first.startswith("vendor needs 62 requests, within 2 days under its limits")
    assert second == (
        "vendor: today's budget has room for 12 of these 62 requests; the others would wait longer "
        "than 90 s (EMP_REQUEST_PATIENCE) and are refused; a later run asks for them; "
        "VENDOR_REQUESTS_PER_DAY says what is allowed"
    )


def test_a_window_that_is_longer_than_patience_says_so_too() -> None:
    ten = Window(Allowance("10 minutes", 60, timedelta(minutes=10)), used=20)
    cost = cost_of(plain(), "tws", [question(1)] * 25, (ten,), PATIENCE)
    assert cost.fits_today
    assert cost.sentences() == [
        "tws needs 50 requests, within 10 minutes under its limits: 40 left of 60 requests per 10 "
        "minutes",
        "tws: the window (60 requests per 10 minutes) has room for 40 of these 50 requests; the "
        "others would wait longer than 90 s (EMP_REQUEST_PATIENCE) and are refused; a later run "
        "asks for them",
    ]
    patient = cost_of(plain(), "tws", [question(1)] * 25, (ten,), timedelta(minutes=10))
    assert len(patient.sentences()) == 1
    day = Window(DAY, used=20)
    assert cost_of(plain(), "x", [question(1)] * 25, (ten, day), PATIENCE).short == day


def test_a_vendor_without_limits_says_nothing() -> None:
    cost = cost_of(plain(), "files", [question(1)], (), PATIENCE)
    assert cost.sentences() == []
    assert cost.duration == timedelta(0)


@given(
    requests=st.integers(0, 2_000),
    used=st.integers(0, 40),
    limit=st.integers(1, 40),
    seconds=st.sampled_from([1, 60, 86_400]),
)
def test_the_time_is_enough_and_not_far_too_much(
    requests: int, used: int, limit: int, seconds: int
) -> None:
    """Against sending them one by one, where all that is used was used just now."""
    per = timedelta(seconds=seconds)
    window = Window(Allowance("window", limit, per), min(used, limit))
    sent = [0.0] * window.used
    for _ in range(requests):
        sent.append(0.0 if len(sent) < limit else sent[-limit] + seconds)
    truly = timedelta(seconds=sent[-1]) if requests else timedelta(0)
    assert truly <= Cost("vendor", requests, (window,)).duration <= truly + per


@pytest.mark.parametrize(
    ("requests", "words"), [(5, "at once"), (6, "within 1 minute"), (301, "within 1 hour")]
)
def test_spans_of_time_in_words(requests: int, words: str) -> None:
    assert words in Cost("vendor", requests, (Window(MINUTE, 0),)).sentences()[0]
