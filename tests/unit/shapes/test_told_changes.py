"""What is read of changes that were told: all of them where an answer shows one, else open ones."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl

from market_data.answer_shapes import Shape, ShapeChange
from market_data.pipeline.shape_watch import ShapeWatch
from market_data.ports import FetchResult, Outcome, Payload, SymbolOutcome
from market_data.timeframes import Timeframe
from tests.support.worlds import World

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAY = date(2024, 2, 9)
PLACE = ("oanda", Timeframe.H1)
LOST = ShapeChange("volume", "gone", "number", "", read=True)
CAME = ShapeChange("spread", "new", "", "number", read=False)


def test_what_is_over_is_among_all_and_not_among_the_open_ones(tmp_path: Path) -> None:
    shapes = World.at(tmp_path, NOW).platform.shapes
    both = [("EURUSD", DAY, LOST), ("EURUSD", DAY, CAME)]
    shapes.learn(*PLACE, shapes={}, changes=both, fetch_id="f1", now=NOW)
    lost, came = shapes.told(*PLACE)
    assert [lost, came] == shapes.told(*PLACE, only_open=True)
    shapes.learn(*PLACE, shapes={}, mended=[lost.number], fetch_id="f2", now=NOW)
    assert shapes.told(*PLACE, only_open=True) == [came]
    assert [(t.change, t.is_open) for t in shapes.told(*PLACE)] == [(LOST, False), (CAME, True)]


def test_shapes_of_any_number_of_symbols_are_known(tmp_path: Path) -> None:
    """More than a statement of SQLite may have parameters."""
    shapes = World.at(tmp_path, NOW).platform.shapes
    seen: Shape = {"close": frozenset({"number"})}
    shapes.learn(*PLACE, shapes={"S7": seen}, fetch_id="f1", now=NOW)
    assert shapes.known(*PLACE, [f"S{n}" for n in range(40_000)]) == {"S7": seen}
    assert shapes.known(*PLACE, []) == {}


def test_a_field_that_no_bar_is_made_of_flutters_and_is_told_once_each_way(tmp_path: Path) -> None:
    platform = World.at(tmp_path, NOW).platform
    asking: Any = SimpleNamespace(
        platform=platform,
        request=SimpleNamespace(vendor=PLACE[0], timeframe=PLACE[1]),
        expected=pl.DataFrame({"symbol": ["EURUSD"], "session": [DAY]}),
        fetch_id="f1",
        started=NOW,
    )
    bars = pl.DataFrame({"symbol": ["EURUSD"]})
    for extra in ({}, {"spread": 3}, {}, {"spread": 3}, {}):
        content = json.dumps({"candles": [{"volume": 7, **extra}]}).encode()
        watch = ShapeWatch(asking)
        watch.look(FetchResult(frame=bars, payloads=[Payload(content, "replay", symbol="EURUSD")]))
        watch.tell({"EURUSD": SymbolOutcome(Outcome.ROWS)})
    told = [(t.change.path, t.change.change) for t in platform.shapes.told(*PLACE)]
    assert told == [("candles/*/spread", "new"), ("candles/*/spread", "gone")]
