"""Coinbase and OANDA through a server: what their services do at the edges of a question.

The answers are made in the documented shape; see tests/support/candle_replay.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from market_data.basis import Basis, Side
from market_data.calendars import with_session
from market_data.errors import MalformedAnswerError
from market_data.ports import FetchRequest, FetchResult, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.candle_replay import (
    INSTRUMENTS,
    PRODUCTS,
    coinbase_on,
    oanda_on,
    serve_coinbase,
    serve_oanda,
)
from tests.support.replay_server import ReplayServer, Reply, json_body

NOW = datetime(2014, 5, 9, 12, 30, tzinfo=UTC)
EURUSD = SymbolRequest(
    Instrument(symbol="EURUSD", asset_class=AssetClass.FX, calendar="fx"), "EUR_USD"
)
BTCUSD = SymbolRequest(
    Instrument(symbol="BTCUSD", asset_class=AssetClass.CRYPTO, calendar="24/7"), "BTC-USD"
)


@pytest.fixture
def server(test_data: Path) -> Iterator[ReplayServer]:
    with ReplayServer() as replay:
        serve_coinbase(replay, test_data)
        serve_oanda(replay, test_data, NOW)
        yield replay


def question(
    wanted: SymbolRequest, timeframe: Timeframe, first: datetime, end: datetime
) -> FetchRequest:
    return FetchRequest((wanted,), timeframe, first, end, NOW)


def rows(results: list[FetchResult]) -> pl.DataFrame:
    return pl.concat([r.frame for r in results])


def stated(results: list[FetchResult]) -> Outcome:
    return next(o.outcome for r in results for o in r.outcomes.values())


def may(day: int, hour: int = 0) -> datetime:
    return datetime(2014, 5, day, hour, tzinfo=UTC)


def test_oanda_is_never_asked_for_the_future(server: ReplayServer) -> None:
    results = list(oanda_on(server).fetch(question(EURUSD, Timeframe.M1, may(9), may(12))))
    assert stated(results) is Outcome.ROWS
    assert server.asked[0].query["to"] == "2014-05-09T12:30:00Z"
    results = list(oanda_on(server).fetch(question(EURUSD, Timeframe.D1, may(12), may(20))))
    assert (stated(results), len(server.asked)) == (Outcome.NOTHING, 1)


def test_a_day_of_oanda_is_the_session_of_new_york(server: ReplayServer) -> None:
    vendor = oanda_on(server)
    days = rows(list(vendor.fetch(question(EURUSD, Timeframe.D1, may(5), may(9)))))
    hours = rows(list(vendor.fetch(question(EURUSD, Timeframe.H1, may(4), may(9)))))
    made = (
        with_session(hours, "fx")
        .group_by("session", maintain_order=True)
        .agg(pl.col("open").first(), pl.col("high").max(), pl.col("close").last())
        .filter(pl.col("session").is_between(may(5), may(8)))
    )
    found = days.select(pl.col("ts").dt.date().alias("session"), "open", "high", "close")
    assert found.equals(made)
    assert found.height == 4
    asked = server.asked[0].query
    assert (asked["from"], asked["to"]) == ("2014-05-04T21:00:00Z", "2014-05-08T21:00:00Z")
    assert (asked["dailyAlignment"], asked["alignmentTimezone"]) == ("17", "America/New_York")


def candle(time: str, **changes: Any) -> dict[str, Any]:
    prices = {"o": "1.1", "h": "1.3", "l": "1.0", "c": "1.2"}
    return {"complete": True, "volume": 3, "time": time, "mid": prices} | changes


def minutes_of_oanda(candles: list[Any], **changes: Any) -> Reply:
    return json_body({"instrument": "EUR_USD", "granularity": "M1", "candles": candles} | changes)


def test_a_running_candle_of_oanda_is_left_out_and_a_broken_one_refused(
    server: ReplayServer,
) -> None:
    candles = [
        candle("2014-05-08T10:00:00.000000000Z"),
        candle("2014-05-08T10:01:00.000000000Z", mid={"o": "1.1", "h": "x", "l": None}),
        candle("2014-05-08T10:02:00.000000000Z", mid=None, volume="many"),
        candle("2014-05-08 10:03"),
        candle("2014-05-08T10:04:00.000000000Z", complete=False),
    ]
    server.reply(f"{INSTRUMENTS}EUR_USD/candles", minutes_of_oanda(candles))
    results = list(oanda_on(server).fetch(question(EURUSD, Timeframe.M1, may(8), may(9))))
    assert rows(results).select("ts", "high", "volume", "trades").rows() == [
        (may(8, 10), 1.3, None, 3)
    ]
    rejected = pl.concat([r.rejected for r in results])
    assert rejected["reasons"].to_list() == [
        "bad_time",
        "bad_high,missing_close,missing_low",
        "bad_trades,missing_close,missing_high,missing_low,missing_open",
    ]


MINUTE = "2014-05-08T10:00:00.000000000Z"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instrument": "GBP_USD"}, "asked for the instrument EUR_USD, and answers about GBP_USD"),
        ({"granularity": "M5"}, "asked for the granularity M1, and answers about M5"),
        ({"instrument": None}, "asked for the instrument EUR_USD"),
    ],
)
def test_an_answer_of_oanda_about_something_else_is_a_failure(
    server: ReplayServer, changes: dict[str, Any], words: str
) -> None:
    reply = minutes_of_oanda([candle(MINUTE)], **changes)
    server.reply(f"{INSTRUMENTS}EUR_USD/candles", reply)
    vendor, request = oanda_on(server), question(EURUSD, Timeframe.M1, may(8), may(9))
    results = list(vendor.fetch(request))
    assert stated(results) is Outcome.FAILED
    assert words in next(o.detail for r in results for o in r.outcomes.values())
    assert rows(results).is_empty()
    with pytest.raises(MalformedAnswerError, match=words):
        list(vendor.reread([reply.body], request))


@pytest.mark.parametrize("complete", ["false", "true", 1, None, "nobody says"])
def test_a_candle_of_oanda_has_to_say_that_it_is_complete(
    server: ReplayServer, complete: Any
) -> None:
    odd = candle("2014-05-08T10:01:00.000000000Z", complete=complete)
    if complete == "nobody says":
        del odd["complete"]
    server.reply(f"{INSTRUMENTS}EUR_USD/candles", minutes_of_oanda([candle(MINUTE), odd]))
    request = question(EURUSD, Timeframe.M1, may(8), may(9))
    results = list(oanda_on(server).fetch(request))
    assert rows(results)["ts"].to_list() == [may(8, 10)]
    assert pl.concat([r.rejected for r in results])["reasons"].to_list() == ["bad_complete"]


@pytest.mark.parametrize(
    ("timeframe", "granularity", "good", "odd"),
    [
        (Timeframe.M1, "M1", "2014-05-07T10:01:00Z", "2014-05-07T10:01:30Z"),
        (Timeframe.M15, "M15", "2014-05-07T10:15:00Z", "2014-05-07T10:20:00Z"),
        (Timeframe.M30, "M30", "2014-05-07T10:30:00Z", "2014-05-07T10:45:00Z"),
        (Timeframe.H1, "H1", "2014-05-07T10:00:00Z", "2014-05-07T10:30:00Z"),
        # 17:00 in New York is 21:00 UTC in summer.
        (Timeframe.H4, "H4", "2014-05-07T01:00:00Z", "2014-05-07T04:00:00Z"),
        (Timeframe.D1, "D", "2014-05-06T21:00:00Z", "2014-05-06T22:00:00Z"),
    ],
)
def test_a_candle_of_oanda_off_its_grid_is_refused(
    server: ReplayServer, timeframe: Timeframe, granularity: str, good: str, odd: str
) -> None:
    candles = [candle(good), candle(odd)]
    reply = minutes_of_oanda(candles, granularity=granularity)
    server.reply(f"{INSTRUMENTS}EUR_USD/candles", reply)
    results = list(oanda_on(server).fetch(question(EURUSD, timeframe, may(6), may(9))))
    assert rows(results).height == 1
    rejected = pl.concat([r.rejected for r in results])
    assert rejected["reasons"].to_list() == ["off_grid"]
    assert odd in rejected["row"][0]


@pytest.mark.parametrize(("side", "letter"), [("mid", "M"), ("bid", "B"), ("ask", "A")])
def test_a_side_of_oanda_is_asked_for_and_told(
    server: ReplayServer, side: str, letter: str
) -> None:
    prices = {"o": "1.1", "h": "1.3", "l": "1.0", "c": "1.2"}
    told = candle(MINUTE, mid=None) | {side: prices}
    server.reply(f"{INSTRUMENTS}EUR_USD/candles", minutes_of_oanda([told]))
    vendor = oanda_on(server, side=Side(side))
    results = list(vendor.fetch(question(EURUSD, Timeframe.M1, may(8), may(9))))
    assert rows(results)["close"].to_list() == [1.2]
    assert server.asked[0].query["price"] == letter
    assert vendor.basis(EURUSD.instrument, Timeframe.M1) == Basis(side=Side(side), unit="USD")


def test_the_day_that_runs_is_no_empty_question_to_oanda(server: ReplayServer) -> None:
    list(oanda_on(server).fetch(question(EURUSD, Timeframe.D1, may(9), may(10))))
    asked = server.asked[0].query
    assert (asked["from"], asked["to"]) == ("2014-05-08T21:00:00Z", "2014-05-09T12:30:00Z")


def test_an_answer_without_one_readable_bar_is_no_absence(server: ReplayServer) -> None:
    server.reply(f"{INSTRUMENTS}EUR_USD/candles", minutes_of_oanda([candle(MINUTE, mid=None)]))
    server.reply(f"{PRODUCTS}BTC-USD/candles", json_body([[1399543200, 1, None, 2, 2.5, 7]]))
    for vendor, wanted in ((oanda_on(server), EURUSD), (coinbase_on(server), BTCUSD)):
        results = list(vendor.fetch(question(wanted, Timeframe.M1, may(8), may(8, 12))))
        assert stated(results) is Outcome.FAILED


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_is_none_costs_its_own_row(server: ReplayServer, number: str) -> None:
    candles = f"[[1399543200, 1, 3, 2, 2.5, 7], [1399543260, 1, {number}, 2, 2.5, 7]]"
    server.reply(f"{PRODUCTS}BTC-USD/candles", Reply(candles.encode()))
    prices = minutes_of_oanda([candle(MINUTE), candle(MINUTE[:15] + "1" + MINUTE[16:])]).body
    odd = prices[::-1].replace(b'"3.1"', number.encode()[::-1], 1)[::-1]
    server.reply(f"{INSTRUMENTS}EUR_USD/candles", Reply(odd))
    for vendor, wanted in ((coinbase_on(server), BTCUSD), (oanda_on(server), EURUSD)):
        results = list(vendor.fetch(question(wanted, Timeframe.M1, may(8, 10), may(8, 11))))
        assert rows(results)["ts"].to_list() == [may(8, 10)]
        assert pl.concat([r.rejected for r in results])["reasons"].to_list() == ["bad_high"]


def test_a_candle_of_coinbase_off_its_grid_is_refused(server: ReplayServer) -> None:
    body = [[1399543200, 1, 3, 2, 2.5, 7], [1399543230, 1, 3, 2, 2.5, 7]]
    server.reply(f"{PRODUCTS}BTC-USD/candles", json_body(body))
    request = question(BTCUSD, Timeframe.M1, may(8, 10), may(8, 11))
    results = list(coinbase_on(server).fetch(request))
    assert rows(results)["ts"].to_list() == [may(8, 10)]
    assert pl.concat([r.rejected for r in results])["reasons"].to_list() == ["off_grid"]


@pytest.mark.parametrize("seconds", [1, 30, 59])
def test_a_range_of_coinbase_off_the_grid_loses_no_candle(
    server: ReplayServer, seconds: int
) -> None:
    start = datetime(2017, 9, 3, tzinfo=UTC)
    request = replace(
        question(BTCUSD, Timeframe.M1, start, start + timedelta(days=1)),
        now=datetime(2018, 1, 1, tzinfo=UTC),
    )
    off = timedelta(seconds=seconds)
    whole = rows(list(coinbase_on(server).fetch(request)))
    shifted = replace(request, start=start - timedelta(minutes=1) + off, end=request.end - off)
    assert rows(list(coinbase_on(server).fetch(shifted))).equals(whole)


def test_coinbase_is_asked_for_no_more_than_it_gives(server: ReplayServer) -> None:
    start = datetime(2017, 9, 3, tzinfo=UTC)
    request = replace(
        question(BTCUSD, Timeframe.M1, start, start + timedelta(days=1)),
        now=datetime(2018, 1, 1, tzinfo=UTC),
    )
    results = list(coinbase_on(server).fetch(request))
    asked = [(a.query["start"], a.query["end"]) for a in server.asked]
    assert asked[0] == ("2017-09-03T00:00:00Z", "2017-09-03T04:59:00Z")
    assert asked[-1] == ("2017-09-03T20:00:00Z", "2017-09-03T23:59:00Z")
    assert len(asked) == 5
    # A running session is not asked for beyond now.
    early = replace(request, now=start + timedelta(hours=3))
    before = len(server.asked)
    list(coinbase_on(server).fetch(early))
    assert len(server.asked) - before == 1
    assert rows(results)["ts"].is_sorted()


def test_rows_of_coinbase_that_are_no_bars_are_told_apart(server: ReplayServer) -> None:
    body = [[1399543200, 1, 3, 2, 2.5, 7], [1399543260, 1, None, 2, 2.5, 7], [1, 2], "x", None,
            ["soon", 1, 3, 2, 2.5, 7], [1399543320, 1, 3, [2], 2.5, True]]  # fmt: skip
    server.reply(f"{PRODUCTS}BTC-USD/candles", json_body(body))
    request = question(BTCUSD, Timeframe.M1, may(8, 10), may(8, 11))
    results = list(coinbase_on(server).fetch(request))
    assert rows(results).select("ts", "open", "high", "low", "close", "volume").rows() == [
        (may(8, 10), 2.0, 3.0, 1.0, 2.5, 7.0)
    ]
    rejected = pl.concat([r.rejected for r in results])
    assert rejected["reasons"].to_list().count("bad_time") == 1
    assert rejected.height == 6


@pytest.mark.parametrize(
    ("wanted", "name"),
    [(BTCUSD, "BTC/USD"), (BTCUSD, "btc-usd"), (EURUSD, "EURUSD"), (EURUSD, "EUR_USD/../x")],
)
def test_names_that_cannot_be_are_not_asked_for(
    server: ReplayServer, wanted: SymbolRequest, name: str
) -> None:
    vendor = coinbase_on(server) if wanted is BTCUSD else oanda_on(server)
    request = question(replace(wanted, vendor_symbol=name), Timeframe.D1, may(1), may(8))
    assert stated(list(vendor.fetch(request))) is Outcome.FAILED
    assert server.asked == []


def test_each_keeps_to_its_market(server: ReplayServer) -> None:
    request = question(replace(EURUSD, vendor_symbol="EUR-USD"), Timeframe.D1, may(1), may(8))
    assert stated(list(coinbase_on(server).fetch(request))) is Outcome.UNAVAILABLE
    request = question(replace(BTCUSD, vendor_symbol="BTC_USD"), Timeframe.D1, may(1), may(8))
    assert stated(list(oanda_on(server).fetch(request))) is Outcome.UNAVAILABLE
    assert server.asked == []
