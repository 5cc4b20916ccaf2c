"""Processes that fetch macro releases at once, and one that is killed in the middle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.backend import open_platform
from adapters.settings import Settings
from market_data.datasets import FRED_RELEASE_DATES, FRED_VINTAGES, MACRO_CALENDAR, Dataset
from market_data.macro.schemas import FRED_OBSERVATIONS
from market_data.pipeline.macro_calendar import curate_macro
from tests.support.fred_replay import (
    KEY,
    OBSERVATIONS,
    Vintage,
    observations_of,
    serve_dates,
    serve_nothing,
    serve_vintages,
)
from tests.support.replay_server import ReplayServer, json_body, slow
from tests.support.warm_python import StartedPython

RANGE = ("2024-07-01", "2024-10-31")
DATES = {53: ["2024-07-25", "2024-08-29", "2024-10-30"], 50: ["2024-08-02", "2024-10-04"]}
SERIES = ("PAYEMS", "UNRATE", "GDP", "GDPC1")


def values(series: str) -> list[Vintage]:
    return [(day, day[:8] + "01", str(len(series) + n)) for n, day in enumerate(
        sorted(d for days in DATES.values() for d in days)
    )]  # fmt: skip


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        serve_nothing(server)
        serve_dates(server, DATES)
        for series in SERIES:
            serve_vintages(server, series, values(series))
        yield server


def start(folder: Path, server: ReplayServer) -> StartedPython:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMP_", "FRED_"))}
    return StartedPython(
        ["-m", "tests.support.macro_process", *RANGE],
        env={
            **clean,
            "EMP_DATA_DIR": str(folder),
            "FRED_URL": server.url,
            "FRED_API_KEY": KEY,
        },
    )


def end(process: StartedPython) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def kept(folder: Path) -> dict[str, pl.DataFrame]:
    """What is stored, without what differs between any two fetches."""
    platform = open_platform(Settings(data_dir=folder))

    def statements(dataset: Dataset) -> pl.DataFrame:
        rows = platform.raw_log.statements(dataset).drop("fetched_at", "fetch_id")
        return rows.sort(pl.all())

    return {
        "dates": statements(FRED_RELEASE_DATES),
        "values": statements(FRED_VINTAGES),
        "calendar": platform.store.scan(MACRO_CALENDAR),
    }


def assert_same(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    for name, frame in expected.items():
        assert frame.height
        assert_frame_equal(found[name], frame)


@pytest.fixture
def usual(server: ReplayServer, tmp_path: Path) -> dict[str, pl.DataFrame]:
    """What one undisturbed process leaves behind."""
    end(start(tmp_path / "usual", server))
    return kept(tmp_path / "usual")


def test_two_at_once_leave_what_one_leaves(
    server: ReplayServer, tmp_path: Path, usual: dict[str, pl.DataFrame]
) -> None:
    processes = [start(tmp_path / "both", server) for _ in range(2)]
    assert len({end(p) for p in processes}) == 1
    assert_same(kept(tmp_path / "both"), usual)


@pytest.mark.parametrize("series", ["PAYEMS", "GDP"])
def test_one_that_is_killed_is_finished_by_the_next(
    server: ReplayServer, tmp_path: Path, usual: dict[str, pl.DataFrame], series: str
) -> None:
    folder = tmp_path / "killed"
    before = len(server.asked)
    late = slow(json_body(observations_of(values(series))), 60.0)
    server.reply(OBSERVATIONS, late, series_id=series)
    process = start(folder, server)
    deadline = time.monotonic() + 60
    while not any(a.query.get("series_id") == series for a in server.asked[before:]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    left = open_platform(Settings(data_dir=folder))
    assert left.raw_log.statements(FRED_RELEASE_DATES).height == 5
    assert left.store.scan(MACRO_CALENDAR).is_empty()
    serve_vintages(server, series, values(series))
    end(start(folder, server))
    assert_same(kept(folder), usual)


def test_a_writer_that_comes_late_changes_nothing_of_what_is_known(
    server: ReplayServer, tmp_path: Path, usual: dict[str, pl.DataFrame]
) -> None:
    """An answer that was fetched before another is written down after it."""
    folder = tmp_path / "usual"
    platform = open_platform(Settings(data_dir=folder))
    rows = platform.raw_log.statements(FRED_VINTAGES)
    older = rows.with_columns(
        fetched_at=pl.col("fetched_at") - pl.duration(hours=1), fetch_id=pl.lit("older")
    )
    assert platform.raw_log.state(FRED_VINTAGES, FRED_OBSERVATIONS.conform(older)).new == 0
    wrong = older.with_columns(value=pl.col("value") + 1)
    assert platform.raw_log.state(FRED_VINTAGES, FRED_OBSERVATIONS.conform(wrong)).new
    curate_macro(platform, *(date.fromisoformat(day) for day in RANGE))
    calendar = kept(folder)["calendar"]
    assert_frame_equal(calendar.drop("known_at"), usual["calendar"].drop("known_at"))
