"""The vendor contract on FRED's daily series, by FRED's own real values and recorded refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from adapters.vendors.fred.profile import PROFILE
from adapters.vendors.fred.vendor import FredVendor
from adapters.vendors.http import Patience
from market_data.basis import Basis, Side
from market_data.errors import MalformedAnswerError, VendorError
from market_data.ports import FetchRequest, Outcome, ReadsArchived, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.contract.vendor_suite import rows_of
from tests.contract.web_vendor_suite import Asking, WebCase, WebVendorContract
from tests.support.fred_replay import (
    KEY,
    OBSERVATIONS,
    daily_values,
    echo,
    error,
    fred_on,
    serve_vintages,
)
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body, too_many

THEN = datetime(2019, 2, 1, tzinfo=UTC)


def series(symbol: str, name: str, asset_class: AssetClass) -> SymbolRequest:
    return SymbolRequest(Instrument(symbol=symbol, asset_class=asset_class, calendar="XNYS"), name)


VIX = series("VIX", "VIXCLS", AssetClass.INDEX)
WTI = series("WTI", "DCOILWTICO", AssetClass.FUTURE)


def asked(first: tuple[int, int, int], end: tuple[int, int, int]) -> FetchRequest:
    start, until = (datetime(*day, tzinfo=UTC) for day in (first, end))
    return FetchRequest((VIX, WTI), Timeframe.D1, start, until, THEN)


def without_values(content: bytes) -> bytes:
    answer = json.loads(content)
    for row in answer["observations"]:
        # A full stop stands for a day without a value.
        row["value"] = "." if row["value"] == "." else "n/a"
    return json.dumps(answer).encode()


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
            spoil=without_values,
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
    say(fred_case, rows)
    answer = list(fred_case.vendor.fetch(fred_case.alone()))
    assert rows_of(answer)["close"].to_list() == [14.23]
    rejected = pl.concat([r.rejected for r in answer]).sort("row")
    assert rejected.height == 5
    assert rejected["ts"].null_count() == 2
    assert rejected["reasons"].str.contains("bad_|missing_").all()


def say(case: WebCase, rows: list[dict[str, Any]]) -> None:
    """Let FRED answer every question about the first series with these rows."""

    def answer(asked: Asked) -> Reply:
        return json_body(echo(asked) | {"count": len(rows), "observations": rows})

    case.server.reply(OBSERVATIONS, answer, series_id="VIXCLS")


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-Infinity", "1e999", "1e2", "0x1p3", "1_000", "9" * 400, "+14", " 14"]
)
def test_only_plain_decimals_are_prices(fred_case: WebCase, value: str) -> None:
    say(
        fred_case, [{"date": "2014-01-02", "value": "-14."}, {"date": "2014-01-03", "value": value}]
    )
    (answer,) = fred_case.vendor.fetch(fred_case.alone())
    assert answer.frame["close"].to_list() == [-14.0]
    (rejected,) = answer.rejected.to_dicts()
    assert rejected["reasons"] == "bad_close,bad_high,bad_low,bad_open"
    assert value in json.loads(rejected["row"])["close"]


def test_two_values_of_one_day_are_refused(fred_case: WebCase) -> None:
    say(fred_case, [{"date": "2014-01-02", "value": v, "realtime_start": v} for v in ("14", "15")])
    (answer,) = fred_case.vendor.fetch(fred_case.alone())
    outcome = answer.outcomes["VIX"]
    assert outcome.outcome is Outcome.FAILED
    assert "counts 2 rows and gave 1 different ones" in outcome.detail


def test_archived_pages_that_are_not_whole_are_refused(fred_case: WebCase) -> None:
    request = replace(fred_case.paged, symbols=(VIX,))
    results = list(fred_case.vendor.fetch(request))
    pages = [payload.content for r in results for payload in r.payloads]
    vendor = fred_case.vendor
    assert isinstance(vendor, ReadsArchived)
    assert len(pages) > 1
    assert rows_of(list(vendor.reread(pages, request))).equals(rows_of(results))
    twice = rows_of(list(vendor.reread([*pages, *pages], request)))
    assert twice.height == 2 * rows_of(results).height, "two questions of one fetch"
    for wrong in (pages[:-1], pages[1:], [*pages[:-1], pages[0]]):
        with pytest.raises(MalformedAnswerError, match=r"gave|speaks of"):
            list(vendor.reread(wrong, request))
    with pytest.raises(VendorError, match="do not name their symbol"):
        list(vendor.reread(pages, fred_case.paged))
