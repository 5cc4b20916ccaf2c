"""What questions about macro releases leave behind: ledger, journal, quarantine, events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from adapters.backend import assemble
from adapters.clock import FixedClock
from adapters.operations_opening import Operations, open_operations
from adapters.settings import Settings
from adapters.stores.opening import open_lake, open_warehouse
from market_data.datasets import FRED_RELEASE_DATES
from market_data.errors import MalformedAnswerError
from market_data.pipeline.macro_calendar import known_dates
from market_data.pipeline.macro_explained import explain_macro
from market_data.pipeline.macro_ingest import ingest_release_dates, ingest_vintages, macro_cost
from market_data.pipeline.macro_records import TIMEFRAME
from market_data.pipeline.platform import Platform
from market_data.pipeline.replay import plan_replay
from market_data.ports import Refused
from market_data.ports.event_results import Dimension
from market_data.ports.events import Event
from market_data.timeframes import Timeframe
from tests.support.fred_replay import (
    DATES,
    NAMES,
    OBSERVATIONS,
    echo,
    serve_dates,
    serve_nothing,
    serve_vintages,
    turn_on,
)
from tests.support.replay_server import Asked, ReplayServer, Reply, failing, json_body

FIRST, LAST = date(2024, 10, 28), date(2024, 11, 8)
NOW = datetime(2024, 11, 3, 12, tzinfo=UTC)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        turn_on(monkeypatch, server)
        serve_nothing(server)
        serve_dates(server, {53: ["2024-10-30"], 180: ["2024-10-31", "2024-11-07"]})
        serve_vintages(server, "GDP", [("2024-10-30", "2024-07-01", "29349.924")])
        serve_vintages(server, "ICSA", [("2024-10-31", "2024-10-26", "216000")])
        yield server


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    """With somebody who listens."""
    return open_operations(f"sqlite:///{tmp_path / 'operations.db'}", streaming=True)


@pytest.fixture
def platform(tmp_path: Path, operations: Operations) -> Platform:
    settings = Settings(data_dir=tmp_path / "data")
    return assemble(
        settings,
        lake=open_lake(str(settings.lake_root)),
        store=open_warehouse(str(settings.warehouse_root)),
        operations=operations,
        clock=FixedClock(NOW),
    )


def told(operations: Operations) -> list[Event]:
    return [Event.from_json(p.body) for p in operations.outbox.pending(100)]


def ledger(platform: Platform, vendor: str) -> dict[tuple[str, str], tuple[str, int]]:
    rows = platform.ledger.read(vendors=[vendor])
    assert set(rows["timeframe"]) <= {TIMEFRAME}
    return {
        (symbol, str(session)): (outcome, count)
        for symbol, session, outcome, count in rows.select(
            "symbol", "session", "outcome", "rows"
        ).iter_rows()
    }


def test_every_day_that_was_asked_about_is_there(server: ReplayServer, platform: Platform) -> None:
    ingest_release_dates(platform, FIRST, LAST)
    found = ledger(platform, "fred_releases")
    assert len(found) == 12
    assert found["*", "2024-10-30"] == ("rows", 1)
    assert found["*", "2024-10-29"] == ("nothing", 0)
    (run,) = platform.journal.runs(vendor="fred_releases")
    assert set(platform.ledger.read(vendors=["fred_releases"])["fetch_id"]) == {run.fetch_id}


def test_every_value_that_is_due_is_there(server: ReplayServer, platform: Platform) -> None:
    server.reply(OBSERVATIONS, failing(500), series_id="GDPC1")
    ingest_release_dates(platform, FIRST, LAST)
    ingest_vintages(platform, FIRST, LAST)
    # The claims of 7 November are not due yet.
    assert ledger(platform, "fred_observations") == {
        ("fred:GDP", "2024-10-30"): ("rows", 1),
        ("fred:GDPC1", "2024-10-30"): ("failed", 0),
        ("fred:ICSA", "2024-10-31"): ("rows", 1),
    }


def test_bars_are_not_mixed_with_them(server: ReplayServer, platform: Platform) -> None:
    ingest_release_dates(platform, FIRST, LAST)
    ingest_vintages(platform, FIRST, LAST)
    for timeframe in Timeframe:
        assert platform.ledger.spans(timeframe=timeframe).is_empty()


def test_pages_that_do_not_go_together_leave_the_dates_as_they_were(
    server: ReplayServer, platform: Platform
) -> None:
    """One of two dates comes twice: the other was not withdrawn."""
    ingest_release_dates(platform, FIRST, LAST)
    before = platform.raw_log.statements(FRED_RELEASE_DATES)
    day = {"release_id": 180, "release_name": NAMES[180], "date": "2024-10-31"}

    def twice(asked: Asked) -> Reply:
        return json_body(echo(asked) | {"count": 3, "release_dates": [day, day, day]})

    server.reply(DATES, twice)
    with pytest.raises(MalformedAnswerError, match="counts 3 rows and gave 1 different ones"):
        ingest_release_dates(platform, FIRST, LAST)
    assert platform.raw_log.statements(FRED_RELEASE_DATES).equals(before)
    assert known_dates(platform, FIRST, LAST)["listed"].all()
    assert ledger(platform, "fred_releases")["*", "2024-10-31"] == ("rows", 1), "an answer stays"
    runs = platform.journal.runs(vendor="fred_releases")
    assert {(run.status, run.trouble) for run in runs} == {
        ("ok", ""),
        ("failed", "malformed answer"),
    }


def test_days_asked_about_in_vain_are_explained(server: ReplayServer, platform: Platform) -> None:
    server.reply(DATES, failing(500))
    with pytest.raises(Exception, match="500"):
        ingest_release_dates(platform, FIRST, LAST)
    found = explain_macro(platform, FIRST, LAST)
    assert found.height == 12
    assert set(found["outcome"]) == {"failed"}
    assert found["reason"].str.contains("asked in vain: .*500").all()


def test_listeners_are_told_of_each_question(
    server: ReplayServer, platform: Platform, operations: Operations
) -> None:
    server.reply(OBSERVATIONS, failing(500), series_id="GDPC1")
    ingest_release_dates(platform, FIRST, LAST, run_id="r1")
    ingest_vintages(platform, FIRST, LAST, run_id="r1")
    events = told(operations)
    assert [(e.dimension, e.result.vendor) for e in events] == [  # type: ignore[union-attr]
        (Dimension.HEALTH, "fred_releases"),
        (Dimension.METRICS, "fred_releases"),
        (Dimension.HEALTH, "fred_observations"),
        (Dimension.METRICS, "fred_observations"),
    ]
    dates, _, values, numbers = (json.loads(e.to_json())["result"] for e in events)
    assert (dates["status"], dates["run_id"]) == ("ok", "r1")
    assert (values["status"], values["missing"]) == ("warn", ["GDPC1"])
    assert "500" in values["reasons"][0]
    assert (numbers["figures"]["series"], numbers["figures"]["series_in_trouble"]) == (3, 1)
    assert numbers["figures"]["new_rows"] == 2


def test_a_value_that_is_no_number_is_in_quarantine(
    server: ReplayServer, platform: Platform
) -> None:
    vintages = [("2024-10-30", "2024-07-01", "1e4"), ("2024-10-30", "2024-04-01", "29016.7")]
    serve_vintages(server, "GDP", vintages)
    ingest_release_dates(platform, FIRST, LAST)
    for _ in range(2):
        report = ingest_vintages(platform, FIRST, LAST)
        assert report.rejected == 1
    (row,) = platform.quarantine.read(vendors=["fred_observations"]).to_dicts()
    assert (row["symbol"], row["reasons"], row["stage"]) == ("GDP", "bad_value", "fetch")
    assert row["session"] == date(2024, 10, 30)
    assert json.loads(row["row"])["value"] == "1e4"
    run, *_ = platform.journal.runs(vendor="fred_observations")
    assert run.rejected_rows == 1
    plan = plan_replay(platform, Refused(vendors=["fred_observations"]))
    assert len(plan.impossible) == 1, "nobody takes it for a bar"


def test_the_cost_is_told_before_anything_is_asked(
    server: ReplayServer, platform: Platform
) -> None:
    table = platform.macro.table
    cost = macro_cost(platform, FIRST, LAST)
    assert cost.requests == len(table.symbols) + 1
    assert [(w.allowance.name, w.left) for w in cost.windows] == [("minute", 120)]
    assert server.asked == []
    sentences: list[str] = []
    ingest_release_dates(platform, FIRST, LAST, progress=sentences.append)
    assert len(server.asked) == 1
    assert "fred needs 1 request" in sentences[0]
    ingest_vintages(platform, FIRST, LAST, progress=sentences.append)
    assert "fred needs 3 requests" in sentences[1]
    assert len(server.asked) == 4
    long = macro_cost(platform, date(2023, 1, 1), LAST)
    assert long.requests == len(table.symbols) + len(table.numbers)


def test_the_columns_of_an_explanation(platform: Platform) -> None:
    found = explain_macro(platform, FIRST, FIRST)
    assert found.select("symbol", "outcome", "reason").rows() == [
        ("*", "not asked", "nobody asked which releases come out")
    ]
    assert found.schema["asked_at"] == pl.Datetime("us", "UTC")
