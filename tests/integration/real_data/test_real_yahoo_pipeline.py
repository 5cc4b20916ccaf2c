"""Yahoo's recorded answers over loopback HTTP, from the question to trusted bars.

What belongs here: what becomes of an answer in raw log, curated bars and ledger; the answers
themselves are read in tests/integration/yahoo.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.vendors.yahoo.vendor import YahooVendor
from market_data.basis import Basis
from market_data.datasets import raw_bars
from market_data.pipeline.ingest import IngestReport, ingest
from market_data.pipeline.ledger_days import ledger_by_session
from market_data.pipeline.planning import IngestRequest
from market_data.ports import Outcome
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from tests.support.replay_server import ReplayServer, html_page, json_body
from tests.support.worlds import World
from tests.support.yahoo_replay import (
    CHART,
    RECORDINGS,
    recorded,
    serve_recordings,
    without_bars,
    yahoo_on,
)

OCADO = Instrument(
    symbol="OCDO",
    asset_class=AssetClass.EQUITY,
    calendar="XLON",
    currency="GBP",
    vendor_symbols={"yahoo": "OCDO.L"},
)
NOSUCH = Instrument(
    symbol="NOSUCH",
    asset_class=AssetClass.EQUITY,
    calendar="XNYS",
    vendor_symbols={"yahoo": "NOSUCH"},
)
NOW = datetime(2020, 11, 10, tzinfo=UTC)
RECORDED = datetime(2025, 2, 20, tzinfo=UTC)
"""About when Yahoo gave the answers."""
AUTUMN = (date(2020, 8, 31), date(2020, 11, 6))
NEW_YEAR = (date(2020, 1, 1), date(2020, 1, 3))


@pytest.fixture
def server(test_data: Path) -> Iterator[ReplayServer]:
    with ReplayServer() as replay:
        serve_recordings(replay, test_data)
        yield replay


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.at(tmp_path, NOW).register(instruments=(OCADO, NOSUCH))


def ask(world: World, vendor: YahooVendor, span: tuple[date, date], *symbols: str) -> IngestReport:
    return ingest(world.platform, IngestRequest("yahoo", Timeframe.D1, symbols, *span), vendor)


def test_apple_after_its_split(world: World, server: ReplayServer) -> None:
    report = ask(world, yahoo_on(server), AUTUMN, "AAPL")
    assert report.outcomes["AAPL"].outcome is Outcome.ROWS
    curated = world.curate("1d", "AAPL", *AUTUMN)
    assert curated.per_session["coverage"].to_list() == [1.0] * 49
    bars = world.read("1d", "AAPL")
    assert bars.height == 49
    assert bars["flags"].unique().to_list() == ["deadjusted"]
    # The split is the first session's own: these prices were traded after it.
    assert bars["close"][0] == pytest.approx(129.04)
    actions = world.platform.actions.read(symbols=["AAPL"])
    assert actions.select("ex_date", "kind", "value").rows() == [
        (date(2020, 8, 31), "split", 4.0),
        (date(2020, 11, 6), "dividend", 0.205),
    ]
    adjusted = world.read("1d", "AAPL", adjusted="total")
    raw = world.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))
    # The answer was recorded years later and carries the dividends since: one factor for all.
    factor = adjusted["close"] / raw["adj_close"]
    assert factor.max() / factor.min() - 1 < 1e-5
    assert adjusted["close"][0] < bars["close"][0]


def test_apple_before_its_split_is_as_traded_again(
    world: World, server: ReplayServer, test_data: Path
) -> None:
    """The bar of January was divided by the split of August, which a second answer names."""
    january = recorded(test_data, "chart-AAPL-2020-01-01-to-2020-01-03.json")
    events = recorded(test_data, RECORDINGS["AAPL"])
    later = without_bars(events)
    later["chart"]["result"][0]["events"] = events["chart"]["result"][0]["events"]
    server.reply(CHART + "AAPL", json_body(january), interval="1d")
    server.reply(CHART + "AAPL", json_body(later), interval="1mo")
    world = world.later(RECORDED)
    day = (date(2020, 1, 2), date(2020, 1, 2))
    ask(world, yahoo_on(server), day, "AAPL")
    world.curate("1d", "AAPL", *day)

    (bar,) = world.read("1d", "AAPL").iter_rows(named=True)
    assert (bar["open"], bar["close"]) == (pytest.approx(296.24), pytest.approx(300.35))
    assert bar["volume"] == 135480400 / 4
    (split,) = world.read("1d", "AAPL", adjusted="splits").iter_rows(named=True)
    assert split["close"] == pytest.approx(75.0875, abs=1e-5)
    # Nobody had heard of the split yet.
    (before,) = world.read("1d", "AAPL", adjusted="splits", as_of=NOW.replace(month=3)).iter_rows(
        named=True
    )
    assert before["close"] == pytest.approx(300.35)


def test_a_currency_pair_keeps_londons_day_in_sight(world: World, server: ReplayServer) -> None:
    report = ask(world, yahoo_on(server), NEW_YEAR, "EURUSD")
    assert report.outcomes["EURUSD"].outcome is Outcome.ROWS
    world.curate("1d", "EURUSD", *NEW_YEAR)
    bars = world.read("1d", "EURUSD")
    assert bars["session"].to_list() == [date(2020, 1, 2), date(2020, 1, 3)]
    assert bars["flags"].unique().to_list() == ["foreign_day"]
    assert bars["dq_status"].unique().to_list() == ["warn"]
    assert bars["volume"].is_null().all()
    refused = world.platform.quarantine.read(symbols=["EURUSD"])
    assert refused.select("session", "reasons").rows() == [(date(2020, 1, 1), "not_a_session")]


def test_pence_become_pounds(world: World, server: ReplayServer) -> None:
    span = (date(2020, 1, 2), date(2020, 1, 2))
    ask(world, yahoo_on(server), span, "OCDO")
    raw = world.platform.raw_log.read(raw_bars("yahoo", Timeframe.D1))
    assert raw["close"].to_list() == [1259.5]
    assert Basis.parse(raw["basis"][0]).unit == "GBp"
    world.curate("1d", "OCDO", *span)
    bars = world.read("1d", "OCDO")
    assert bars["close"].to_list() == [pytest.approx(12.595)]
    assert bars["flags"].to_list() == ["deadjusted"]


def test_trouble_with_one_symbol_is_in_the_ledger_and_the_others_land(
    world: World, server: ReplayServer
) -> None:
    server.reply(CHART + "EURUSD=X", html_page())
    span = (date(2020, 1, 2), date(2020, 1, 2))
    report = ask(world, yahoo_on(server), span, "OCDO", "NOSUCH", "EURUSD")
    assert {s: o.outcome for s, o in report.outcomes.items()} == {
        "OCDO": Outcome.ROWS,
        "NOSUCH": Outcome.FAILED,
        "EURUSD": Outcome.FAILED,
    }
    known = ledger_by_session(
        world.platform, ["OCDO", "NOSUCH", "EURUSD"], *span, Timeframe.D1, ["yahoo"]
    )
    told = {row["symbol"]: row for row in known.iter_rows(named=True)}
    assert {s: (r["outcome"], r["rows"], r["final"]) for s, r in told.items()} == {
        "OCDO": ("rows", 1, True),
        "NOSUCH": ("failed", 0, False),
        "EURUSD": ("failed", 0, False),
    }
    assert "delisted" in told["NOSUCH"]["detail"]
    assert told["EURUSD"]["detail"]

    asked = len(server.asked)
    again = ask(world, yahoo_on(server), span, "OCDO", "NOSUCH", "EURUSD")
    # A symbol that Yahoo does not know may be mended, so it is asked for again as well.
    assert set(again.outcomes) == {"NOSUCH", "EURUSD"}
    assert {a.path for a in server.asked[asked:] if a.path.startswith(CHART)} == {
        CHART + "NOSUCH",
        CHART + "EURUSD=X",
    }
