"""kill -9 at every commit of a backfill, then the same backfill again: the same rows."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.backend import open_platform
from adapters.settings import Settings
from market_data.datasets import FLAGS_DATASET, SCORES_DATASET, curated_bars, raw_bars
from market_data.timeframes import Timeframe
from tests.support.backfill_process import FIRST, LAST, backfill
from tests.support.warm_python import StartedPython, run_python

SESSIONS = (FIRST, LAST)


def run_process(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python(["-m", "tests.support.backfill_process", str(data_dir), *arguments])


def frames(data_dir: Path) -> dict[str, pl.DataFrame]:
    """Everything that a backfill leaves, less what names the fetch that brought it."""
    platform = open_platform(Settings(data_dir=data_dir))
    raw = {
        vendor: platform.raw_log.revisions(raw_bars(vendor, Timeframe.D1), sessions=SESSIONS).drop(
            "fetched_at", "fetch_id"
        )
        for vendor in ("sample_a", "sample_b")
    }
    return {
        **raw,
        "curated": platform.store.scan(curated_bars(Timeframe.D1), sessions=SESSIONS),
        "scores": platform.store.scan(SCORES_DATASET, sessions=SESSIONS),
        "flags": platform.store.scan(FLAGS_DATASET, sessions=SESSIONS).drop("found_at"),
        "quarantine": platform.quarantine.read(sessions=SESSIONS).drop("seen_at", "fetch_id"),
        "ledger": platform.ledger.read(sessions=SESSIONS).drop("asked_at", "fetch_id"),
        "actions": platform.actions.read(),
    }


def same(frame: pl.DataFrame, expected: pl.DataFrame, what: str) -> None:
    try:
        assert_frame_equal(frame, expected)
    except AssertionError as difference:
        raise AssertionError(f"{what}: {difference}") from difference


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, pl.DataFrame], int]:
    data_dir = tmp_path_factory.mktemp("undisturbed")
    done = run_process(data_dir)
    assert done.returncode == 0, done.stderr
    return frames(data_dir), int(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_commit_is_a_safe_place_to_die(
    undisturbed: tuple[dict[str, pl.DataFrame], int], tmp_path: Path
):
    expected, commits = undisturbed
    assert expected["curated"].height > 30
    assert commits >= 12, "the backfill has fewer commits than ports: is it still watched?"
    for die_at in range(1, commits + 1):
        data_dir = tmp_path / f"died-at-{die_at}"
        died = run_process(data_dir, str(die_at))
        assert died.returncode == -signal.SIGKILL, died.stderr
        backfill(open_platform(Settings(data_dir=data_dir)))
        for name, frame in frames(data_dir).items():
            same(frame, expected[name], f"{name} after death at commit {die_at}")


@pytest.mark.slow
def test_two_backfills_at_once_leave_the_rows_of_one(
    undisturbed: tuple[dict[str, pl.DataFrame], int], tmp_path: Path
):
    command = ["-m", "tests.support.backfill_process", str(tmp_path)]
    racing = [StartedPython(command) for _ in range(2)]
    for process in racing:
        _, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
    for name, frame in frames(tmp_path).items():
        same(frame, undisturbed[0][name], name)
