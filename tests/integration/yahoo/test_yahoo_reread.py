"""Archived charts, read again: the same bars as when they came, and nobody is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market_data.errors import MalformedAnswerError
from market_data.ports import FetchRequest, ReadsArchived, SymbolRequest
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.replay_server import ReplayServer
from tests.support.yahoo_replay import serve_recordings, yahoo_on

REQUEST = FetchRequest(
    symbols=tuple(
        SymbolRequest(Instrument(symbol=s, asset_class=c, calendar="XNYS"), s)
        for s, c in (("AAPL", AssetClass.EQUITY), ("QQQ", AssetClass.EQUITY))
    ),
    timeframe=Timeframe.D1,
    start=datetime(2020, 1, 1, tzinfo=UTC),
    end=datetime(2020, 11, 7, tzinfo=UTC),
    now=datetime(2020, 11, 10, tzinfo=UTC),
)


def test_the_same_bars_come_of_the_same_bytes(test_data: Path) -> None:
    with ReplayServer() as server:
        serve_recordings(server, test_data)
        yahoo = yahoo_on(server)
        results = list(yahoo.fetch(REQUEST))
        asked = len(server.asked)
        contents = [p.content for r in results for p in r.payloads]
        again = list(yahoo.reread(contents, REQUEST))
        assert len(server.asked) == asked
    assert isinstance(yahoo, ReadsArchived)

    def bars(answers: list) -> pl.DataFrame:
        return pl.concat(r.frame for r in answers).sort("symbol", "ts")

    assert bars(results)["symbol"].unique().sort().to_list() == ["AAPL", "QQQ"]
    assert_frame_equal(bars(again), bars(results))


def test_charts_of_others_and_of_another_length_are_passed_over(test_data: Path) -> None:
    with ReplayServer() as server:
        serve_recordings(server, test_data)
        yahoo = yahoo_on(server)
        contents = [p.content for r in yahoo.fetch(REQUEST) for p in r.payloads]
    stranger = Instrument(symbol="MSFT", asset_class=AssetClass.EQUITY, calendar="XNYS")
    other = FetchRequest(
        (SymbolRequest(stranger, "MSFT"),),
        REQUEST.timeframe,
        REQUEST.start,
        REQUEST.end,
        REQUEST.now,
    )
    assert list(yahoo.reread(contents, other)) == []
    with pytest.raises(MalformedAnswerError):
        list(yahoo.reread([b"<html>"], REQUEST))
