"""Alpha Vantage through a server: what a free key is given, splits and dividends, months."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.alpha_vantage.questions import Adjusted
from market_data.basis import Adjustment, Basis, Side
from market_data.errors import MalformedAnswerError, UnauthorisedError
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


def begun(results: list[FetchResult]) -> dict[str, datetime]:
    return {s: b for r in results for s, b in r.begins.items()}


def test_a_whole_history_tells_where_it_begins(server: ReplayServer) -> None:
    results = list(alpha_vantage_on(server).fetch(daily(date(2017, 1, 1))))
    assert begun(results) == {"AAPL": datetime(2018, 1, 2, tzinfo=UTC)}


@pytest.mark.parametrize("kept", [4_000, 6_000])
def test_a_history_that_may_have_been_cut_tells_no_beginning(
    server: ReplayServer, test_data: Path, kept: int
) -> None:
    """A table without a word about itself, cut between two lines."""
    cut = recorded_csv(test_data, "AAPL")[:kept].rpartition(b"\n")[0] + b"\n"
    server.reply("/query", Reply(cut))
    results = list(alpha_vantage_on(server).fetch(daily(date(2017, 1, 1))))
    assert not rows(results).is_empty()
    assert begun(results) == {}


@pytest.mark.parametrize("ending", [b"", b"\r"])
def test_a_table_that_broke_off_within_a_line_is_no_answer(
    server: ReplayServer, ending: bytes
) -> None:
    """What is left of the last volume looks like a volume."""
    head = b"timestamp,open,high,low,close,volume\r\n"
    body = head + b"2019-02-05,1,2,1,2,123456\r\n2019-02-04,1,2,1,2,1234" + ending
    server.reply("/query", Reply(body))
    results = list(alpha_vantage_on(server).fetch(daily(date(2019, 1, 2))))
    assert stated(results)[0] is Outcome.FAILED
    assert "broke off" in stated(results)[1]
    assert rows(results).is_empty()
    server.reply("/query", Reply(body.rstrip() + b"56\r\n"))
    results = list(alpha_vantage_on(server).fetch(daily(date(2019, 1, 2))))
    assert rows(results)["volume"].to_list() == [123456.0, 123456.0]


def test_a_short_answer_of_newest_rows_proves_no_beginning(
    server: ReplayServer, test_data: Path
) -> None:
    """Fewer rows than the 100 that a free key gets: listed lately, or cut."""
    few = b"".join(recorded_csv(test_data, "AAPL").splitlines(keepends=True)[:31])
    server.reply("/query", information(WHOLE_HISTORY), outputsize="full")
    server.reply("/query", Reply(few), outputsize="compact")
    request = daily(date(2018, 6, 1))
    results = list(alpha_vantage_on(server).fetch(request))
    assert begun(results) == {}
    assert stated(results)[0] is Outcome.REFUSED
    # Whoever knows the day of listing knows that these are all.
    listed = AAPL.instrument.model_copy(update={"listed": date(2019, 1, 3)})
    known = replace(request, symbols=(replace(AAPL, instrument=listed),))
    results = list(alpha_vantage_on(server).fetch(known))
    assert begun(results) == {}
    assert stated(results)[0] is Outcome.ROWS


def told_of(**changes: str) -> Reply:
    """A daily answer whose meta data says something else; an empty word is left out."""
    meta = {"Symbol": "AAPL", "Output Size": "Full size", "Time Zone": "US/Eastern"} | changes
    named = {f"{n}. {key}": value for n, (key, value) in enumerate(meta.items(), 1) if value}
    values = {"1. open": "1", "2. high": "2", "3. low": "1", "4. close": "2", "5. volume": "7"}
    return json_body({"Meta Data": named, "Time Series (Daily)": {"2019-02-05": values}})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Symbol": "MSFT"}, "asked for symbol AAPL, and answers about 'MSFT'"),
        ({"Symbol": ""}, "answers about nothing that it names"),
        ({"Output Size": "Compact"}, "says that it sent 'compact'"),
        ({"symbol": "MSFT"}, "two values of its 'symbol'"),
    ],
)
def test_an_answer_about_something_else_is_a_failure(
    server: ReplayServer, changes: dict[str, str], words: str
) -> None:
    server.reply("/query", told_of())
    results = list(alpha_vantage_on(server).fetch(daily(date(2017, 1, 2))))
    assert rows(results).height == 1
    server.reply("/query", told_of(**changes))
    results = list(alpha_vantage_on(server).fetch(daily(date(2017, 1, 2))))
    assert stated(results)[0] is Outcome.FAILED
    assert words in stated(results)[1]
    assert rows(results).is_empty()


@pytest.mark.parametrize(
    ("key", "value"),
    [("2. From Symbol", "GBP"), ("3. To Symbol", "JPY"), ("5. Interval", "15min")],
)
def test_an_answer_about_another_pair_or_interval_is_a_failure(
    server: ReplayServer, test_data: Path, key: str, value: str
) -> None:
    body = json.loads(payload(test_data, "FX_INTRADAY_EURUSD_5min_2026-01_2rows.json"))
    body["Meta Data"] |= {"6. Output Size": "Full size", key: value}
    server.reply("/query", json_body(body))
    now = datetime(2026, 1, 26, tzinfo=UTC)
    request = replace(daily(date(2026, 1, 25), EURUSD, now=now), timeframe=Timeframe.M5)
    vendor = alpha_vantage_on(server, label="start")
    results = list(vendor.fetch(request))
    assert stated(results, "EURUSD")[0] is Outcome.FAILED
    assert f"answers about '{value}'" in stated(results, "EURUSD")[1]
    # An archived answer is held to the same.
    with pytest.raises(MalformedAnswerError, match="answers about"):
        list(vendor.reread([json.dumps(body).encode()], request))


def series_of(text: str) -> Reply:
    meta = '{"2. Symbol": "AAPL", "4. Output Size": "Compact", "5. Time Zone": "US/Eastern"}'
    return Reply(f'{{"Meta Data": {meta}, "Time Series (Daily)": {{{text}}}}}'.encode())


PRICES = '"1. open": "1", "2. high": "2", "3. low": "1", "4. close": "2"'


def test_each_row_of_json_is_read_by_its_own_names(server: ReplayServer) -> None:
    server.reply("/query", series_of(
        f'"2019-02-05": {{{PRICES}}}, '
        f'"2019-02-04": {{{PRICES}, "5. volume": "7"}}, '
        f'"2019-02-01": {{{PRICES}, "6. volume": "8"}}, '
        f'"2019-01-31": {{{PRICES}, "1b. open (USD)": "1.5"}}, '
        f'"2019-01-30": {{{PRICES}, "5. volume": "7", "6. volume": "8"}}'
    ))  # fmt: skip
    results = list(alpha_vantage_on(server).fetch(daily(date(2019, 1, 2))))
    assert [(str(ts.date()), v) for ts, v in rows(results).select("ts", "volume").rows()] == [
        ("2019-02-01", 8.0), ("2019-02-04", 7.0), ("2019-02-05", None),
    ]  # fmt: skip
    rejected = pl.concat([r.rejected for r in results])
    assert rejected["reasons"].to_list() == ["ambiguous_names"] * 2


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "1" + "0" * 400, '"1e999"'])
def test_a_number_that_is_none_costs_its_own_row(server: ReplayServer, number: str) -> None:
    odd = PRICES.replace('"2"', number, 1)
    server.reply("/query", series_of(f'"2019-02-05": {{{PRICES}}}, "2019-02-04": {{{odd}}}'))
    results = list(alpha_vantage_on(server).fetch(daily(date(2019, 1, 2))))
    assert rows(results).height == 1
    assert pl.concat([r.rejected for r in results])["reasons"].to_list() == ["bad_high"]


def test_a_day_that_is_told_twice_fails_the_answer(server: ReplayServer) -> None:
    twice = f'"2019-02-05": {{{PRICES}}}'
    other = twice.replace('"4. close": "2"', '"4. close": "1.5"')
    server.reply("/query", series_of(f"{twice}, {other}"))
    results = list(alpha_vantage_on(server).fetch(daily(date(2019, 1, 2))))
    assert stated(results)[0] is Outcome.FAILED
    assert "names '2019-02-05' twice" in stated(results)[1]


def test_an_answer_without_one_readable_bar_is_no_absence(server: ReplayServer) -> None:
    odd = PRICES.replace('"2"', '"x"')
    server.reply("/query", series_of(f'"2019-02-05": {{{odd}}}'))
    results = list(alpha_vantage_on(server).fetch(daily(date(2019, 1, 2))))
    assert stated(results)[0] is Outcome.FAILED
    assert "in quarantine" in stated(results)[1]


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


@pytest.mark.parametrize(
    ("told", "kind", "reasons"),
    [
        ("0.0000,1e300", "split", "implausible_split"),
        ("0.0000,0", "split", "bad_value"),
        ("0.0000,-2.0", "split", "bad_value"),
        ("0.0000,nan", "split", "bad_value"),
        ("0.0000,two", "split", "bad_value"),
        ("1e308,1.0", "dividend", "implausible_dividend"),
        ("444.45,1.0", "dividend", "implausible_dividend"),
        ("-0.82,1.0", "dividend", "bad_value"),
    ],
)
def test_actions_that_cannot_be_are_refused_and_their_bar_is_not(
    server: ReplayServer, told: str, kind: str, reasons: str
) -> None:
    body = ADJUSTED.replace(b"0.0000,4.0", b"0.0000,1.0")
    body = body.replace(b"46907479,0.0000,1.0", f"46907479,{told}".encode())
    body = body.replace(b"2020-08-07", b"2020-08-27")
    server.reply("/query", Reply(body), function="TIME_SERIES_DAILY_ADJUSTED")
    request = daily(date(2020, 8, 1), now=datetime(2020, 9, 1, tzinfo=UTC))
    results = list(alpha_vantage_on(server, adjusted=True).fetch(request))
    assert rows(results).height == 3
    assert pl.concat([r.actions for r in results])["value"].to_list() == [0.82]
    rejected = pl.concat([r.rejected for r in results])
    assert rejected.select("ts", "reasons").rows() == [(datetime(2020, 8, 28, tzinfo=UTC), reasons)]
    assert json.loads(rejected["row"][0])["kind"] == kind


def test_two_splits_of_one_day_and_the_split_of_a_refused_row_are_not_believed(
    server: ReplayServer,
) -> None:
    twice = b"2020-08-31,127.58,131.0,126.0,129.04,125.5,225702700,0.0000,5.0\r\n"
    body = ADJUSTED + twice
    body = body.replace(b"444.45,108.0,49511403,0.8200", b"x,108.0,49511403,0.8200")
    server.reply("/query", Reply(body), function="TIME_SERIES_DAILY_ADJUSTED")
    request = daily(date(2020, 8, 1), now=datetime(2020, 9, 1, tzinfo=UTC))
    results = list(alpha_vantage_on(server, adjusted=True).fetch(request))
    assert pl.concat([r.actions for r in results]).is_empty()
    rejected = pl.concat([r.rejected for r in results])
    assert sorted(rejected["reasons"].to_list()) == [
        "action_of_refused_row", "bad_close", "contradiction", "contradiction",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("adjusted", "function", "word", "basis"),
    [
        (False, "TIME_SERIES_DAILY", "false", Adjustment.RAW),
        (True, "TIME_SERIES_DAILY_ADJUSTED", "false", Adjustment.RAW),
        ("intraday", "TIME_SERIES_DAILY", "true", Adjustment.TOTAL),
    ],
)
def test_adjusted_intraday_bars_are_asked_for_by_word_and_said_to_be_so(
    server: ReplayServer, adjusted: Adjusted, function: str, word: str, basis: Adjustment
) -> None:
    vendor = alpha_vantage_on(server, adjusted=adjusted)
    request = daily(date(2019, 2, 1))
    intraday = replace(request, timeframe=Timeframe.M15)
    assert not rows(list(vendor.fetch(intraday))).is_empty()
    list(vendor.fetch(request))
    first, last = server.asked[0].query, server.asked[-1].query
    assert (first["adjusted"], last["function"]) == (word, function)
    assert vendor.basis(AAPL.instrument, Timeframe.M15).adjustment is basis
    assert vendor.basis(AAPL.instrument, Timeframe.D1).adjustment is Adjustment.RAW
    assert vendor.basis(EURUSD.instrument, Timeframe.M15).adjustment is Adjustment.RAW


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
    asked = [a.query["month"] for a in server.asked]
    assert asked == ["2019-02", "2019-01", "2018-12", "2018-11"]
    outcome, detail = stated(results)
    assert outcome is Outcome.FAILED
    assert "none of 2019-01: if it was not listed then" in detail
    assert not rows(results).is_empty()
    assert [r.begins for r in results if r.begins] == []


def test_a_newest_month_without_data_keeps_no_older_one_back(
    server: ReplayServer, test_data: Path
) -> None:
    invalid = error(test_data, "error_message_invalid_call_intraday.json")
    server.reply("/query", invalid, month="2019-02")
    request = replace(daily(date(2019, 1, 2)), timeframe=Timeframe.M15)
    results = list(alpha_vantage_on(server).fetch(request))
    assert [a.query["month"] for a in server.asked] == ["2019-02", "2019-01"]
    assert {str(ts.date())[:7] for ts in rows(results)["ts"]} == {"2019-01"}
    outcome, detail = stated(results)
    assert outcome is Outcome.FAILED
    assert "none of 2019-02" in detail
    # A symbol that has no month at all is unknown, and says so of each.
    server.reply("/query", invalid, symbol="AAPL")
    results = list(alpha_vantage_on(server).fetch(request))
    assert stated(results)[1].count("Invalid API call") == 2


def test_a_month_in_trouble_of_another_kind_keeps_no_other_back(server: ReplayServer) -> None:
    server.reply("/query", Reply(b"<html>"), month="2019-02")
    request = replace(daily(date(2019, 1, 2)), timeframe=Timeframe.M15)
    results = list(alpha_vantage_on(server).fetch(request))
    assert stated(results)[0] is Outcome.FAILED
    assert stated(results)[1].startswith("2019-02: ")
    assert not rows(results).is_empty()


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
    meta = {"1. Information": "Daily Prices", "2. Digital Currency Code": "BTC",
            "4. Market Code": "USD", "7. Time Zone": "UTC"}  # fmt: skip
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
        (datetime(2019, 2, 3, tzinfo=UTC), "missing_low,short_line"),
        (datetime(2019, 2, 4, tzinfo=UTC), "bad_low"),
    ]
    assert json.loads(rejected["row"][1])["time"] == "2019-02-01,1,2,1,2,5,6"
