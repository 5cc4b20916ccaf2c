"""TimescaleDB goes away and comes back: nothing that was fetched meanwhile is lost or doubled.

The same days are ingested into an undisturbed installation in bootstrap mode, and both hold the
same bars and scores at the end.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import emp
from adapters.backend import open_platform
from adapters.configuration import register
from adapters.modes import decide
from adapters.operations_opening import Operations, open_operations
from adapters.settings import Mode, Settings
from adapters.timescale.settings import TimescaleSettings
from adapters.timescale.watch import StoreWatch
from adapters.variables import read
from definitions import build_definitions
from emp.cli import run as command
from emp.client import get_latest_bars
from emp.reference import published_tables
from emp_assets.naming import ACTIONS_KEY, INSTRUMENTS_KEY, SESSIONS_KEY, curated_key
from jobs.failover import TAG_MISSED, note_left_out, reduced, replay_selection
from jobs.macro_run import macro_selection
from jobs.ranged_run import Selection, bars_selection, execute
from market_data.datasets import (
    FEATURES,
    MACRO_CALENDAR,
    REGIME_STATS_DATASET,
    SCORES_DATASET,
    curated_bars,
    raw_bars,
)
from market_data.errors import StoreAwayWarning, StoreUnavailableError
from market_data.failover.state import Standing
from market_data.pipeline.feed import Feed
from market_data.pipeline.macro_calendar import calendar_of
from market_data.quality.digest import bars_digest
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument
from resources.platform import PlatformResource
from sensors.failover import tick
from services import TimescaleServer
from tests.support.fred_replay import serve_dates, serve_nothing, serve_vintages, turn_on
from tests.support.institution import OURS, institution
from tests.support.replay_server import ReplayServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAILY = Timeframe.D1
SYMBOLS = ("DEMO-ACME", "DEMO-BTC", "DEMO-EURUSD")
BEFORE, MISSED, LEFT_OUT = (date(2024, 1, day) for day in (9, 10, 11))
ALL = (BEFORE, LEFT_OUT)
REFERENCE = (INSTRUMENTS_KEY, SESSIONS_KEY, ACTIONS_KEY)
NEWCOMER = Instrument(symbol="LISTED-MEANWHILE", asset_class=AssetClass.EQUITY, calendar="XNYS")


def selection(day: date, *, features: bool = False) -> Selection:
    feeds = [Feed("sample_a", SYMBOLS)]
    return bars_selection(DAILY, feeds, (day, day), symbols=SYMBOLS, features=features)


@dataclass
class House:
    """An installation on a server of its own, with the ticks of its sensor."""

    settings: Settings
    server: TimescaleServer
    instance: dg.DagsterInstance
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    cursor: str | None = None

    def __post_init__(self) -> None:
        self.definitions = build_definitions(self.settings)
        self.resource: PlatformResource = (self.definitions.resources or {})["platform"]
        self.watch = StoreWatch(read(TimescaleSettings))

    @property
    def operations(self) -> Operations:
        return open_operations(decide(self.settings).operations_url)

    def make(self, chosen: Selection, **more: Any) -> bool:
        return execute(self.definitions, self.instance, chosen, **more)

    def fresh(self) -> PlatformResource:
        """The installation as a new process opens it."""
        found: PlatformResource = (build_definitions(self.settings).resources or {})["platform"]
        return found

    def ticks(self, count: int) -> list[dg.RunRequest]:
        """Up to so many ticks, half a minute apart; what the first that asks for runs asks for."""
        for _ in range(count):
            self.now += timedelta(seconds=30)
            with dg.build_sensor_context(
                instance=self.instance, cursor=self.cursor, resources={"platform": self.resource}
            ) as context:
                platform = context.resources.platform
                found = tick(context, platform, self.watch.look(self.now))
            self.cursor = found.cursor
            if found.run_requests:
                return list(found.run_requests)
        return []

    def replay(self, request: dg.RunRequest, **more: Any) -> bool:
        """Launch what the sensor asked for, as the daemon would."""
        number = int(request.tags[TAG_MISSED])
        (missed,) = (m for m in self.operations.failover.open() if m.number == number)
        assert set(request.asset_selection or ()) == replay_selection(missed).keys
        return self.make(replay_selection(missed), tags={TAG_MISSED: str(number)}, **more)


@pytest.fixture
def house(
    tmp_path: Path, private_timescale: TimescaleServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    with institution(tmp_path / "data") as made, dg.DagsterInstance.ephemeral() as instance:
        ours = {name: value for name, value in made.environment.items() if name.startswith(OURS)}
        ours |= {"TIMESCALEDB_URL": private_timescale.url, "TIMESCALEDB_RETRY_SECONDS": "0.5"}
        ours |= {"KAFKA_INGEST_ENABLE_STREAMING": "false"}
        for name, value in ours.items():
            monkeypatch.setenv(name, value)
        found = House(read(Settings), private_timescale, instance)
        yield found
        found.watch.close()


def stored(settings: Settings) -> dict[str, pl.DataFrame]:
    store = open_platform(settings).store
    bars = store.scan(curated_bars(DAILY), sessions=ALL)
    # How fresh a session was depends on the moment of the run.
    scores = store.scan(SCORES_DATASET, sessions=ALL).drop("freshness_seconds")
    return {"bars": bars, "scores": scores, "digests": bars_digest(bars)}


def read_by_everybody(settings: Settings) -> dict[str, pl.DataFrame]:
    """What the client tells of these days; moments of the questions are left out."""
    names, first, last = list(SYMBOLS), str(BEFORE), str(LEFT_OUT)
    health = emp.get_dataset_health(days=2_000, settings=settings).told()
    return {
        "bars": emp.get_curated_bars(names, first, last, "1d", quality="all", settings=settings),
        "newest": get_latest_bars(names, 2, settings=settings),
        "scores": emp.get_quality_scores(names, first, last, settings=settings).drop(
            "freshness_seconds"
        ),
        "findings": emp.get_findings(names, first, last, settings=settings),
        "coverage": emp.get_coverage(
            names, first, last, vendors="sample_a", settings=settings
        ).drop("asked_at", "fetch_id"),
        "summary": emp.get_data_quality_summary(start=first, end=last, settings=settings).drop(
            "freshness_seconds"
        ),
        "health": pl.DataFrame({"told": [health["status"], *map(str, health["reasons"])]}),
    }


def away(house: House) -> None:
    """The server stops in the middle of the day; a run fails, the policy decides."""
    house.server.stop()
    assert not house.make(selection(MISSED))
    failover = house.operations.failover
    # Bars and scores could not be written; the bars themselves are fetched.
    assert [(m.dataset, m.sessions) for m in failover.open()] == [
        ("curated/bars_1d", (MISSED, MISSED))
    ]
    house.ticks(2)
    assert failover.standing() is Standing.NORMAL
    # Not yet away: the error names the cause and the cure, and the lake answers with a moment.
    for ask in (emp.get_curated_bars, emp.get_quality_scores):
        with pytest.raises(StoreUnavailableError, match=r"is it running.*'emp failover status'"):
            ask("DEMO-ACME", str(BEFORE), None, settings=house.settings)
    with pytest.raises(StoreUnavailableError, match="does not count as away"):
        get_latest_bars("DEMO-ACME", 1, settings=house.settings)
    with pytest.warns(StoreAwayWarning, match="without the flags"):
        known = emp.get_curated_bars(
            "DEMO-ACME", str(BEFORE), None, as_of=datetime.now(UTC), settings=house.settings
        )
    assert known.height > 0
    house.ticks(1)
    assert failover.standing() is Standing.AWAY
    # A scheduled run fetches alone, and what it leaves out joins the note.
    whole = selection(LEFT_OUT)
    less = reduced(whole, failover.standing())
    note_left_out(failover, [DAILY], SYMBOLS, (LEFT_OUT, LEFT_OUT), at=house.now)
    assert house.make(less)
    (missed,) = failover.open()
    assert missed.sessions == (MISSED, LEFT_OUT)
    raw = open_platform(house.settings).raw_log.read(raw_bars("sample_a", DAILY), sessions=ALL)
    assert raw["session"].unique().sort().to_list() == [BEFORE, MISSED, LEFT_OUT]
    marks = {run.sessions: run.failover for run in house.operations.journal.runs()}
    assert marks[LEFT_OUT, LEFT_OUT] == failover.decisions()[0].number
    assert marks[MISSED, MISSED] is None


def test_what_was_fetched_meanwhile_is_made_when_the_server_is_back(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    twin = Settings(mode=Mode.BOOTSTRAP, data_dir=tmp_path / "twin")
    undisturbed = build_definitions(twin)
    for day in (BEFORE, MISSED, LEFT_OUT):
        assert execute(undisturbed, house.instance, selection(day))
    expected = stored(twin)
    assert expected["bars"].height >= 8

    assert house.make(selection(BEFORE))
    assert house.ticks(2) == []
    away(house)

    # Readers are told, and get what the lake gives.
    told = read_by_everybody(twin)
    with pytest.warns(StoreAwayWarning, match="TimescaleDB is away since") as warned:
        found = read_by_everybody(house.settings)
    # Libraries that are imported first here warn of their own future.
    ours = [one for one in warned if issubclass(one.category, StoreAwayWarning)]
    assert len(ours) == len(told)
    assert {Path(one.filename).name for one in ours} == {Path(__file__).name}
    for name, frame in told.items():
        assert_frame_equal(found[name], frame)
        assert frame.height > 1 or name == "findings", name
    assert_frame_equal(found["bars"], expected["bars"].select(found["bars"].columns))
    assert emp.get_macro_events("2024-01-01", "2024-01-31", settings=house.settings).is_empty()
    for line in (["health"], ["quality", "summary", "--start", str(BEFORE), "--end", "2024-01-31"]):
        capsys.readouterr()
        assert command(line) == 0
        shown = capsys.readouterr()
        assert "TimescaleDB is away since" in shown.err
        assert shown.out.startswith("curated/bars_1d: ") or "DEMO-ACME" in shown.out
    assert command(["health", "quality/scores"]) == 1
    assert "is judged by what is stored there" in capsys.readouterr().err
    assert command(["failover", "status", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["standing"], len(told["missed"])) == ("away", 1)

    # It is back; the run that makes the slice is killed with it, between bars and scores.
    house.server.start()
    began = time.monotonic()
    (request,) = house.ticks(4)
    assert house.operations.failover.standing() is Standing.BACK

    def dies(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        made = event.asset_key if event is not None and event.is_step_materialization else None
        if made == curated_key(DAILY):
            house.server.kill()

    assert not house.replay(request, hear=dies)
    assert house.ticks(1) == []
    assert len(house.operations.failover.open()) >= 1

    house.server.start()
    for request in house.ticks(2):
        assert house.replay(request)
    house.ticks(2)
    took = time.monotonic() - began
    failover = house.operations.failover
    assert failover.open() == []
    assert failover.standing() is Standing.NORMAL
    assert [d.became for d in failover.decisions()] == [
        Standing.NORMAL, Standing.BACK, Standing.AWAY
    ]  # fmt: skip
    assert {m.digest_lake == m.digest_store != "" for m in failover.newest()} == {True}
    found = stored(house.settings)
    for name, frame in expected.items():
        assert_frame_equal(found[name], frame)
    print(f"recovery with a second outage in it: {took:.1f} s")

    # An idle tick uses the connection of the one before.
    query = "select pid from pg_stat_activity where query = 'select 1' and state = 'idle'"
    before = house.server.query(query, "emp")
    assert before
    house.ticks(5)
    assert house.server.query(query, "emp") == before
    with warnings.catch_warnings():
        warnings.simplefilter("error", StoreAwayWarning)
        emp.get_curated_bars("DEMO-ACME", str(BEFORE), None, settings=house.settings)


def features_of_all(settings: Settings) -> dict[str, pl.DataFrame]:
    store = open_platform(settings).store
    datasets = [*FEATURES.values(), REGIME_STATS_DATASET]
    return {d.name: store.scan(d, sessions=ALL).sort(d.key) for d in datasets}


def test_features_follow_the_bars_that_they_are_made_of(house: House, tmp_path: Path):
    """Those of a run whose server died behind the scores, and those that a run left out."""
    twin = Settings(mode=Mode.BOOTSTRAP, data_dir=tmp_path / "twin")
    undisturbed = build_definitions(twin)
    for day in (BEFORE, MISSED, LEFT_OUT):
        assert execute(undisturbed, house.instance, selection(day, features=True))
    expected = features_of_all(twin)
    made = {name for name, frame in expected.items() if frame.height}
    # In three days no market is in a regime yet.
    kinds = {"price_1d_v1", "volume_1d_v1", "indicators_1d_v1", "regime_1d_v1", "labels_1d_v1"}
    assert made == {f"features/{name}" for name in {*kinds, "confluence_v1", "macro_context_v1"}}

    assert house.make(selection(BEFORE, features=True))

    def dies(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.is_step_success and event.step_key == "quality__scores":
            house.server.kill()

    assert not house.make(selection(MISSED, features=True), hear=dies)
    failover = house.operations.failover
    # The checks of the scores died, so that nothing behind them has even begun.
    scores = "quality/scores", (MISSED, MISSED)
    assert {(m.dataset, m.sessions) for m in failover.open()} == {
        scores, ("features/bars_1d", (MISSED, MISSED)),
    }  # fmt: skip
    house.ticks(4)
    assert failover.standing() is Standing.AWAY
    less = reduced(selection(LEFT_OUT, features=True), failover.standing())
    days = (LEFT_OUT, LEFT_OUT)
    note_left_out(failover, [DAILY], SYMBOLS, days, at=house.now, features=True)
    assert house.make(less)
    assert {(m.dataset, m.sessions) for m in failover.open()} == {
        scores, ("curated/bars_1d", days), ("features/bars_1d", (MISSED, LEFT_OUT)),
    }  # fmt: skip

    house.server.start()
    asked = []
    for _ in range(4):
        for request in house.ticks(4):
            asked.append(sorted({key.path[0] for key in request.asset_selection or ()}))
            assert house.replay(request)
    assert asked == [["curated", "quality"], ["features", "marts"]]
    assert failover.open() == []
    assert failover.standing() is Standing.NORMAL
    found = features_of_all(house.settings)
    for name, frame in expected.items():
        assert_frame_equal(found[name], frame)
    for missed in failover.newest():
        assert missed.digest_lake == missed.digest_store != "", missed.dataset
        assert missed.rows > 0


@pytest.mark.parametrize("by_hand", [False, True])
def test_macro_events_and_reference_tables_are_noted_and_made_later(
    house: House, monkeypatch: pytest.MonkeyPatch, *, by_hand: bool
):
    """What was announced, listed and split while the server was away is there afterwards."""
    first, last = date(2024, 7, 1), date(2024, 8, 31)
    macro, tables = macro_selection((first, last)), Selection(frozenset(REFERENCE))
    with ReplayServer() as server:
        turn_on(monkeypatch, server)
        serve_nothing(server)
        serve_dates(server, {53: ["2024-07-25", "2024-08-29"]})
        serve_vintages(server, "GDP", [("2024-07-25", "2024-04-01", "28629.153")])
        assert house.make(tables)
        assert house.make(macro)
        before = macro_events(house, first, last)
        assert not before.is_empty()

        house.server.stop()
        serve_vintages(
            server,
            "GDP",
            [("2024-07-25", "2024-04-01", "28629.153"), ("2024-08-29", "2024-04-01", "28652.337")],
        )
        register(house.settings, instruments=[NEWCOMER])
        row = ("DEMO-ACME", date(2024, 7, 1), "split", 2.0, "test", house.now)
        split = pl.DataFrame([row], schema=CORPORATE_ACTIONS.dtypes, orient="row")
        open_platform(house.settings).actions.add(split, now=house.now)
        house.definitions, house.resource = build_definitions(house.settings), house.fresh()
        assert not house.make(tables)
        assert not house.make(macro)
    failover = house.operations.failover
    assert {m.dataset for m in failover.open()} == {
        "curated/macro_calendar", *(key.to_user_string() for key in REFERENCE),
    }  # fmt: skip

    house.server.start()
    if by_hand:
        assert command(["failover", "restore"]) == 0
    else:
        # They are small: ticks make them, and ask for no run.
        assert house.ticks(3) == []
    assert failover.open() == []
    for missed in failover.newest():
        assert missed.digest_lake == missed.digest_store, missed.dataset
        assert missed.rows > 0, missed.dataset
    after = macro_events(house, first, last)
    expected = calendar_of(open_platform(house.settings), first, last)
    assert_frame_equal(after, expected, check_row_order=False)
    assert not after.equals(before)
    store = published_tables(house.settings)
    assert NEWCOMER.symbol in store.get("reference/instruments")["symbol"]
    assert store.get("reference/corporate_actions")["symbol"].to_list() == ["DEMO-ACME"]
    assert not store.get("reference/trading_sessions").is_empty()


def macro_events(house: House, first: date, last: date) -> pl.DataFrame:
    return open_platform(house.settings).store.scan(MACRO_CALENDAR, sessions=(first, last))
