"""IB's pacing rules: the shared budget keeps them, and a gateway that enforces them is content."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.clock import FixedClock
from adapters.requests.gate import SharedGate
from adapters.requests.shared_time import Reading
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.vendors.tws.client import claims_for
from adapters.vendors.tws.contracts import Found
from adapters.vendors.tws.questions import Question, pages
from market_data.errors import BudgetSpentError, RateLimitedError
from market_data.ports import FetchRequest, RequestGate, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.vendor_suite import rows_of
from tests.support.ib_gateway import AAPL, MSFT, IbGateway, minutes, tws_on

NOW = datetime(2021, 6, 1, tzinfo=UTC)
APPLE = Found(265598, "STK", "AAPL", "SMART", "NASDAQ", "USD")


class Time:
    """Seconds that pass only where somebody waits."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def read(self) -> Reading:
        return Reading(round(self.seconds * 1_000_000))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def gateway(time: Time) -> Iterator[IbGateway]:
    with IbGateway(enforce=True, clock=time) as found:
        for contract in (AAPL, MSFT):
            found.add(contract, minutes(datetime(2020, 1, 2, 14, 30, tzinfo=UTC), 30))
        yield found


def gate_at(path: Path, time: Time, patience: float = 1_000.0) -> RequestGate:
    store = SqliteRequestStore(path, time.read)
    return SharedGate("tws", lambda: store, FixedClock(NOW), patience=patience, sleep=time.sleep)


def year(*symbols: str) -> FetchRequest:
    """A year and a half of minutes: 78 questions for each symbol."""
    instruments = [
        Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS") for s in symbols
    ]
    return FetchRequest(
        tuple(SymbolRequest(i, i.symbol) for i in instruments),
        Timeframe.M1,
        datetime(2020, 1, 1, tzinfo=UTC),
        datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=7 * 78),
        NOW + timedelta(days=365),
    )


def test_a_backfill_within_the_budget_breaks_no_rule(
    gateway: IbGateway, time: Time, tmp_path: Path
) -> None:
    started = time.seconds
    vendor = tws_on(gateway, gate=gate_at(tmp_path / "requests.sqlite", time))
    results = list(vendor.fetch(year("AAPL", "MSFT")))
    assert gateway.violations == 0
    assert len(gateway.asked) == 156
    assert rows_of(results).height == 60
    # 156 questions at 60 in ten minutes: the last 36 of them after twenty minutes.
    assert 1_200 <= time.seconds - started < 1_300


def test_without_the_budget_the_gateway_refuses(gateway: IbGateway) -> None:
    with pytest.raises(RateLimitedError, match="pacing violation"):
        list(tws_on(gateway).fetch(year("AAPL")))


def test_what_would_wait_too_long_is_refused_before_it_is_sent(
    gateway: IbGateway, time: Time, tmp_path: Path
) -> None:
    vendor = tws_on(gateway, gate=gate_at(tmp_path / "requests.sqlite", time, patience=60.0))
    rows = []
    with pytest.raises(BudgetSpentError, match="10 minutes"):
        rows += list(vendor.fetch(year("AAPL")))
    assert gateway.violations == 0
    assert len(gateway.asked) == 60


def test_two_processes_share_the_budget(gateway: IbGateway, time: Time, tmp_path: Path) -> None:
    path = tmp_path / "requests.sqlite"
    for client_id in (1, 2):
        vendor = tws_on(gateway, gate=gate_at(path, time), client_id=client_id)
        # The same questions within 15 seconds would be refused.
        list(vendor.fetch(year("AAPL")))
    assert gateway.violations == 0
    assert len(gateway.asked) == 156


def test_bid_and_ask_count_twice() -> None:
    page = next(pages("STK", Timeframe.M1, NOW - timedelta(days=1), NOW, NOW))
    trades = claims_for(APPLE, page.question)
    both = claims_for(
        APPLE, Question(page.question.end, "1 D", "1 min", "BID_ASK", regular_hours=True)
    )
    assert [c.cost for c in trades] == [1, 1, 1]
    assert [c.cost for c in both] == [2, 2, 1]
    assert [c.allowance.requests for c in trades] == [60, 5, 1]
