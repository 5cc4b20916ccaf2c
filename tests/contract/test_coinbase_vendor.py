"""The vendor contract on Coinbase, against answers in its documented shape made of its real bars.

No recorded answer was to be had; see tests/support/candle_replay.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.vendors.coinbase.profile import PROFILE
from adapters.vendors.coinbase.vendor import CoinbaseVendor
from adapters.vendors.http import Patience
from market_data.basis import Basis
from market_data.ports import FetchRequest, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.web_vendor_suite import Asking, WebCase, WebVendorContract
from tests.support.candle_replay import PRODUCTS, coinbase_on, serve_coinbase
from tests.support.replay_server import ReplayServer, Reply, failing, json_body, too_many


def coin(symbol: str, product: str) -> SymbolRequest:
    instrument = Instrument(symbol=symbol, asset_class=AssetClass.CRYPTO, calendar="24/7")
    return SymbolRequest(instrument, product)


BTCUSD = coin("BTCUSD", "BTC-USD")
THEN = datetime(2018, 8, 14, tzinfo=UTC)
DAYS = FetchRequest(
    (BTCUSD,),
    Timeframe.D1,
    datetime(2017, 8, 1, tzinfo=UTC),
    datetime(2017, 10, 1, tzinfo=UTC),
    THEN,
)
MINUTES = FetchRequest(
    (BTCUSD,),
    Timeframe.M1,
    datetime(2017, 9, 3, tzinfo=UTC),
    datetime(2017, 9, 5, tzinfo=UTC),
    THEN,
)
CASES: dict[str, dict[str, Any]] = {
    "daily": {
        "request": DAYS,
        "golden": {
            "BTCUSD": {
                "ts": datetime(2017, 9, 4, tzinfo=UTC),
                "open": 4626.05,
                "high": 4628.05,
                "low": 4234.16,
                "close": 4498.25,
                "volume": 20232.29579723,
            }
        },
        "paged": FetchRequest(
            (BTCUSD,),
            Timeframe.D1,
            datetime(2015, 1, 1, tzinfo=UTC),
            datetime(2018, 1, 1, tzinfo=UTC),
            THEN,
        ),
    },
    "minutes": {
        "request": MINUTES,
        "golden": {
            "BTCUSD": {
                "ts": datetime(2017, 9, 4, 14, 59, tzinfo=UTC),
                "open": 4308.96,
                "high": 4308.96,
                "low": 4300.0,
                "close": 4300.19,
                "volume": 129.01232921,
            }
        },
        "paged": MINUTES,
    },
}


def without_openings(content: bytes) -> bytes:
    rows = json.loads(content)
    return json.dumps([[*row[:3], "n/a", *row[4:]] for row in rows]).encode()


@pytest.fixture(params=CASES)
def coinbase_case(request: pytest.FixtureRequest, test_data: Path) -> Iterator[WebCase]:
    with ReplayServer() as server:
        serve_coinbase(server, test_data)

        def build(asking: Asking) -> CoinbaseVendor:
            patience = Patience(
                asking.attempts, asking.timeout, asking.deadline, sleep=asking.sleep
            )
            claims = PROFILE.claims()
            return coinbase_on(server, gate=asking.gate, claims=claims, patience=patience)

        yield WebCase(
            vendor=coinbase_on(server),
            empty=(datetime(2014, 1, 1, tzinfo=UTC), datetime(2014, 1, 3, tzinfo=UTC)),
            unknown=coin("NOSUCH", "NO-SUCH"),
            asked=lambda: len(server.asked),
            bases={"BTCUSD": Basis(unit="USD")},
            server=server,
            build=build,
            questions=PRODUCTS,
            spoil=without_openings,
            claims=PROFILE.claims(),
            limited=[too_many(), too_many(retry_after=3600)],
            unauthorised=[failing(401), failing(403)],
            troubles=[
                (json_body({"message": "NotFound"}, 404), Outcome.FAILED),
                (json_body({"message": "granularity too small"}, 400), Outcome.FAILED),
                (json_body({"message": "no list"}), Outcome.FAILED),
                (Reply(b"[["), Outcome.FAILED),
            ],
            **CASES[request.param],
        )


class TestCoinbaseVendor(WebVendorContract):
    @pytest.fixture
    def case(self, coinbase_case: WebCase) -> WebCase:
        return coinbase_case
