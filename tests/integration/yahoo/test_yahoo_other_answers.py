"""Answers about something else than was asked for: typed trouble, and never "nothing"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from market_data.pipeline.ingest import ingest
from market_data.pipeline.planning import IngestRequest
from market_data.ports import FetchRequest, Outcome, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.fake_vendor import ledger, shares
from tests.support.replay_server import ReplayServer, json_body
from tests.support.worlds import World
from tests.support.yahoo_replay import CHART, chart, recorded, serve_basics, without_bars, yahoo_on

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 4, tzinfo=UTC)
NOW = datetime(2025, 1, 20, tzinfo=UTC)


@pytest.fixture
def server(test_data: Path) -> Iterator[ReplayServer]:
    with ReplayServer() as replay:
        serve_basics(replay)
        yield replay


@pytest.fixture
def body(test_data: Path) -> dict[str, Any]:
    return recorded(test_data, "chart-QQQ-2020-01-01-to-2020-01-03.json")


def about(body: dict[str, Any], **meta: object) -> dict[str, Any]:
    body["chart"]["result"][0]["meta"].update(meta)
    return body


def fetch(server: ReplayServer, name: str, kind: AssetClass = AssetClass.FUTURE) -> list[Any]:
    wanted = SymbolRequest(Instrument(symbol="ME", asset_class=kind, calendar="XNYS"), name)
    request = FetchRequest((wanted,), Timeframe.D1, START, END, NOW)
    return list(yahoo_on(server).fetch(request))


@pytest.mark.parametrize("empty", [False, True], ids=["bars", "no bars"])
@pytest.mark.parametrize(
    "meta",
    [{"symbol": "SPY"}, {"symbol": 5}, {"dataGranularity": "1wk"}, {"dataGranularity": ["1d"]}],
    ids=str,
)
def test_a_chart_of_something_else_fails_and_is_kept(
    server: ReplayServer, body: dict[str, Any], meta: dict[str, object], empty: bool
) -> None:
    about(body, **meta)
    server.reply(CHART + "QQQ", json_body(without_bars(body) if empty else body))
    results = fetch(server, "QQQ")
    outcome = results[-1].outcomes["ME"]
    assert outcome.outcome is Outcome.FAILED
    assert "when asked for" in outcome.detail
    assert sum(r.frame.height for r in results) == 0
    assert len([p for r in results for p in r.payloads]) == 1


def test_events_of_something_else_fail_before_any_bar_is_asked_for(
    server: ReplayServer, body: dict[str, Any]
) -> None:
    server.reply(CHART + "QQQ", json_body(body), interval="1d")
    other = about(without_bars(body), symbol="SPY")
    server.reply(CHART + "QQQ", json_body(other), interval="1mo")
    results = fetch(server, "QQQ", AssetClass.EQUITY)
    assert results[-1].outcomes["ME"].outcome is Outcome.FAILED
    assert [asked.query["interval"] for asked in server.asked_for(CHART + "QQQ")] == ["1mo"]


@pytest.mark.parametrize(
    ("name", "told"), [("qqq", "QQQ"), ("USDJPY=X", "JPY=X"), ("JPY=X", "USDJPY=X")]
)
def test_another_name_of_the_same_is_no_other(
    server: ReplayServer, body: dict[str, Any], name: str, told: str
) -> None:
    server.reply(CHART + name, json_body(about(body, symbol=told)))
    assert fetch(server, name)[-1].outcomes["ME"].outcome is Outcome.ROWS


def test_an_answer_about_another_symbol_is_asked_for_again(
    server: ReplayServer, tmp_path: Path
) -> None:
    world = shares(World.at(tmp_path, NOW))
    other = chart([], [])
    other["chart"]["result"][0]["meta"]["symbol"] = "BBB"
    server.reply(CHART + "AAA", json_body(other))
    request = IngestRequest("yahoo", Timeframe.D1, ("AAA",), date(2024, 3, 4), date(2024, 3, 5))
    ingest(world.platform, request, yahoo_on(server))
    assert set(ledger(world).values()) == {("failed", 0, False)}
