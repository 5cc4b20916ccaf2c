"""Every kind of trouble that Yahoo gives, through yfinance from a replay server."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from market_data.errors import (
    BudgetSpentError,
    LeftAloneError,
    RateLimitedError,
    UnauthorisedError,
    VendorError,
    VendorUnavailableError,
)
from market_data.ports import Claim, FetchRequest, FetchResult, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.replay_server import (
    ReplayServer,
    Reply,
    cut_off,
    failing,
    html_page,
    json_body,
    redirect,
    slow,
    too_many,
)
from tests.support.yahoo_replay import CHART, error_text, recorded, serve_recordings, yahoo_on

RECORDED = "chart-QQQ-2020-01-01-to-2020-01-03.json"
QQQ, GOLD = CHART + "QQQ", CHART + "GC=F"


@pytest.fixture
def server(test_data: Path) -> Iterator[ReplayServer]:
    with ReplayServer() as replay:
        serve_recordings(replay, test_data)
        yield replay


@pytest.fixture
def good(test_data: Path) -> Reply:
    return json_body(recorded(test_data, RECORDED))


def question(*names: str, timeframe: Timeframe = Timeframe.D1) -> FetchRequest:
    """Futures have no splits, so that each symbol is one question."""
    symbols = tuple(
        SymbolRequest(
            Instrument(symbol=n, asset_class=AssetClass.FUTURE, calendar="XNYS"),
            {"GOLD": "GC=F"}.get(n, n),
        )
        for n in names
    )
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 3, tzinfo=UTC)
    return FetchRequest(symbols, timeframe, start, end, datetime(2020, 1, 20, tzinfo=UTC))


def outcome(results: list[FetchResult], symbol: str) -> tuple[Outcome, str]:
    stated = {s: o for r in results for s, o in r.outcomes.items()}[symbol]
    return stated.outcome, stated.detail


def rows(results: list[FetchResult]) -> list[str]:
    return [s for r in results for s in r.frame["symbol"]]


def test_an_unknown_symbol_fails_and_is_asked_for_once(
    server: ReplayServer, test_data: Path
) -> None:
    reply = Reply(error_text(test_data, "404_symbol_not_found.json"), 404)
    server.reply(QQQ, reply)
    results = list(yahoo_on(server).fetch(question("QQQ", "GOLD")))
    assert outcome(results, "QQQ")[0] is Outcome.FAILED
    assert "delisted" in outcome(results, "QQQ")[1]
    assert outcome(results, "GOLD")[0] is Outcome.ROWS
    assert len(server.asked_for(QQQ)) == 1


def test_out_of_range_is_unavailable_and_asked_for_once(
    server: ReplayServer, test_data: Path
) -> None:
    server.reply(QQQ, Reply(error_text(test_data, "422_intraday_range_1m.json"), 422))
    results = list(yahoo_on(server).fetch(question("QQQ", timeframe=Timeframe.M1)))
    assert outcome(results, "QQQ")[0] is Outcome.UNAVAILABLE
    assert "within the last 30 days" in outcome(results, "QQQ")[1]
    assert len(server.asked_for(QQQ)) == 1


def test_an_error_in_a_good_status_is_still_an_error(server: ReplayServer, test_data: Path) -> None:
    server.reply(QQQ, Reply(error_text(test_data, "404_symbol_not_found.json"), 200))
    results = list(yahoo_on(server).fetch(question("QQQ")))
    assert outcome(results, "QQQ")[0] is Outcome.FAILED


def test_a_range_without_data_is_nothing(server: ReplayServer) -> None:
    words = "Data doesn't exist for startDate = 1577836800, endDate = 1578009600"
    error = {"code": "Bad Request", "description": words}
    server.reply(QQQ, json_body({"chart": {"result": None, "error": error}}, 400))
    results = list(yahoo_on(server).fetch(question("QQQ")))
    assert outcome(results, "QQQ")[0] is Outcome.NOTHING


def test_too_many_requests_wait_as_long_as_yahoo_asks(server: ReplayServer, good: Reply) -> None:
    waits: list[float] = []
    server.reply(QQQ, too_many(retry_after=7), good)
    results = list(yahoo_on(server, waits=waits).fetch(question("QQQ")))
    assert outcome(results, "QQQ")[0] is Outcome.ROWS
    assert len(waits) == 1
    assert 7.0 <= waits[0] <= 8.0
    assert len(server.asked_for(QQQ)) == 2


def test_too_many_requests_end_the_answer(server: ReplayServer, test_data: Path) -> None:
    server.reply(GOLD, Reply(error_text(test_data, "429_too_many_requests.txt"), 429))
    answer = yahoo_on(server, attempts=2).fetch(question("QQQ", "GOLD", "BTC-USD"))
    begun = [next(answer), next(answer)]
    assert outcome(begun, "QQQ")[0] is Outcome.ROWS
    assert outcome([next(answer)], "BTC-USD")[0] is Outcome.NOT_ASKED
    with pytest.raises(RateLimitedError):
        next(answer)
    assert len(server.asked_for(GOLD)) == 2
    assert server.asked_for(CHART + "BTC-USD") == []


def test_a_very_long_pause_is_not_waited_for(server: ReplayServer) -> None:
    waits: list[float] = []
    server.reply(QQQ, too_many(retry_after=3600))
    with pytest.raises(RateLimitedError):
        list(yahoo_on(server, waits=waits).fetch(question("QQQ")))
    assert waits == []
    assert len(server.asked_for(QQQ)) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_no_access_ends_the_answer_after_a_new_cookie(server: ReplayServer, status: int) -> None:
    server.reply(QQQ, failing(status, b"Invalid Crumb"))
    with pytest.raises(UnauthorisedError, match="Invalid Crumb"):
        list(yahoo_on(server).fetch(question("QQQ", "GOLD")))
    assert len(server.asked_for(QQQ)) == 2
    assert server.asked_for(GOLD) == []


def test_a_new_cookie_can_help(server: ReplayServer, good: Reply) -> None:
    server.reply(QQQ, failing(401, b"Invalid Crumb"), good)
    assert rows(list(yahoo_on(server).fetch(question("QQQ")))) == ["QQQ"]


@pytest.mark.parametrize(
    "trouble",
    [
        failing(500),
        failing(503, b"{}"),
        html_page(),
        Reply(b'{"chart": {"result": [{"meta"'),
        Reply(b'{"finance": {}}'),
        Reply(b'{"chart": {"result": [], "error": null}}'),
        Reply(b""),
    ],
    ids=["500", "503", "html", "half-json", "other-json", "no-result", "empty"],
)
def test_trouble_is_retried_then_told(server: ReplayServer, good: Reply, trouble: Reply) -> None:
    server.reply(QQQ, trouble, good)
    assert rows(list(yahoo_on(server).fetch(question("QQQ")))) == ["QQQ"]

    server.reply(QQQ, trouble)
    before = len(server.asked_for(QQQ))
    results = list(yahoo_on(server).fetch(question("QQQ", "GOLD")))
    state, detail = outcome(results, "QQQ")
    assert state is Outcome.FAILED
    assert detail.startswith("Yahoo")
    assert len(server.asked_for(QQQ)) - before == 3
    assert rows(results) == ["GOLD"]


def test_half_a_body_is_retried_then_told(server: ReplayServer, good: Reply) -> None:
    server.reply(QQQ, cut_off(good), good)
    assert rows(list(yahoo_on(server).fetch(question("QQQ")))) == ["QQQ"]
    server.reply(QQQ, cut_off(good))
    results = list(yahoo_on(server).fetch(question("QQQ")))
    assert outcome(results, "QQQ")[0] is Outcome.FAILED
    assert "broke off" in outcome(results, "QQQ")[1]


def test_a_slow_answer_is_given_up(server: ReplayServer, good: Reply) -> None:
    server.reply(QQQ, slow(good, 1.5))
    results = list(yahoo_on(server, timeout=0.3, attempts=1).fetch(question("QQQ", "GOLD")))
    assert outcome(results, "QQQ")[0] is Outcome.FAILED
    assert "in time" in outcome(results, "QQQ")[1]
    assert rows(results) == ["GOLD"]


def test_no_connection_ends_the_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    server = type("Nobody", (), {"url": url})()
    with pytest.raises(VendorUnavailableError, match="cannot be reached"):
        list(yahoo_on(server, attempts=2).fetch(question("QQQ", "GOLD")))


def test_a_chart_of_another_shape_fails_its_symbol_alone(
    server: ReplayServer, test_data: Path
) -> None:
    short = recorded(test_data, RECORDED)
    short["chart"]["result"][0]["indicators"]["quote"][0]["close"] = [1.0, 2.0, 3.0]
    server.reply(QQQ, json_body(short))
    results = list(yahoo_on(server).fetch(question("QQQ", "GOLD")))
    assert outcome(results, "QQQ")[0] is Outcome.FAILED
    assert rows(results) == ["GOLD"]


@pytest.mark.parametrize("place", ["http://\xff\xfe/", "http://[::1/", "http://x:port/"])
def test_an_address_that_is_none_fails_its_symbol_alone(server: ReplayServer, place: str) -> None:
    server.reply(QQQ, redirect(place))
    gate = Counting()
    results = list(yahoo_on(server, gate=gate, attempts=2).fetch(question("QQQ", "GOLD")))
    assert outcome(results, "QQQ")[0] is Outcome.FAILED
    assert rows(results) == ["GOLD"]
    assert gate.heard == 3, "the breaker is told of each attempt"


class Counting:
    """A gate that counts, and closes after so many requests or leaves a probe alone."""

    def __init__(self, most: int = 1000, after: VendorError | None = None) -> None:
        self.entered, self.heard = 0, 0
        self._most, self._after = most, after

    def enter(self, claims: Sequence[Claim]) -> None:
        if self.entered >= self._most and self._after:
            raise self._after
        self.entered += 1

    def report(self, trouble: VendorError | None, *, put_again: bool = False) -> None:
        self.heard += 1


def test_requests_for_a_cookie_are_counted_too(server: ReplayServer, good: Reply) -> None:
    server.first(QQQ, failing(401, b"Invalid Crumb"))
    gate = Counting()
    results = list(yahoo_on(server, gate=gate).fetch(question("QQQ")))
    assert outcome(results, "QQQ")[0] is Outcome.ROWS
    assert gate.entered == len(server.asked) > len(server.asked_for(QQQ)) == 2
    assert gate.heard == 1, "the breaker is told of questions"


def test_a_budget_that_is_spent_on_cookies_ends_the_answer(server: ReplayServer) -> None:
    server.first(QQQ, failing(401, b"Invalid Crumb"))
    gate = Counting(2, BudgetSpentError("later", retry_after=60.0))
    with pytest.raises(BudgetSpentError):
        list(yahoo_on(server, gate=gate).fetch(question("QQQ")))
    assert gate.entered == len(server.asked) == 2


def test_a_probe_may_ask_for_its_cookie(server: ReplayServer) -> None:
    server.first(QQQ, failing(401, b"Invalid Crumb"))
    gate = Counting(1, LeftAloneError("another request is its probe"))
    results = list(yahoo_on(server, gate=gate).fetch(question("QQQ")))
    assert outcome(results, "QQQ")[0] is Outcome.ROWS


def test_the_page_of_the_cookie_is_asked_for_once(server: ReplayServer) -> None:
    vendor = yahoo_on(server)
    list(vendor.fetch(question("QQQ", "GOLD", "BTC-USD")))
    list(vendor.fetch(question("QQQ")))
    paths = [asked.path for asked in server.asked]
    assert sum(path.startswith(CHART) for path in paths) == 4
    assert paths.count("/") == 1
