"""Alpha Vantage through a server: what a free key is given, splits and dividends, months."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.basis import Basis, Side
from market_data.errors import UnauthorisedError
from market_data.ports import FetchRequest, FetchResult, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.alpha_vantage_replay import (
    PREMIUM,
    WHOLE_HISTORY,
    alpha_vantage_on,
    error,
    information,
    payload,
    recorded_csv,
    serve,
)
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body

NOW = datetime(2019, 2, 16, tzinfo=UTC)


@pytest.fixture
def server(test_data: Path) -> Iterator[ReplayServer]:
    with ReplayServer() as replay:
        serve(replay, test_data)
        yield replay


def wanted(symbol: str, name: str, kind: AssetClass) -> SymbolRequest:
    calendar = {AssetClass.FX: "fx", AssetClass.CRYPTO: "24/7"}.get(kind, "XNYS")
    return SymbolRequest(Instrument(symbol=symbol, asset_class=kind, calendar=calendar), name)


AAPL = wanted("AAPL", "AAPL", AssetClass.EQUITY)
EURUSD = wanted("EURUSD", "EUR/USD", AssetClass.FX)


def daily(first: date, *symbols: SymbolRequest, now: datetime = NOW) -> FetchRequest:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return FetchRequest(symbols or (AAPL,), Timeframe.D1, start, now, now)


def stated(results: list[FetchResult], symbol: str = "AAPL") -> tuple[Outcome, str]:
    outcome = {s: o for r in results for s, o in r.outcomes.items()}[symbol]
    return outcome.outcome, outcome.detail


def rows(results: list[FetchResult]) -> pl.DataFrame:
    return pl.concat([r.frame for r in results])


def sizes(server: ReplayServer) -> list[str]:
    return [a.query["outputsize"] for a in server.asked]


def free_key(server: ReplayServer, test_data: Path) -> None:
    """Whoever asks for everything is told to pay."""
    compact = b"".join(recorded_csv(test_data, "AAPL").splitlines(keepends=True)[:101])
    server.reply("/query", information(WHOLE_HISTORY), outputsize="full")
    server.reply("/query", Reply(compact), outputsize="compact")


def test_a_short_range_asks_for_the_newest_rows_alone(server: ReplayServer) -> None:
    results = list(alpha_vantage_on(server).fetch(daily(date(2019, 1, 2))))
    assert (sizes(server), rows(results).height) == (["compact"], 32)
    assert stated(results) == (Outcome.ROWS, "")


def test_a_free_key_gets_what_it_may_and_is_told_what_not(
    server: ReplayServer, test_data: Path
) -> None:
    free_key(server, test_data)
    vendor = alpha_vantage_on(server)
    results = list(vendor.fetch(daily(date(2018, 6, 1))))
    assert (sizes(server), rows(results).height) == (["full", "compact"], 100)
    outcome, detail = stated(results)
    assert outcome is Outcome.REFUSED
    assert "newest bars only, from 2018-09-24 on" in detail
    assert not any(r.begins for r in results)
    # It remembers, and a range that lies within is whole.
    results = list(vendor.fetch(daily(date(2018, 10, 1))))
    assert sizes(server)[2:] == ["compact"]
    assert stated(results)[0] is Outcome.ROWS


def test_a_whole_history_tells_where_it_begins(server: ReplayServer) -> None:
    results = list(alpha_vantage_on(server).fetch(daily(date(2017, 1, 1))))
    assert {s: b for r in results for s, b in r.begins.items()} == {
        "AAPL": datetime(2018, 1, 2, tzinfo=UTC)
    }


ADJUSTED = (
    b"timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\r\n"
    b"2020-08-31,127.58,131.0,126.0,129.04,125.5,225702700,0.0000,4.0\r\n"
    b"2020-08-28,504.05,505.77,498.31,499.23,121.4,46907479,0.0000,1.0\r\n"
    b"2020-08-07,452.82,454.7,441.17,444.45,108.0,49511403,0.8200,1.0\r\n"
)


def test_the_adjusted_series_brings_raw_prices_and_actions(server: ReplayServer) -> None:
    server.reply("/query", Reply(ADJUSTED), function="TIME_SERIES_DAILY_ADJUSTED")
    vendor = alpha_vantage_on(server, adjusted=True)
    now = datetime(2020, 9, 1, tzinfo=UTC)
    results = list(vendor.fetch(daily(date(2020, 8, 1), now=now)))
    assert rows(results).select("close", "adj_close", "volume").rows() == [
        (444.45, 108.0, 49511403.0), (499.23, 121.4, 46907479.0), (129.04, 125.5, 225702700.0),
    ]  # fmt: skip
    assert pl.concat([r.actions for r in results]).rows() == [
        ("AAPL", date(2020, 8, 7), "dividend", 0.82, "alpha_vantage",
         datetime(2020, 8, 7, tzinfo=UTC)),
        ("AAPL", date(2020, 8, 31), "split", 4.0, "alpha_vantage",
         datetime(2020, 8, 31, tzinfo=UTC)),
    ]  # fmt: skip
    assert vendor.basis(AAPL.instrument, Timeframe.D1) == Basis(unit="USD")


def test_a_free_key_is_told_that_the_adjusted_series_costs(server: ReplayServer) -> None:
    server.reply("/query", information(PREMIUM))
    with pytest.raises(UnauthorisedError, match="premium endpoint"):
        list(alpha_vantage_on(server, adjusted=True).fetch(daily(date(2019, 1, 2))))


def test_an_invalid_call_for_a_month_gives_nothing_older_up(
    server: ReplayServer, test_data: Path
) -> None:
    invalid = error(test_data, "error_message_invalid_call_intraday.json")
    server.reply("/query", invalid, month="2019-01")
    request = replace(daily(date(2018, 12, 1)), timeframe=Timeframe.M15)
    results = list(alpha_vantage_on(server).fetch(request))
    assert [a.query["month"] for a in server.asked] == ["2019-02", "2019-01"]
    outcome, detail = stated(results)
    assert outcome is Outcome.FAILED
    assert "none of 2019-01: if it was not listed then" in detail
    assert not rows(results).is_empty()
    assert [r.begins for r in results if r.begins] == []


def test_the_first_month_of_a_range_may_be_empty(server: ReplayServer) -> None:
    request = replace(daily(date(2018, 12, 3)), timeframe=Timeframe.M15)
    results = list(alpha_vantage_on(server).fetch(request))
    assert [a.query["month"] for a in server.asked] == ["2019-02", "2019-01", "2018-12"]
    assert stated(results)[0] is Outcome.ROWS
    assert rows(results).height == 780


def test_the_day_of_currencies_is_the_one_that_the_answer_names(
    server: ReplayServer, test_data: Path
) -> None:
    vendor = alpha_vantage_on(server)
    assert vendor.basis(EURUSD.instrument, Timeframe.D1).day == "Asia/Singapore 00:00"
    now = datetime(2026, 1, 25, tzinfo=UTC)
    request = daily(date(2026, 1, 20), EURUSD, now=now)
    list(vendor.fetch(request))
    told = Basis(side=Side.MID, unit="USD", day="UTC 00:00")
    assert vendor.basis(EURUSD.instrument, Timeframe.D1) == told
    body = json.loads(payload(test_data, "FX_DAILY_EURUSD_2026-01_2rows.json"))
    body["Meta Data"]["6. Time Zone"] = "GMT+8"
    server.reply("/query", json_body(body))
    list(vendor.fetch(request))
    assert vendor.basis(EURUSD.instrument, Timeframe.D1).day == "Asia/Singapore 00:00"
    assert vendor.basis(EURUSD.instrument, Timeframe.M5).day == ""


def test_intraday_currencies_that_do_not_tell_their_label_fail_with_the_cure(
    server: ReplayServer,
) -> None:
    now = datetime(2026, 1, 26, tzinfo=UTC)
    request = replace(daily(date(2026, 1, 25), EURUSD, now=now), timeframe=Timeframe.M5)
    outcome, detail = stated(list(alpha_vantage_on(server).fetch(request)), "EURUSD")
    assert outcome is Outcome.FAILED
    assert "option 'label'" in detail
    results = list(alpha_vantage_on(server, label="start").fetch(request))
    assert [str(ts) for ts in rows(results)["ts"]] == [
        "2026-01-25 22:35:00+00:00", "2026-01-25 22:40:00+00:00",
    ]  # fmt: skip


def test_coins_come_by_the_day(server: ReplayServer) -> None:
    values = {"1. open": "1.5", "2. high": "2.5", "3. low": "1.0", "4. close": "2.0",
              "5. volume": "7.25"}  # fmt: skip
    meta = {"1. Information": "Daily Prices", "7. Time Zone": "UTC"}
    series = {"Time Series (Digital Currency Daily)": {"2019-02-01": values}}
    asked: list[Asked] = []

    def answer(question: Asked) -> Reply:
        asked.append(question)
        return json_body({"Meta Data": meta, **series})

    server.reply("/query", answer)
    coin = wanted("BTCUSD", "BTC/USD", AssetClass.CRYPTO)
    results = list(alpha_vantage_on(server).fetch(daily(date(2019, 1, 1), coin)))
    assert rows(results).select("open", "close", "volume").rows() == [(1.5, 2.0, 7.25)]
    kept = {k: v for k, v in asked[0].query.items() if k != "apikey"}
    assert kept == {"function": "DIGITAL_CURRENCY_DAILY", "symbol": "BTC", "market": "USD"}
    request = replace(daily(date(2019, 1, 1), coin), timeframe=Timeframe.M5)
    assert stated(list(alpha_vantage_on(server).fetch(request)), "BTCUSD")[0] is Outcome.UNAVAILABLE


@pytest.mark.parametrize(
    ("symbol", "kind", "outcome"),
    [
        ("EURUSD", AssetClass.FX, Outcome.FAILED),
        ("A&apikey=x", AssetClass.EQUITY, Outcome.FAILED),
        ("GSPC", AssetClass.INDEX, Outcome.UNAVAILABLE),
        ("ES", AssetClass.FUTURE, Outcome.UNAVAILABLE),
    ],
)
def test_names_that_cannot_be_are_not_asked_for(
    server: ReplayServer, symbol: str, kind: AssetClass, outcome: Outcome
) -> None:
    request = daily(date(2019, 1, 2), wanted("X", symbol, kind))
    assert stated(list(alpha_vantage_on(server).fetch(request)), "X")[0] is outcome
    assert server.asked == []


def test_rows_that_are_no_bars_are_told_apart(server: ReplayServer) -> None:
    body = (
        b"timestamp,open,high,low,close,volume\r\n2019-02-05,1,2,1,2,5\r\n2019-02-04,1,2,x,2,5\r\n"
        b"2019-02-03,1,2,,2\r\n2019-02-02,1,2,1,2,5\x1f9\r\n\r\nnever,1,2,1,2,5\r\n2019-02-01,1,2,1,2,5,6\r\n"
    )
    server.reply("/query", Reply(body))
    results = list(alpha_vantage_on(server).fetch(daily(date(2019, 1, 2))))
    assert [str(ts.date()) for ts in rows(results)["ts"]] == ["2019-02-05"]
    rejected = pl.concat([r.rejected for r in results])
    assert rejected.select("ts", "reasons").rows() == [
        (None, "bad_time"),
        (None, "bad_time,missing_close,missing_high,missing_low,missing_open"),
        (datetime(2019, 2, 2, tzinfo=UTC), "bad_volume"),
        (datetime(2019, 2, 3, tzinfo=UTC), "missing_low"),
        (datetime(2019, 2, 4, tzinfo=UTC), "bad_low"),
    ]
    assert json.loads(rejected["row"][1])["time"] == "2019-02-01,1,2,1,2,5,6"
