"""FRED's daily series beside a vendor with real ranges: taken only where that one has nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from market_data.universe import AssetClass, Instrument
from tests.support.fred_replay import serve_nothing, serve_vintages, turn_on
from tests.support.replay_server import ReplayServer
from tests.support.worlds import FileVendor, World

DAYS = ["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08"]
REAL = {day: (100.0 + n, 103.0 + n, 99.0 + n, 101.0 + n) for n, day in enumerate(DAYS)}
FIXED = {day: f"{150.0 + n}" for n, day in enumerate(DAYS)}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        turn_on(monkeypatch, server)
        serve_nothing(server)
        yield server


def world(tmp_path: Path, asset_class: AssetClass, calendar: str, real: list[str]) -> World:
    """An instrument X that a broker's file and FRED serve."""
    lines = ["date,open,high,low,close", *(",".join([d, *map(str, REAL[d])]) for d in real)]
    file = tmp_path / "X.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = World.at(tmp_path, datetime(2024, 4, 1, tzinfo=UTC))
    broker = FileVendor("broker", {"1d": ("plain_daily", file)}, ("X",))
    return made.register(
        broker,
        instruments=(
            Instrument(
                symbol="X",
                asset_class=asset_class,
                calendar=calendar,
                vendor_symbols={"fred": "XSERIES"},
            ),
        ),
    )


def test_a_close_alone_never_replaces_a_bar_with_a_range(
    server: ReplayServer, tmp_path: Path
) -> None:
    """Nor is it compared with one: half as much again would be drift beyond any limit."""
    serve_vintages(server, "XSERIES", [(d, d, v) for d, v in FIXED.items()])
    made = world(tmp_path, AssetClass.INDEX, "XNYS", [d for d in DAYS if d != "2024-03-06"])
    assert made.load("fred", "1d", "X", DAYS[0], DAYS[-1]).total_rows == 5
    made.load("broker", "1d", "X", DAYS[0], DAYS[-1])
    made.curate("1d", "X", DAYS[0], DAYS[-1])
    bars = made.read("1d", "X", quality="all")
    sources = dict(zip(map(str, bars["session"]), bars["source"], strict=True))
    assert sources == {d: "fred" if d == "2024-03-06" else "broker" for d in DAYS}
    (only,) = bars.filter(source="fred").to_dicts()
    assert {only[name] for name in ("open", "high", "low", "close")} == {152.0}
    assert only["volume"] is None
    assert (only["flags"], only["dq_status"]) == ("side_fix", "warn")
    others = bars.filter(source="broker")
    assert set(others["flags"]) == {""}
    assert others["high"].to_list() == [REAL[d][1] for d in DAYS if d != "2024-03-06"]


@pytest.mark.parametrize("asset_class", ["fx", "index"])
def test_not_even_where_it_is_named_first(
    server: ReplayServer, tmp_path: Path, asset_class: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_vintages(server, "XSERIES", [(d, d, v) for d, v in FIXED.items()])
    monkeypatch.setattr("market_data.universe.Universe.order", lambda *_: ("fred", "broker"))
    calendar = "fx" if asset_class == "fx" else "XNYS"
    made = world(tmp_path, AssetClass(asset_class), calendar, DAYS)
    made.load("fred", "1d", "X", DAYS[0], DAYS[-1])
    made.load("broker", "1d", "X", DAYS[0], DAYS[-1])
    made.curate("1d", "X", DAYS[0], DAYS[-1])
    assert set(made.read("1d", "X", quality="all")["source"]) == {"broker"}


def test_the_checks_leave_a_close_alone_alone(server: ReplayServer, tmp_path: Path) -> None:
    serve_vintages(server, "XSERIES", [(d, d, v) for d, v in FIXED.items()])
    made = world(tmp_path, AssetClass.INDEX, "XNYS", DAYS)
    made.load("fred", "1d", "X", DAYS[0], DAYS[-1])
    made.load("broker", "1d", "X", DAYS[0], DAYS[-1])
    made.curate("1d", "X", DAYS[0], DAYS[-1])
    assert made.inspect("1d", DAYS[0], DAYS[-1], "fred").findings.is_empty()
    assert made.inspect("1d", DAYS[0], DAYS[-1]).findings.is_empty()


def test_a_value_that_changes_is_a_revision_known_from_then_on(
    server: ReplayServer, tmp_path: Path
) -> None:
    serve_vintages(server, "XSERIES", [(d, d, v) for d, v in FIXED.items()])
    made = world(tmp_path, AssetClass.INDEX, "XNYS", [])
    made.load("fred", "1d", "X", DAYS[0], DAYS[-1])
    serve_vintages(server, "XSERIES", [(d, d, v) for d, v in (FIXED | {DAYS[1]: "160"}).items()])
    later = made.later(datetime(2024, 4, 9, tzinfo=UTC))
    assert later.load("fred", "1d", "X", DAYS[0], DAYS[-1], refetch=True).revised_rows == 1
    later.curate("1d", "X", DAYS[0], DAYS[-1])
    day = date.fromisoformat(DAYS[1])
    now = later.read("1d", "X").filter(pl.col("session") == day)
    then = later.read("1d", "X", as_of=datetime(2024, 4, 2, tzinfo=UTC))
    assert now["close"].to_list() == [160.0]
    assert then.filter(pl.col("session") == day)["close"].to_list() == [151.0]
    early = later.read("1d", "X", as_of=datetime(2024, 3, 14, 12, tzinfo=UTC))
    assert early["session"].to_list() == [date(2024, 3, 4), date(2024, 3, 5)]
