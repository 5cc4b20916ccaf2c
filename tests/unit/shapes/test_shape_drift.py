"""A vendor whose answers change their shape: what is found, under which session, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from market_data.pipeline.ingest import ingest
from market_data.pipeline.inspection import Inspection, inspect_raw
from market_data.pipeline.planning import IngestRequest
from market_data.ports.shapes import CHANGES
from market_data.quality.actions import action_of, check_severity
from market_data.quality.shape_drift import check_shape_drift
from market_data.timeframes import Timeframe
from tests.support.candle_replay import INSTRUMENTS, oanda_on
from tests.support.replay_server import Asked, ReplayServer, Reply, json_body
from tests.support.worlds import World

NOW = datetime(2024, 2, 10, tzinfo=UTC)
MONDAY = date(2024, 2, 5)
PAIRS = {"EURUSD": "EUR_USD", "GBPUSD": "GBP_USD"}


@dataclass
class House:
    """OANDA on the loopback, whose candles a test may change."""

    world: World
    server: ReplayServer

    def serve(self, change: Any = lambda candle: candle, pair: str = "") -> None:
        """Candles of any range, each changed; of one pair or of both."""

        def candles(asked: Asked) -> Reply:
            name = asked.path.split("/")[3]
            first, last = (datetime.fromisoformat(asked.query[n]) for n in ("from", "to"))
            hours = int((last - first) / timedelta(hours=1))
            found = [
                change(
                    {
                        "complete": True,
                        "volume": 7,
                        "time": f"{first + timedelta(hours=n):%Y-%m-%dT%H:%M:%S}.000000000Z",
                        "mid": {"o": "1.1", "h": "1.2", "l": "1.0", "c": f"1.1{n}"},
                    }
                )
                for n in range(hours)
            ]
            about = {"instrument": name, "granularity": asked.query["granularity"]}
            return json_body({**about, "candles": found})

        for name in [pair] if pair else PAIRS.values():
            self.server.reply(f"{INSTRUMENTS}{name}/candles", candles)

    def ask(self, days: int, *symbols: str) -> None:
        """Ask for the session so many days after the first Monday."""
        day = MONDAY + timedelta(days=days)
        request = IngestRequest(
            "oanda", Timeframe.H1, symbols or ("EURUSD",), day, day, refetch=True
        )
        ingest(self.world.platform, request, oanda_on(self.server))

    def found(self, days: int) -> list[tuple[str, str, str]]:
        """Symbol, severity and words of the findings of a session."""
        day = MONDAY + timedelta(days=days)
        inspection = inspect_raw(self.world.platform, "oanda", Timeframe.H1, day, day)
        drifts = inspection.findings.filter(code="schema_drift")
        assert drifts["check"].unique().to_list() in ([], ["schema"])
        return drifts.select("symbol", "severity", "detail").rows()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ReplayServer() as server:
        made = House(World.at(tmp_path, NOW), server)
        made.serve()
        made.ask(0, "EURUSD", "GBPUSD")
        yield made


def test_the_same_again_is_no_drift(house: House):
    house.ask(1)
    house.ask(2, "EURUSD", "GBPUSD")
    assert [house.found(day) for day in range(3)] == [[], [], []]


def test_a_field_that_no_bar_is_made_of_warns_once_when_it_comes_and_once_when_it_goes(
    house: House,
):
    house.serve(lambda candle: {**candle, "spread": 3})
    house.ask(1)
    house.ask(2, "EURUSD", "GBPUSD")
    assert house.found(1) == [("EURUSD", "warn", "field 'candles/*/spread' is new (number)")]
    assert house.found(2) == []
    house.serve()
    house.ask(3)
    house.ask(4, "EURUSD", "GBPUSD")
    words = "field 'candles/*/spread', which came before, is gone"
    assert house.found(3) == [("EURUSD", "warn", words)]
    assert house.found(4) == []


def test_a_field_that_bars_are_made_of_is_an_error_until_it_is_back(house: House):
    house.serve(lambda candle: {k: v for k, v in candle.items() if k != "volume"})
    house.ask(1, "EURUSD", "GBPUSD")
    house.ask(2, "EURUSD", "GBPUSD")
    words = "field 'candles/*/volume', which came before, is gone; bars are made of it"
    assert house.found(1) == [("EURUSD", "error", words)]
    assert house.found(2) == []
    house.serve()
    house.ask(3)
    assert [house.found(day) for day in range(4)] == [[], [], [], []]
    house.serve(lambda candle: {k: v for k, v in candle.items() if k != "volume"})
    house.ask(4)
    assert house.found(4) == [("EURUSD", "error", words)]


def test_answers_that_are_no_use_any_more_say_why(house: House):
    house.serve(lambda candle: {**candle, "mid": {"open": "1.1"}})
    house.ask(1)
    house.ask(2)
    found = {detail.split("'")[1]: severity for _, severity, detail in house.found(1)}
    gone = {f"candles/*/mid/{name}": "error" for name in "ohlc"}
    assert found == {**gone, "candles/*/mid/open": "warn"}
    assert house.found(2) == []
    house.serve()
    house.ask(1)
    came = "field 'candles/*/mid/open' is new (text)"
    assert house.found(1) == [("EURUSD", "warn", came)]


def test_another_kind_of_value_is_an_error(house: House):
    house.serve(lambda candle: {**candle, "mid": dict.fromkeys("ohlc", 1.1)})
    house.ask(1)
    kinds = [(s, d.split(" was ")[1]) for _, s, d in house.found(1)]
    assert kinds == [("error", "text and is number; bars are made of it")] * 4


def test_another_kind_of_what_they_lie_in_is_an_error_too(house: House):
    house.serve(lambda candle: {**candle, "mid": "1.1"})
    house.ask(1)
    words = "field 'candles/*/mid' was object and is text; bars are made of it"
    assert house.found(1) == [("EURUSD", "error", words)]


def test_it_stops_no_run_and_alerts(house: House):
    day = MONDAY + timedelta(days=1)

    def inspection() -> Inspection:
        return inspect_raw(house.world.platform, "oanda", Timeframe.H1, day, day)

    house.ask(1)
    assert inspection().block_reasons(["EURUSD"]) == []
    house.serve(lambda candle: {k: v for k, v in candle.items() if k != "volume"})
    house.ask(1)
    assert [severity for _, severity, _ in house.found(1)] == ["error"]
    assert inspection().block_reasons(["EURUSD"]) == []
    assert action_of("schema_drift").finding == "schema drift"
    drifted = inspection().findings.filter(pl.col("code") == "schema_drift")
    assert check_severity(drifted) == "error"


def test_an_answer_of_several_symbols_is_a_finding_about_all_of_them():
    change = {
        "symbol": "",
        "session": MONDAY,
        "path": "rows",
        "change": "gone",
        "read": True,
        "detail": "field 'rows', which came before, is gone; bars are made of it",
        "fetch_id": "one",
    }
    changes = pl.DataFrame([change], schema=CHANGES)
    outcome = check_shape_drift(changes, dataset="raw/oanda_bars_1h")
    (found,) = outcome.findings.to_dicts()
    assert (found["symbol"], found["code"], found["severity"]) == ("*", "schema_drift", "error")
    assert outcome.rows["symbol"].to_list() == ["*"]
