"""Answers that are about something else than the question, or repeat what nobody may see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.vendors.alpha_vantage.vendor import AlphaVantageVendor
from adapters.vendors.fred.client import FredClient
from adapters.vendors.fred.vendor import FredVendor
from adapters.vendors.http import Patience
from market_data.errors import UnauthorisedError, VendorError
from market_data.ports import FetchRequest, FetchResult, Outcome, SymbolRequest, Vendor
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.alpha_vantage_replay import KEY, alpha_vantage_on, information
from tests.support.candle_replay import INSTRUMENTS, PRODUCTS, coinbase_on, oanda_on
from tests.support.replay_server import ReplayServer, Reply, failing, json_body

CALENDARS = {AssetClass.FX: "fx", AssetClass.CRYPTO: "24/7"}


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as opened:
        yield opened


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def question(
    kind: AssetClass, name: str, timeframe: Timeframe, start: str, end: str, now: str = ""
) -> FetchRequest:
    instrument = Instrument(
        symbol="X", asset_class=kind, calendar=CALENDARS.get(kind, "XNYS"), listed=None
    )
    until = day(end)
    return FetchRequest(
        (SymbolRequest(instrument, name),),
        timeframe,
        day(start),
        until,
        day(now) if now else until + timedelta(days=60),
    )


def told(vendor: Vendor, request: FetchRequest) -> tuple[int, Outcome, str]:
    """Rows, outcome and its detail."""
    results: list[FetchResult] = list(vendor.fetch(request))
    (outcome,) = [o for r in results for o in r.outcomes.values()]
    return sum(r.frame.height for r in results), outcome.outcome, outcome.detail


BITCOIN = question(AssetClass.CRYPTO, "BTC-USD", Timeframe.M1, "2024-01-02", "2024-01-02T02:00")
EURO = question(AssetClass.FX, "EUR_USD", Timeframe.M1, "2024-01-02", "2024-01-02T02:00")


def coinbase_minutes(first: str, count: int = 5) -> Reply:
    start = int(day(first).timestamp())
    return json_body([[start + 60 * k, 1, 2, 1.5, 1.6, 3] for k in range(count)][::-1])


def oanda_minutes(first: str, count: int = 5) -> Reply:
    prices = {"o": "1.1", "h": "1.2", "l": "1.0", "c": "1.1"}
    times = (day(first) + timedelta(minutes=k) for k in range(count))
    candles = [
        {"complete": True, "time": f"{t:%Y-%m-%dT%H:%M:%S}.000000000Z", "volume": 3, "mid": prices}
        for t in times
    ]
    return json_body({"instrument": "EUR_USD", "granularity": "M1", "candles": candles})


@pytest.mark.parametrize(
    ("first", "count", "outcome"),
    [
        ("2026-01-05", 5, Outcome.FAILED),
        ("2023-01-05", 5, Outcome.FAILED),
        ("2024-01-02T01:58", 3, Outcome.ROWS),
        ("2024-01-02T01:58", 9, Outcome.FAILED),
        # What its documentation allows.
        ("2024-01-01T22:00", 5, Outcome.NOTHING),
        ("2024-01-01T23:58", 5, Outcome.ROWS),
    ],
)
def test_coinbase_is_not_believed_about_another_range(
    server: ReplayServer, first: str, count: int, outcome: Outcome
) -> None:
    server.reply(f"{PRODUCTS}BTC-USD/candles", coinbase_minutes(first, count))
    assert told(coinbase_on(server), BITCOIN)[1] is outcome


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        ("2026-01-05", Outcome.FAILED),
        ("2023-01-05", Outcome.FAILED),
        ("2024-01-01T23:59", Outcome.ROWS),
        ("2024-01-02T01:58", Outcome.ROWS),
    ],
)
def test_oanda_is_not_believed_about_another_range(
    server: ReplayServer, first: str, outcome: Outcome
) -> None:
    server.reply(f"{INSTRUMENTS}EUR_USD/candles", oanda_minutes(first))
    vendor = oanda_on(server)
    if first.startswith("2024-01-02"):
        server.reply(f"{INSTRUMENTS}EUR_USD/candles", oanda_minutes(first, 3))
    assert told(vendor, EURO)[1] is outcome


@pytest.mark.parametrize("status", [400, 404, 410, 422])
@pytest.mark.parametrize("body", [b'{"message": "delisted"}', b"<html>"])
def test_a_question_that_is_not_taken_is_put_once_and_is_no_failure_of_the_vendor(
    server: ReplayServer, status: int, body: bytes
) -> None:
    heard: list[VendorError | None] = []

    class Gate:
        def enter(self, claims: object) -> None: ...

        def report(self, trouble: VendorError | None, *, put_again: bool = False) -> None:
            heard.append(trouble)

    from market_data.requests.breaker import is_failure

    vendors: list[tuple[Vendor, FetchRequest]] = [
        (coinbase_on(server, gate=Gate()), BITCOIN),
        (oanda_on(server, gate=Gate()), EURO),
        (alpha_vantage_on(server, gate=Gate()), share("2024-01-02", "2024-01-05")),
    ]
    for path in (f"{PRODUCTS}BTC-USD/candles", f"{INSTRUMENTS}EUR_USD/candles", "/query"):
        server.reply(path, failing(status, body))
    for vendor, request in vendors:
        assert told(vendor, request)[1] is Outcome.FAILED
    assert len(server.asked) == len(heard) == len(vendors)
    assert not any(is_failure(trouble) for trouble in heard)


def share(start: str, end: str, timeframe: Timeframe = Timeframe.D1, now: str = "") -> FetchRequest:
    return question(AssetClass.EQUITY, "IBM", timeframe, start, end, now)


ROW = {"1. open": "1", "2. high": "2", "3. low": "1", "4. close": "1.5", "5. volume": "10"}


def table(title: str, rows: dict[str, Any], **meta: str) -> bytes:
    about = {"Symbol": "IBM", "Output Size": "Full size", "Time Zone": "US/Eastern"} | meta
    return json.dumps({"Meta Data": about, title: rows}).encode()


def session(of: str) -> dict[str, Any]:
    minutes = range(570, 960, 5)
    return {f"{of} {m // 60:02}:{m % 60:02}:00": ROW for m in reversed(minutes)}


@pytest.mark.parametrize(
    ("days", "outcome"),
    [
        (["2026-01-07", "2026-01-06", "2026-01-05"], Outcome.FAILED),
        (["2019-03-01", "2019-02-13", "2019-02-12", "2019-02-11"], Outcome.FAILED),
        (["2019-02-13", "2019-02-12", "2019-02-11"], Outcome.ROWS),
        (["2019-02-06", "2019-02-05", "2019-02-04"], Outcome.NOTHING),
        ([], Outcome.NOTHING),
    ],
)
def test_alpha_vantage_is_not_believed_about_another_month(
    server: ReplayServer, days: list[str], outcome: Outcome
) -> None:
    rows = {time: row for d in days for time, row in session(d).items()}
    server.reply("/query", Reply(table("Time Series (5min)", rows, Interval="5min")))
    request = share("2019-02-11", "2019-02-14", Timeframe.M5, "2026-01-08")
    assert told(alpha_vantage_on(server, label="start"), request)[1] is outcome


def euro_days(*titles: str) -> bytes:
    meta = {"From Symbol": "EUR", "To Symbol": "USD", "Time Zone": "UTC", "Output Size": "Full"}
    rows = dict.fromkeys(("2024-01-12", "2024-01-05", "2023-12-29"), ROW)
    return json.dumps({"Meta Data": meta, **dict.fromkeys(titles, rows)}).encode()


@pytest.mark.parametrize(
    ("titles", "outcome"),
    [
        (["Time Series FX (Daily)"], Outcome.ROWS),
        (["Time Series FX (Weekly)"], Outcome.FAILED),
        (["Weekly Time Series"], Outcome.FAILED),
        (["Time Series FX (Daily)", "Time Series FX (Weekly)"], Outcome.FAILED),
        (["Time Series FX"], Outcome.FAILED),
    ],
)
def test_weeks_are_not_taken_for_days(
    server: ReplayServer, titles: list[str], outcome: Outcome
) -> None:
    server.reply("/query", Reply(euro_days(*titles)))
    request = question(AssetClass.FX, "EUR/USD", Timeframe.D1, "2024-01-02", "2024-01-13")
    assert told(alpha_vantage_on(server), request)[1] is outcome


def test_quarters_of_an_hour_are_not_taken_for_five_minutes(server: ReplayServer) -> None:
    body = table("Time Series (15min)", session("2019-02-11"), Interval="5min")
    server.reply("/query", Reply(body))
    request = share("2019-02-11", "2019-02-12", Timeframe.M5, "2026-01-08")
    assert told(alpha_vantage_on(server, label="start"), request)[1] is Outcome.FAILED


@pytest.mark.parametrize(
    ("kind", "name", "unit"),
    [
        (AssetClass.FX, "EUR/GBP", "GBP"),
        (AssetClass.CRYPTO, "BTC/EUR", "EUR"),
        (AssetClass.EQUITY, "IBM", "USD"),
    ],
)
def test_a_pair_is_priced_in_its_second_half(kind: AssetClass, name: str, unit: str) -> None:
    instrument = Instrument(
        symbol="X",
        asset_class=kind,
        calendar=CALENDARS.get(kind, "XNYS"),
        vendor_symbols={"alpha_vantage": name},
    )
    assert AlphaVantageVendor("k").basis(instrument, Timeframe.D1).unit == unit


@pytest.mark.parametrize("key", ["Information", "information", "message", "DETAIL"])
@pytest.mark.parametrize(
    "words", ["We are at capacity. Please try again later.", "Temporary server maintenance", ""]
)
def test_a_sentence_about_its_own_trouble_is_no_lack_of_access(
    server: ReplayServer, key: str, words: str
) -> None:
    server.reply("/query", information(words, key))
    _, outcome, detail = told(alpha_vantage_on(server), share("2024-01-02", "2024-01-05"))
    assert outcome is Outcome.FAILED
    assert words in detail
    assert len(server.asked) == 3, "it may pass"


@pytest.mark.parametrize(
    "words",
    [
        "This is a premium endpoint",
        "The demo API key is for demo purposes only",
        "Your plan is not entitled to this data",
        "Forbidden",
    ],
)
def test_a_sentence_about_the_key_is_a_lack_of_access(server: ReplayServer, words: str) -> None:
    server.reply("/query", information(words, "information"))
    with pytest.raises(UnauthorisedError):
        told(alpha_vantage_on(server), share("2024-01-02", "2024-01-05"))


@pytest.mark.parametrize(
    ("start", "outcome"),
    [("2024-01-16", Outcome.REFUSED), ("2024-02-24", Outcome.ROWS), ("2024-02-26", Outcome.ROWS)],
)
def test_newest_rows_that_begin_too_late_are_not_all_that_was_asked_for(
    server: ReplayServer, start: str, outcome: Outcome
) -> None:
    days = ("2024-03-01", "2024-02-29", "2024-02-28", "2024-02-27", "2024-02-26")
    body = table("Time Series (Daily)", dict.fromkeys(days, ROW), **{"Output Size": "Compact"})
    server.reply("/query", Reply(body))
    request = share(start, "2024-03-02", now="2024-03-02")
    count, stated, _ = told(alpha_vantage_on(server), request)
    assert (count, stated) == (5, outcome)
    assert server.asked[0].query["outputsize"] == "compact"


@pytest.mark.parametrize(
    ("oldest", "begins"), [("2023-12-29", "2023-12-29"), ("2023-12-2?", None), ("", None)]
)
def test_a_whole_history_begins_with_a_row_that_can_be_dated(
    server: ReplayServer, oldest: str, begins: str | None
) -> None:
    days = ("2024-01-04", "2024-01-03", "2024-01-02", oldest)
    body = table("Time Series (Daily)", dict.fromkeys(days, ROW), **{"Output Size": "Full size"})
    server.reply("/query", Reply(body))
    request = share("2023-12-01", "2024-01-05", now="2024-12-01")
    results = list(alpha_vantage_on(server).fetch(request))
    assert {b for r in results for b in r.begins.values()} == ({day(begins)} if begins else set())


def test_an_answer_with_the_key_in_a_cell_is_kept_nowhere(server: ReplayServer) -> None:
    rows = {"2024-01-04": ROW, "2024-01-03": {**ROW, "4. close": KEY}}
    server.reply("/query", Reply(table("Time Series (Daily)", rows)))
    results = list(alpha_vantage_on(server).fetch(share("2024-01-02", "2024-01-05")))
    assert [o.outcome for r in results for o in r.outcomes.values()] == [Outcome.FAILED]
    assert not any(r.payloads or r.rejected.height or r.frame.height for r in results)
    assert KEY not in repr(results)


def test_fred_values_that_are_all_refused_are_not_nothing(server: ReplayServer) -> None:
    rows = [
        {"realtime_start": "2024-02-01", "realtime_end": "2024-02-01", "date": d, "value": "1e5"}
        for d in ("2024-01-02", "2024-01-03")
    ]
    body = {
        "realtime_start": "2024-02-01",
        "realtime_end": "2024-02-01",
        "observation_start": "2024-01-02",
        "observation_end": "2024-01-04",
        "units": "lin",
        "output_type": 1,
        "file_type": "json",
        "order_by": "observation_date",
        "sort_order": "asc",
        "count": 2,
        "offset": 0,
        "limit": 100_000,
        "observations": rows,
    }
    server.reply("/fred/series/observations", json_body(body))
    client = FredClient("f" * 32, url=server.url, patience=Patience(sleep=lambda _: None))
    request = question(AssetClass.INDEX, "VIXCLS", Timeframe.D1, "2024-01-02", "2024-01-05")
    count, outcome, detail = told(FredVendor(client), request)
    assert (count, outcome) == (0, Outcome.FAILED)
    assert "none of the 2 rows" in detail
