"""The vendor contract on FRED's daily series, by FRED's own real values and recorded refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.fred.profile import PROFILE
from adapters.vendors.fred.vendor import FredVendor
from adapters.vendors.http import Patience
from market_data.basis import Basis, Side
from market_data.ports import FetchRequest, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.vendor_suite import rows_of
from tests.contract.web_vendor_suite import Asking, WebCase, WebVendorContract
from tests.support.fred_replay import (
    KEY,
    OBSERVATIONS,
    daily_values,
    error,
    fred_on,
    serve_vintages,
)
from tests.support.replay_server import ReplayServer, Reply, json_body, too_many

THEN = datetime(2019, 2, 1, tzinfo=UTC)


def series(symbol: str, name: str, asset_class: AssetClass) -> SymbolRequest:
    return SymbolRequest(Instrument(symbol=symbol, asset_class=asset_class, calendar="XNYS"), name)


VIX = series("VIX", "VIXCLS", AssetClass.INDEX)
WTI = series("WTI", "DCOILWTICO", AssetClass.FUTURE)


def asked(first: tuple[int, int, int], end: tuple[int, int, int]) -> FetchRequest:
    start, until = (datetime(*day, tzinfo=UTC) for day in (first, end))
    return FetchRequest((VIX, WTI), Timeframe.D1, start, until, THEN)


@pytest.fixture
def fred_case(test_data: Path) -> Iterator[WebCase]:
    with ReplayServer() as server:
        missing = error(test_data, "400_series_does_not_exist.json")
        server.reply(OBSERVATIONS, missing)
        serve_vintages(server, "VIXCLS", daily_values(test_data, "vix.csv.gz"), page=200)
        serve_vintages(server, "DCOILWTICO", daily_values(test_data, "wti.csv.gz"), page=200)

        def build(asking: Asking) -> FredVendor:
            patience = Patience(
                asking.attempts, asking.timeout, asking.deadline, sleep=asking.sleep
            )
            claims = PROFILE.claims()
            return FredVendor(fred_on(server, gate=asking.gate, claims=claims, patience=patience))

        bar = {"ts": datetime(2014, 1, 3, tzinfo=UTC), "volume": None, "adj_close": None}
        yield WebCase(
            vendor=build(Asking()),
            request=asked((2014, 1, 1), (2014, 3, 1)),
            empty=(datetime(2014, 1, 4, tzinfo=UTC), datetime(2014, 1, 6, tzinfo=UTC)),
            unknown=series("NOSUCH", "NOSUCH", AssetClass.INDEX),
            asked=lambda: len(server.asked),
            golden={"VIX": {**bar, **dict.fromkeys(("open", "high", "low", "close"), 13.76)}},
            bases={s: Basis(side=Side.FIX, unit="USD") for s in ("VIX", "WTI")},
            paged=asked((2014, 1, 1), (2016, 1, 1)),
            server=server,
            build=build,
            questions=OBSERVATIONS,
            claims=PROFILE.claims(),
            secret=KEY,
            limited=[too_many(), too_many(retry_after=3600)],
            unauthorised=[
                error(test_data, "400_api_key_not_registered.json"),
                error(test_data, "400_api_key_not_set.xml"),
            ],
            troubles=[
                (error(test_data, "400_series_does_not_exist.json"), Outcome.FAILED),
                (json_body({"observations": None, "count": 1}), Outcome.FAILED),
                (json_body({"observations": [], "count": 3}), Outcome.FAILED),
                (json_body({"observations": [1], "count": 1}), Outcome.FAILED),
                (json_body({"observations": [], "count": -1}), Outcome.FAILED),
                (
                    json_body({"error_code": 400, "error_message": "Bad Request."}, 400),
                    Outcome.FAILED,
                ),
                (Reply(b"[]"), Outcome.FAILED),
                (Reply(b"[" * 100_000), Outcome.FAILED),
            ],
        )


class TestFredVendor(WebVendorContract):
    @pytest.fixture
    def case(self, fred_case: WebCase) -> WebCase:
        return fred_case


def test_a_day_without_a_value_is_no_row(fred_case: WebCase) -> None:
    """20 January 2014 was a holiday: FRED writes a full stop."""
    answer = list(fred_case.vendor.fetch(fred_case.request))
    day = pl.col("ts") == datetime(2014, 1, 20, tzinfo=UTC)
    assert rows_of(answer).filter(day).is_empty()
    assert all(result.rejected.is_empty() for result in answer)


def test_rows_that_are_no_bar_are_kept_apart(fred_case: WebCase) -> None:
    rows = [
        {"date": "2014-01-02", "value": "14.23"},
        {"date": "2014-01-03", "value": "many"},
        {"date": "03.01.2014", "value": "1"},
        {"date": "2014-01-06", "value": None},
        {"date": "2014-01-07"},
        {"value": "5"},
        {"date": "2013-12-31", "value": "wrong, and not asked for"},
    ]
    body = json_body({"count": len(rows), "observations": rows})
    fred_case.server.reply(OBSERVATIONS, body, series_id="VIXCLS")
    answer = list(fred_case.vendor.fetch(fred_case.alone()))
    assert rows_of(answer)["close"].to_list() == [14.23]
    rejected = pl.concat([r.rejected for r in answer]).sort("row")
    assert rejected.height == 5
    assert rejected["ts"].null_count() == 2
    assert rejected["reasons"].str.contains("bad_|missing_").all()
