"""The vendor contract on OANDA, against answers in its documented shape made of its real bars.

No recorded answer was to be had; see tests/support/candle_replay.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.vendors.http import Patience
from adapters.vendors.oanda.profile import PROFILE
from adapters.vendors.oanda.vendor import OandaVendor
from market_data.basis import Basis, Side
from market_data.ports import FetchRequest, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.web_vendor_suite import Asking, WebCase, WebVendorContract
from tests.support.candle_replay import INSTRUMENTS, TOKEN, oanda_on, serve_oanda
from tests.support.replay_server import ReplayServer, Reply, failing, json_body, too_many


def pair(symbol: str, instrument: str) -> SymbolRequest:
    return SymbolRequest(
        Instrument(symbol=symbol, asset_class=AssetClass.FX, calendar="fx"), instrument
    )


EURUSD = pair("EURUSD", "EUR_USD")
THEN = datetime(2019, 1, 1, tzinfo=UTC)


def asked(timeframe: Timeframe, first: tuple[int, int, int], end: tuple[int, int, int]) -> Any:
    start, until = (datetime(*day, tzinfo=UTC) for day in (first, end))
    return FetchRequest((EURUSD,), timeframe, start, until, THEN)


CASES: dict[str, dict[str, Any]] = {
    "daily": {
        "request": asked(Timeframe.D1, (2014, 4, 28), (2014, 5, 17)),
        # From 21:00 UTC of the day before, in summer, to 21:00.
        "golden": {
            "EURUSD": {
                "ts": datetime(2014, 5, 6, tzinfo=UTC),
                "open": 1.387505,
                "close": 1.39276,
                "volume": None,
                "trades": 7,
            }
        },
        "paged": asked(Timeframe.H1, (2014, 1, 1), (2015, 1, 1)),
    },
    "minutes": {
        "request": asked(Timeframe.M1, (2014, 5, 5), (2014, 5, 10)),
        "golden": {
            "EURUSD": {
                "ts": datetime(2014, 5, 6, tzinfo=UTC),
                "open": 1.387485,
                "high": 1.387525,
                "low": 1.387465,
                "close": 1.387515,
                "volume": None,
                "trades": 7,
            }
        },
        "paged": asked(Timeframe.M1, (2014, 5, 1), (2014, 5, 15)),
    },
}


def without_openings(content: bytes) -> bytes:
    answer = json.loads(content)
    for candle in answer["candles"]:
        candle["mid"]["o"] = "n/a"
    return json.dumps(answer).encode()


@pytest.fixture(params=CASES)
def oanda_case(request: pytest.FixtureRequest, test_data: Path) -> Iterator[WebCase]:
    with ReplayServer() as server:
        serve_oanda(server, test_data, THEN)

        def build(asking: Asking) -> OandaVendor:
            patience = Patience(
                asking.attempts, asking.timeout, asking.deadline, sleep=asking.sleep
            )
            claims = PROFILE.claims()
            return oanda_on(server, gate=asking.gate, claims=claims, patience=patience)

        yield WebCase(
            vendor=oanda_on(server),
            empty=(datetime(2014, 5, 3, tzinfo=UTC), datetime(2014, 5, 4, tzinfo=UTC)),
            unknown=pair("NOSUCH", "NO_SUC"),
            unserved=None,
            asked=lambda: len(server.asked),
            bases={"EURUSD": Basis(side=Side.MID, unit="USD")},
            server=server,
            build=build,
            questions=INSTRUMENTS,
            spoil=without_openings,
            claims=PROFILE.claims(),
            secret=TOKEN,
            limited=[too_many(), too_many(retry_after=3600)],
            unauthorised=[
                json_body({"errorMessage": "Insufficient authorization to perform request."}, 401),
                failing(403),
            ],
            troubles=[
                (
                    json_body({"errorMessage": "Invalid value specified for 'instrument'"}, 400),
                    Outcome.FAILED,
                ),
                (
                    json_body({"errorMessage": "Maximum value for 'count' exceeded"}, 400),
                    Outcome.FAILED,
                ),
                (json_body({"candles": None}), Outcome.FAILED),
                (Reply(b"[]"), Outcome.FAILED),
            ],
            **CASES[request.param],
        )


class TestOandaVendor(WebVendorContract):
    @pytest.fixture
    def case(self, oanda_case: WebCase) -> WebCase:
        return oanda_case
