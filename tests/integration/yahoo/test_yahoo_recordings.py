"""What Yahoo really answered, read through yfinance from a replay server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.yahoo.vendor import YahooVendor
from market_data.ports import FetchRequest, FetchResult, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.replay_server import ReplayServer, Reply, html_page, json_body
from tests.support.yahoo_replay import (
    CHART,
    EMPTY_1M,
    chart,
    recorded,
    serve_basics,
    serve_recordings,
    yahoo_on,
)

NOW = datetime(2025, 2, 20, 12, tzinfo=UTC)


@pytest.fixture
def server(test_data: Path) -> Iterator[ReplayServer]:
    with ReplayServer() as replay:
        serve_recordings(replay, test_data)
        yield replay


@pytest.fixture
def yahoo(server: ReplayServer) -> YahooVendor:
    return yahoo_on(server)


def instrument(
    symbol: str, asset_class: AssetClass = AssetClass.EQUITY, currency: str = "USD"
) -> Instrument:
    return Instrument(symbol=symbol, asset_class=asset_class, calendar="XNYS", currency=currency)


def fetch(
    vendor: YahooVendor,
    wanted: Instrument,
    yahoo_symbol: str,
    first: date,
    after: date,
    *,
    timeframe: Timeframe = Timeframe.D1,
    now: datetime = NOW,
) -> list[FetchResult]:
    start, end = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (first, after))
    request = FetchRequest((SymbolRequest(wanted, yahoo_symbol),), timeframe, start, end, now)
    return list(vendor.fetch(request))


def bars(results: list[FetchResult]) -> pl.DataFrame:
    return pl.concat([r.frame for r in results])


def actions(results: list[FetchResult]) -> list[tuple[date, str, float]]:
    return pl.concat([r.actions for r in results]).select("ex_date", "kind", "value").rows()


def test_apple_with_its_split_and_dividend(yahoo: YahooVendor) -> None:
    results = fetch(yahoo, instrument("AAPL"), "AAPL", date(2020, 8, 31), date(2020, 11, 7))
    frame = bars(results)
    assert frame.height == 49
    assert frame["ts"].dt.date()[0] == date(2020, 8, 31)
    assert frame["ts"].dt.date()[-1] == date(2020, 11, 6)
    first = frame.row(0, named=True)
    assert first["close"] == pytest.approx(129.04, abs=0.005)
    assert first["adj_close"] < first["close"]
    assert first["volume"] == 225_702_700
    assert actions(results) == [
        (date(2020, 8, 31), "split", 4.0),
        (date(2020, 11, 6), "dividend", 0.205),
    ]
    assert results[-1].outcomes["AAPL"].outcome is Outcome.ROWS


def test_the_end_is_excluded(yahoo: YahooVendor) -> None:
    frame = bars(fetch(yahoo, instrument("AAPL"), "AAPL", date(2020, 9, 1), date(2020, 9, 3)))
    assert frame["ts"].dt.date().to_list() == [date(2020, 9, 1), date(2020, 9, 2)]


def test_a_dividend_is_told_in_the_shares_of_its_own_day(
    server: ReplayServer, yahoo: YahooVendor, test_data: Path
) -> None:
    later = recorded(test_data, "chart-AAPL-2020-08-31-to-2020-11-07.json")
    before = recorded(test_data, "chart-AAPL-2020-01-01-to-2020-01-03.json")
    before["chart"]["result"][0]["events"] = {
        "dividends": {"1577975400": {"amount": 0.1925, "date": 1577975400}}
    }
    server.reply(CHART + "AAPL", json_body(before), interval="1d")
    server.reply(CHART + "AAPL", json_body(later), interval="1mo")
    results = fetch(yahoo, instrument("AAPL"), "AAPL", date(2020, 1, 1), date(2020, 1, 3))
    # Each once, the later ones before any bar.
    assert actions(results) == [
        (date(2020, 8, 31), "split", 4.0),
        (date(2020, 11, 6), "dividend", 0.205),
        (date(2020, 1, 2), "dividend", 0.77),
    ]
    assert results[0].frame.is_empty()
    assert len(results[0].actions) == 2


def week_of_minutes(day: date, events: dict[str, object]) -> Reply:
    """A chart of one minute bar, in the session of a day."""
    stamp = int(datetime(day.year, day.month, day.day, 15, tzinfo=UTC).timestamp())
    return json_body(chart([stamp], [10.0], events=events))


def test_a_span_that_fails_loses_no_split_of_the_bars_that_came(server: ReplayServer) -> None:
    """Of two weeks the newer one holds the split that the older one's prices are divided by."""
    newer, older = date(2025, 2, 18), date(2025, 2, 10)
    split = {"numerator": 2, "denominator": 1, "date": int(NOW.timestamp()) - 86_400}
    paid = {"amount": 0.5, "date": int(NOW.timestamp()) - 9 * 86_400}
    newest = week_of_minutes(newer, {"splits": {"x": split}})
    oldest = week_of_minutes(older, {"dividends": {"x": paid}})
    server.reply(CHART + "AAPL", newest, oldest, interval="1m")
    both = minutes_of_two_weeks(server)
    assert actions(both) == [
        (date(2025, 2, 19), "split", 2.0),
        (date(2025, 2, 11), "dividend", 1.0),
    ]
    assert bars(both)["ts"].dt.date().to_list() == [newer, older]

    server.reply(CHART + "AAPL", newest, html_page(), interval="1m")
    broken = minutes_of_two_weeks(server)
    assert broken[-1].outcomes["AAPL"].outcome is Outcome.FAILED
    assert actions(broken) == [(date(2025, 2, 19), "split", 2.0)]
    assert bars(broken)["ts"].dt.date().to_list() == [newer]
    assert not next(r for r in broken if r.frame.height).actions.is_empty()


def minutes_of_two_weeks(server: ReplayServer) -> list[FetchResult]:
    vendor = yahoo_on(server, attempts=1)
    span = (date(2025, 2, 6), date(2025, 2, 20))
    return fetch(vendor, instrument("AAPL"), "AAPL", *span, timeframe=Timeframe.M1)


def test_splits_after_the_range_are_asked_for_until_now(
    server: ReplayServer, yahoo: YahooVendor
) -> None:
    fetch(yahoo, instrument("AAPL"), "AAPL", date(2020, 8, 31), date(2020, 11, 7))
    monthly = [a.query for a in server.asked if a.query.get("interval") == "1mo"]
    assert len(monthly) == 1
    assert int(monthly[0]["period2"]) > NOW.timestamp()
    assert int(monthly[0]["period1"]) < datetime(2020, 11, 7, tzinfo=UTC).timestamp()


def test_a_currency_pair_lives_on_londons_day_and_has_no_volume(yahoo: YahooVendor) -> None:
    euro = instrument("EURUSD", AssetClass.FX)
    frame = bars(fetch(yahoo, euro, "EURUSD=X", date(2020, 1, 1), date(2020, 1, 4)))
    days = [date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 3)]
    assert frame["ts"].dt.date().to_list() == days
    assert frame["volume"].is_null().all()
    assert str(yahoo.basis(euro, Timeframe.D1)) == "splits|mid|USD|regular|Europe/London 00:00"
    assert yahoo.basis(euro, Timeframe.H1).day == ""


def test_pence_stay_pence_and_the_basis_says_so(yahoo: YahooVendor) -> None:
    ocado = instrument("OCDO", currency="GBP")
    frame = bars(fetch(yahoo, ocado, "OCDO.L", date(2020, 1, 1), date(2020, 1, 3)))
    assert frame["close"].to_list() == [1259.5]
    assert frame["ts"].dt.date().to_list() == [date(2020, 1, 2)]
    assert yahoo.basis(ocado, Timeframe.D1).unit == "GBp"


def test_the_unit_is_told_by_the_suffix_before_the_first_answer(yahoo: YahooVendor) -> None:
    london = Instrument(
        symbol="OCDO",
        asset_class=AssetClass.EQUITY,
        calendar="XLON",
        currency="GBP",
        vendor_symbols={"yahoo": "OCDO.L"},
    )
    assert yahoo.basis(london, Timeframe.D1).unit == "GBp"


def test_bitcoin_and_gold(yahoo: YahooVendor) -> None:
    bitcoin = instrument("BTCUSD", AssetClass.CRYPTO)
    frame = bars(fetch(yahoo, bitcoin, "BTC-USD", date(2020, 1, 1), date(2020, 1, 4)))
    assert frame.height == 3
    assert frame["volume"].min() > 1e9
    gold = instrument("GOLD", AssetClass.FUTURE)
    frame = bars(fetch(yahoo, gold, "GC=F", date(2020, 1, 1), date(2020, 1, 3)))
    assert frame["ts"].dt.date().to_list() == [date(2020, 1, 2)]
    assert str(yahoo.basis(gold, Timeframe.D1)) == "splits|trade|USD|regular|"


def test_microsofts_dividends(yahoo: YahooVendor) -> None:
    results = fetch(yahoo, instrument("MSFT"), "MSFT", date(2021, 2, 1), date(2022, 1, 31))
    assert bars(results).height == 252
    assert actions(results) == [
        (date(2021, 2, 17), "dividend", 0.56),
        (date(2021, 5, 19), "dividend", 0.56),
        (date(2021, 8, 18), "dividend", 0.56),
        (date(2021, 11, 17), "dividend", 0.62),
    ]


def test_an_empty_minute_answer_is_nothing(
    server: ReplayServer, yahoo: YahooVendor, test_data: Path
) -> None:
    server.reply(CHART + "AAPL", json_body(recorded(test_data, EMPTY_1M)), interval="1m")
    results = fetch(
        yahoo,
        instrument("AAPL"),
        "AAPL",
        date(2025, 2, 1),
        date(2025, 2, 2),
        timeframe=Timeframe.M1,
    )
    assert bars(results).is_empty()
    assert results[-1].outcomes["AAPL"].outcome is Outcome.NOTHING


def test_payloads_are_the_bytes_that_came(
    server: ReplayServer, yahoo: YahooVendor, test_data: Path
) -> None:
    body = recorded(test_data, "chart-QQQ-2020-01-01-to-2020-01-03.json")
    results = fetch(yahoo, instrument("QQQ"), "QQQ", date(2020, 1, 2), date(2020, 1, 3))
    payloads = [p for r in results for p in r.payloads]
    assert json.loads(payloads[-1].content) == body
    assert payloads[-1].source.startswith(server.url + CHART + "QQQ?period1=")


def test_a_range_of_minutes_is_asked_for_in_weeks_and_clipped_to_the_window(
    server: ReplayServer, yahoo: YahooVendor, test_data: Path
) -> None:
    server.reply(CHART + "AAPL", json_body(recorded(test_data, EMPTY_1M)), interval="1m")
    fetch(
        yahoo,
        instrument("AAPL"),
        "AAPL",
        date(2025, 1, 1),
        date(2025, 2, 20),
        timeframe=Timeframe.M1,
    )
    asked = [
        (int(a.query["period1"]), int(a.query["period2"]))
        for a in server.asked
        if a.query.get("interval") == "1m"
    ]
    assert len(asked) == 5
    assert asked == sorted(asked, reverse=True)
    asked.reverse()
    assert asked[0][0] > NOW.timestamp() - 30 * 86_400
    assert all(end - start <= 7 * 86_400 for start, end in asked)
    assert all(asked[i][1] == asked[i + 1][0] for i in range(4))


def test_outside_the_window_nothing_is_asked(server: ReplayServer, yahoo: YahooVendor) -> None:
    results = fetch(
        yahoo,
        instrument("AAPL"),
        "AAPL",
        date(2024, 12, 1),
        date(2024, 12, 8),
        timeframe=Timeframe.M15,
    )
    assert results[-1].outcomes["AAPL"].outcome is Outcome.UNAVAILABLE
    assert "60 days" in results[-1].outcomes["AAPL"].detail
    assert server.asked == []


def test_a_symbol_that_could_leave_the_path_is_not_asked_for(
    server: ReplayServer, yahoo: YahooVendor
) -> None:
    results = fetch(yahoo, instrument("EVIL"), "../v1/secret", date(2020, 1, 1), date(2020, 1, 3))
    assert results[-1].outcomes["EVIL"].outcome is Outcome.FAILED
    assert server.asked == []


def test_the_same_past_range_is_asked_for_again(
    server: ReplayServer, yahoo: YahooVendor, test_data: Path
) -> None:
    """A revision is found only if no past answer is kept in memory."""
    revised = recorded(test_data, "chart-QQQ-2020-01-01-to-2020-01-03.json")
    day = (date(2020, 1, 2), date(2020, 1, 3))
    assert bars(fetch(yahoo, instrument("QQQ"), "QQQ", *day))["close"][0] == pytest.approx(216.16)
    revised["chart"]["result"][0]["indicators"]["quote"][0]["close"] = [216.15]
    server.reply(CHART + "QQQ", json_body(revised), interval="1d")
    assert bars(fetch(yahoo, instrument("QQQ"), "QQQ", *day))["close"][0] == 216.15


def test_requests_keep_their_distance(server: ReplayServer) -> None:
    waits: list[float] = []
    vendor = yahoo_on(server, waits=waits, min_interval=5.0)
    day = (date(2020, 1, 2), date(2020, 1, 3))
    fetch(vendor, instrument("QQQ"), "QQQ", *day)
    assert len(waits) >= 1
    assert all(4.0 < w <= 5.0 for w in waits)


def test_nothing_is_written_to_the_home_folder(tmp_path: Path, test_data: Path) -> None:
    """In a process of its own: yfinance reads its folder's place when it is imported."""
    code = """
import sys
from datetime import date
from pathlib import Path
from tests.integration.yahoo.test_yahoo_recordings import *
with ReplayServer() as server:
    serve_recordings(server, Path(sys.argv[1]))
    assert "yfinance" not in sys.modules
    day = (date(2020, 1, 2), date(2020, 1, 3))
    frame = bars(fetch(yahoo_on(server), instrument("QQQ"), "QQQ", *day))
    assert frame.height == 1 and "yfinance" in sys.modules
"""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(test_data)],
        cwd=root,
        env={"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
    assert list(tmp_path.rglob("*")) == []


def test_a_cookie_page_that_fails_does_not_matter(test_data: Path) -> None:
    with ReplayServer() as server:
        serve_basics(server)
        serve_recordings(server, test_data)
        server.reply("/", Reply(b"", 500))
        server.reply("/v1/test/getcrumb", Reply(b"Too Many Requests", 429))
        day = (date(2020, 1, 2), date(2020, 1, 3))
        assert bars(fetch(yahoo_on(server), instrument("QQQ"), "QQQ", *day)).height == 1
