"""The vendor contract on Alpha Vantage, against its recorded answers.

The recordings are of 2019, when intraday bars were stamped at their end, and of two days of 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.vendors.alpha_vantage.profile import PROFILE
from adapters.vendors.alpha_vantage.vendor import AlphaVantageVendor
from adapters.vendors.http import Patience
from market_data.basis import Basis, Side
from market_data.ports import FetchRequest, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.web_vendor_suite import Asking, WebCase, WebVendorContract
from tests.support.alpha_vantage_replay import (
    KEY,
    PREMIUM,
    alpha_vantage_on,
    error,
    information,
    serve,
)
from tests.support.replay_server import ReplayServer, Reply, failing, too_many


def share(symbol: str) -> SymbolRequest:
    instrument = Instrument(symbol=symbol, asset_class=AssetClass.EQUITY, calendar="XNYS")
    return SymbolRequest(instrument, symbol)


EURUSD = SymbolRequest(
    Instrument(symbol="EURUSD", asset_class=AssetClass.FX, calendar="fx"), "EUR/USD"
)
THEN = datetime(2019, 2, 16, tzinfo=UTC)
RAW = Basis(unit="USD")
MINUTES = FetchRequest(
    (share("AAPL"), share("SPY")),
    Timeframe.M1,
    datetime(2019, 2, 11, tzinfo=UTC),
    datetime(2019, 2, 16, tzinfo=UTC),
    THEN,
)
CASES: dict[str, dict[str, Any]] = {
    "daily": {
        "request": FetchRequest(
            (share("AAPL"), share("MSFT"), share("SPY")),
            Timeframe.D1,
            datetime(2018, 6, 1, tzinfo=UTC),
            datetime(2018, 12, 1, tzinfo=UTC),
            THEN,
        ),
        "empty": (datetime(2018, 7, 7, tzinfo=UTC), datetime(2018, 7, 9, tzinfo=UTC)),
        "unknown": share("NOSUCH"),
        "golden": {
            "AAPL": {
                "ts": datetime(2018, 6, 29, tzinfo=UTC),
                "open": 186.29,
                "high": 187.19,
                "low": 182.91,
                "close": 185.11,
                "volume": 22737666.0,
            }
        },
        "bases": dict.fromkeys(("AAPL", "MSFT", "SPY"), RAW),
        # Two months of quarters of an hour are two requests.
        "paged": FetchRequest(
            (share("AAPL"),),
            Timeframe.M15,
            datetime(2019, 1, 10, tzinfo=UTC),
            datetime(2019, 2, 9, tzinfo=UTC),
            THEN,
        ),
    },
    "minutes": {
        "request": MINUTES,
        "empty": (datetime(2019, 2, 16, tzinfo=UTC), datetime(2019, 2, 17, tzinfo=UTC)),
        "unknown": share("NOSUCH"),
        # The row "2019-02-11 09:31:00" of New York.
        "golden": {
            "AAPL": {
                "ts": datetime(2019, 2, 11, 14, 30, tzinfo=UTC),
                "open": 171.14,
                "high": 171.2,
                "low": 170.7,
                "close": 170.97,
                "volume": 619925.0,
            }
        },
        "bases": {"AAPL": RAW, "SPY": RAW},
    },
    "currencies": {
        "request": FetchRequest(
            (EURUSD,),
            Timeframe.D1,
            datetime(2026, 1, 22, tzinfo=UTC),
            datetime(2026, 1, 24, tzinfo=UTC),
            datetime(2026, 1, 25, tzinfo=UTC),
        ),
        "empty": (datetime(2026, 1, 24, tzinfo=UTC), datetime(2026, 1, 26, tzinfo=UTC)),
        "unknown": SymbolRequest(
            Instrument(symbol="XXXUSD", asset_class=AssetClass.FX, calendar="fx"), "XXX/USD"
        ),
        "golden": {
            "EURUSD": {"ts": datetime(2026, 1, 22, tzinfo=UTC), "close": 1.1754, "volume": None}
        },
        # The recorded answer says UTC.
        "bases": {"EURUSD": Basis(side=Side.MID, unit="USD", day="UTC 00:00")},
    },
}


def without_openings(content: bytes) -> bytes:
    """Of JSON or of CSV, in which the opening stands behind the time."""
    if content.startswith(b"{"):
        return re.sub(rb'("1\. open": )"[^"]*"', rb'\1"n/a"', content)
    head, *lines = content.splitlines(keepends=True)
    return head + b"".join(re.sub(rb",[^,]*", b",n/a", line, count=1) for line in lines)


@pytest.fixture(params=CASES)
def alpha_vantage_case(request: pytest.FixtureRequest, test_data: Path) -> Iterator[WebCase]:
    with ReplayServer() as server:
        serve(server, test_data)

        def build(asking: Asking) -> AlphaVantageVendor:
            patience = Patience(
                asking.attempts, asking.timeout, asking.deadline, sleep=asking.sleep
            )
            claims = PROFILE.claims()
            return alpha_vantage_on(server, gate=asking.gate, claims=claims, patience=patience)

        yield WebCase(
            vendor=alpha_vantage_on(server),
            asked=lambda: len(server.asked),
            server=server,
            build=build,
            questions="/query",
            spoil=without_openings,
            claims=PROFILE.claims(),
            secret=KEY,
            limited=[
                error(test_data, "note_5_per_minute_500_per_day.json"),
                error(test_data, "information_25_per_day.json"),
                information(
                    "Please consider spreading out your free API requests more sparingly "
                    "(1 request per second)."
                ),
                too_many(),
            ],
            unauthorised=[
                error(test_data, "information_demo_key.json"),
                information(PREMIUM),
                information("the parameter apikey is invalid or missing", "Error Message"),
                failing(403),
            ],
            troubles=[
                (error(test_data, "error_message_invalid_call_daily.json"), Outcome.FAILED),
                (error(test_data, "error_message_invalid_call_intraday.json"), Outcome.FAILED),
                (Reply(b"{}"), Outcome.FAILED),
                (Reply(b"timestamp,price\r\n2018-06-29,1\r\n"), Outcome.FAILED),
                (failing(404), Outcome.FAILED),
            ],
            **CASES[request.param],
        )


class TestAlphaVantageVendor(WebVendorContract):
    @pytest.fixture
    def case(self, alpha_vantage_case: WebCase) -> WebCase:
        return alpha_vantage_case
