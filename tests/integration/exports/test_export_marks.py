"""What checks and people said of bars reaches exports as it reaches readers of the client."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import emp
from adapters.exports.running import Exporter
from adapters.exports.sources import LakeSource, TimescaleSource
from adapters.exports.verifying import against_source, outdated
from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.timescale.factory import open_connections, open_store
from adapters.timescale.settings import TimescaleSettings
from market_data.datasets import FLAGS_DATASET
from market_data.errors import UnjudgedBarsWarning, WithheldBarsWarning
from market_data.exports.jobs import ExportJob, bars_job
from market_data.exports.marks import Verdicts
from market_data.ports import Annotation, Decision
from market_data.timeframes import Timeframe
from tests.support.exports import (
    MINUTES,
    NOW,
    SESSIONS,
    Decided,
    bars,
    decision,
    exported,
    exporter,
    flag,
    put,
    quiet,
)
from tests.support.worlds import World

RUN = "44444444-run"
HOURS = bars_job(Timeframe.H1)
SYMBOLS = ("AAPL", "EURUSD")
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (
    date(2024, 1, 30),
    date(2024, 1, 31),
    date(2024, 2, 1),
    date(2024, 2, 2),
)
FLAGS = (
    ("AAPL", TUESDAY, 0, "unit_error"),
    ("AAPL", TUESDAY, 2, "wick"),
    ("AAPL", WEDNESDAY, 1, "false_tick"),
    ("AAPL", THURSDAY, 0, "unit_error"),
    ("EURUSD", WEDNESDAY, None, "zero_volume"),
)
DECISIONS = (
    decision("EURUSD", FRIDAY),
    decision("AAPL", THURSDAY, Decision.ACCEPT, codes=("unit_error",)),
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An installation whose operations database takes decisions."""
    return World.at(tmp_path, datetime(2024, 4, 1, tzinfo=UTC))


def exporting(world: World) -> Exporter:
    root, platform = world.settings.data_dir, world.platform
    said = Verdicts(platform.store, platform.annotations)
    return replace(exporter(root), source=LakeSource(str(root / "warehouse"), said))


def as_read(world: World, job: ExportJob, symbols: tuple[str, ...]) -> pl.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnjudgedBarsWarning)
        warnings.simplefilter("ignore", WithheldBarsWarning)
        return emp.get_curated_bars(
            list(symbols), *SESSIONS, timeframe=str(job.timeframe), settings=world.settings
        )


def test_an_export_holds_what_the_client_reads(world: World):
    root = world.settings.data_dir
    put(root, MINUTES, rows := bars(symbols=SYMBOLS))
    flag(root, MINUTES, rows, *FLAGS)
    for one in DECISIONS:
        world.platform.annotations.add(one)
    made = exporting(world)
    manifest = made.run(MINUTES, None, RUN, quiet)
    found = exported(made, MINUTES).sort("symbol", "ts").select(rows.columns)
    assert_frame_equal(found, as_read(world, MINUTES, SYMBOLS))
    # Of 24 one bar in another unit, and three of a session that is unusable; one was accepted.
    assert manifest.rows == 24 - 1 - 3
    assert found.filter(pl.col("flags").str.contains("unit_error|unusable")).is_empty()
    assert [
        (r["session"], r["flags"], r["dq_status"])
        for r in found.filter(pl.col("flags").is_in(["", "jump,Ä"]).not_()).to_dicts()
    ] == [
        (TUESDAY, "wick", "warn"),
        (WEDNESDAY, "false_tick,jump,Ä", "warn"),
        (WEDNESDAY, "zero_volume", "warn"),
        (WEDNESDAY, "jump,zero_volume,Ä", "warn"),
        (WEDNESDAY, "zero_volume", "warn"),
    ]
    assert against_source(made.store, made.source, MINUTES, SESSIONS, NOW).is_empty()


def test_a_decision_about_minutes_reaches_hours_made_of_them(world: World):
    root = world.settings.data_dir
    of_minutes = pl.when(pl.col("symbol") == "AAPL").then(pl.lit("sample@1m"))
    rows = bars(HOURS.dataset, symbols=SYMBOLS).with_columns(
        source=of_minutes.otherwise(pl.lit("sample"))
    )
    put(root, HOURS, rows)
    for symbol in SYMBOLS:
        world.platform.annotations.add(decision(symbol, THURSDAY))
    made = exporting(world)
    made.run(HOURS, None, RUN, quiet)
    found = exported(made, HOURS).sort("symbol", "ts").select(rows.columns)
    assert_frame_equal(found, as_read(world, HOURS, SYMBOLS))
    left = found.filter(pl.col("session") == THURSDAY)["symbol"].unique().to_list()
    assert left == ["EURUSD"]


@pytest.mark.parametrize("said", ["decision", "flag", "taken back"])
def test_what_is_said_later_makes_the_unit_outdated_and_stale(tmp_path: Path, said: str):
    decided = Decided(decision("BBB", WEDNESDAY)) if said == "taken back" else Decided()
    put(tmp_path, MINUTES, rows := bars())
    made = exporter(tmp_path, decided=decided)
    manifest = made.run(MINUTES, None, RUN, quiet)
    assert outdated(made.source.read(MINUTES), manifest) == []
    if said == "flag":
        flag(tmp_path, MINUTES, rows, ("BBB", WEDNESDAY, 0, "wick"))
    else:
        decided.add(_taking_back(WEDNESDAY) if said == "taken back" else decision("BBB", WEDNESDAY))
    assert outdated(made.source.read(MINUTES), manifest) == ["year=2024/month=01"]
    found = against_source(made.store, made.source, MINUTES, SESSIONS, NOW)
    stale = found.filter(pl.col("check") == "staleness")["session"].unique().sort().to_list()
    assert stale == [TUESDAY, WEDNESDAY]
    again = made.run(MINUTES, None, RUN, quiet)
    assert again.rows == {"decision": 21, "flag": 24, "taken back": 24}[said]
    assert outdated(made.source.read(MINUTES), again) == []
    assert against_source(made.store, made.source, MINUTES, SESSIONS, NOW).is_empty()


def test_marks_are_put_on_rows_of_timescaledb_as_on_those_of_the_lake(
    tmp_path: Path, timescale_url: str
):
    put(tmp_path, MINUTES, rows := bars(symbols=SYMBOLS))
    flag(tmp_path, MINUTES, rows, *FLAGS)
    lake, decided = DeltaBarStore(tmp_path / "warehouse"), Decided(*DECISIONS)
    settings = TimescaleSettings(url=timescale_url)  # type: ignore[arg-type]
    connections = open_connections(settings)
    try:
        store = open_store(connections)
        for dataset in (MINUTES.dataset, FLAGS_DATASET):
            store.replace(dataset, lake.scan(dataset), sessions=SESSIONS, symbols=list(SYMBOLS))
        source = TimescaleSource(store, settings, Verdicts(store, decided))
        made = replace(exporter(tmp_path, name="timescale"), source=source)
        there = made.run(MINUTES, SESSIONS, RUN, quiet)
        here = exporter(tmp_path, decided=decided).run(MINUTES, SESSIONS, RUN, quiet)
        assert there.rows == 24 - 1 - 3
        assert there.digest == here.digest
        decided.add(decision("AAPL", TUESDAY))
        assert outdated(source.read(MINUTES), there) == ["year=2024/month=01"]
    finally:
        connections.close()


def _taking_back(session: date) -> Annotation:
    return replace(decision("BBB", session), decision=Decision.TAKE_BACK, takes_back=1)
