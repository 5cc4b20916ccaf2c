"""The macro assets in the graph: ranged runs, states of checks, the market slice, off and on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from emp_assets.partitions import announced_partitions
from jobs.market_slice import NAME, REPORT, run_configuration
from market_data.datasets import MACRO_CALENDAR
from tests.support.fred_replay import (
    DATES,
    Vintage,
    serve_dates,
    serve_nothing,
    serve_vintages,
    turn_on,
)
from tests.support.graph import Graph, graph
from tests.support.replay_server import ReplayServer, failing

ASSETS = ["raw/fred_releases", "raw/fred_observations", "curated/macro_calendar"]
CLAIMS: list[Vintage] = [
    ("2024-10-24", "2024-10-19", "227000"),
    ("2024-10-31", "2024-10-26", "216000"),
]
FIRST, LAST = "2024-10-25", "2024-11-03"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        turn_on(monkeypatch, server)
        serve_nothing(server)
        serve_dates(server, {180: ["2024-10-31"], 53: ["2024-10-30"]})
        serve_vintages(server, "ICSA", CLAIMS)
        yield server


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Graph]:
    with graph(tmp_path) as built:
        yield built


def warnings_of(built: Graph, run_id: str) -> list[str]:
    return [
        entry.user_message
        for entry in built.instance.all_logs(run_id)
        if int(entry.level) == 30 and "FRED" in entry.user_message
    ]


def test_a_ranged_run_makes_the_calendar_and_checks_every_session(
    server: ReplayServer, built: Graph
) -> None:
    result = built.run(ASSETS, FIRST, LAST)
    assert result.success
    events = built.platform.store.scan(MACRO_CALENDAR)
    assert events.select("symbol", "status").rows() == [
        ("US-GDP", "overdue"),
        ("US-JOBLESS-CLAIMS", "released"),
        ("US-REAL-GDP", "overdue"),
    ]
    days = {str((datetime(2024, 10, 25) + timedelta(days=n)).date()) for n in range(10)}  # noqa: DTZ001
    bad = {"2024-10-30"}
    for check in ("schema", "coverage", "staleness", "drift"):
        states = built.states("curated/macro_calendar", check)
        failed = bad if check == "staleness" else set()
        assert {d for d, s in states.items() if s == "FAILED"} == failed, check
        assert {d for d, s in states.items() if s == "SUCCEEDED"} == days - failed, check
    found = built.states("raw/fred_observations", "coverage")
    assert {d for d, s in found.items() if s == "FAILED"} == bad
    assert len(server.asked_for(DATES)) == 1, "one request for the range"


def test_a_day_at_a_time_tells_the_same(server: ReplayServer, built: Graph) -> None:
    for day in ("2024-10-30", "2024-10-31"):
        assert built.run(ASSETS, day, day).success
    assert built.platform.store.scan(MACRO_CALENDAR).height == 3
    states = built.states("curated/macro_calendar", "staleness")
    assert states == {"2024-10-30": "FAILED", "2024-10-31": "SUCCEEDED"}


def test_what_comes_late_puts_the_check_right(server: ReplayServer, built: Graph) -> None:
    built.run(ASSETS, FIRST, LAST)
    for series in ("GDP", "GDPC1"):
        serve_vintages(server, series, [("2024-10-30", "2024-07-01", "29349.924")])
    built.run(ASSETS, "2024-10-30", "2024-10-30")
    states = built.states("curated/macro_calendar", "staleness")
    assert set(states.values()) == {"SUCCEEDED"}


def test_days_ahead_have_sessions(server: ReplayServer, built: Graph) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=60)).date()
    serve_dates(server, {10: [str(ahead)]})
    assert built.run(ASSETS, str(ahead), str(ahead)).success
    rows = built.platform.store.scan(MACRO_CALENDAR)
    assert rows.select("symbol", "status").rows() == [
        ("US-CORE-CPI", "scheduled"),
        ("US-CPI", "scheduled"),
    ]
    known = announced_partitions(built.platform.universe.first_session)
    assert str(ahead) in set(known.get_partition_keys()[-120:])


def test_without_a_key_there_is_one_warning_and_an_empty_calendar(
    server: ReplayServer, built: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRED_API_KEY")
    result = built.run(ASSETS, FIRST, LAST)
    assert result.success
    (warning,) = warnings_of(built, result.run_id)
    assert "FRED_API_KEY is not set" in warning
    assert server.asked == []
    assert built.platform.store.scan(MACRO_CALENDAR).is_empty()
    metadata = result.asset_materializations_for_node("raw__fred_releases")[0].metadata
    assert metadata["off"].value == "FRED_API_KEY is not set"
    for asset in ASSETS:
        assert set(built.states(asset, "coverage").values()) == {"SUCCEEDED"}


def test_an_outage_fails_the_step_and_no_check_passes_for_it(
    server: ReplayServer, built: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.vendors.retrying._pause", lambda _: 0.0)
    server.reply(DATES, failing(500))
    result = built.run(ASSETS, "2024-10-31", "2024-10-31")
    assert not result.success
    assert built.platform.store.scan(MACRO_CALENDAR).is_empty()
    assert built.states("curated/macro_calendar", "coverage").get("2024-10-31") != "SUCCEEDED"


def slice_of(built: Graph, **options: object) -> dict[str, dict[str, object]]:
    job = built.defs.resolve_job_def(NAME)
    job.execute_in_process(
        instance=built.instance,
        run_config=run_configuration(
            symbols=["DEMO-BTC"], daily_lookback_days=1, intraday_lookback_days=0, **options
        ),
        raise_on_error=False,
    )
    from adapters.operations_opening import open_operations

    kept = open_operations(built.settings.local_operations_url).reports.newest(REPORT, 1)
    return {part["part"]: part for part in kept[0].body["parts"]}


def test_the_market_slice_has_its_macro_part(
    server: ReplayServer, built: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = slice_of(built, macro_start=FIRST, macro_end=LAST)["macro"]
    assert part["status"] == "ok"
    assert part["rows"] == {"US-GDP": 1, "US-JOBLESS-CLAIMS": 1, "US-REAL-GDP": 1}
    assert part["outcomes"] == {"overdue": 2, "released": 1}
    assert slice_of(built)["macro"]["status"] == "off"
    monkeypatch.delenv("FRED_API_KEY")
    off = slice_of(built, macro_start=FIRST, macro_end=LAST)["macro"]
    assert (off["status"], off["reasons"]) == (
        "off",
        ["macro: FRED is off: FRED_API_KEY is not set"],
    )
    rows = built.platform.store.scan(MACRO_CALENDAR).filter(pl.col("status") == "released")
    assert rows.height == 1, "what is known stays"
