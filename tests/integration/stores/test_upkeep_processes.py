"""Upkeep, restore and vacuum that die, and upkeep beside writers: no row is lost."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

sys.path.insert(0, str(Path(__file__).parent))
import store_worker as work
from test_delta_processes import finish, start

from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_raw_log import DeltaRawLog
from market_data.errors import TableDamagedError
from market_data.schemas import RAW_BARS

RESTORED = "1"
"""The version whose rows are the first ones alone."""


def scan(root: Path) -> pl.DataFrame:
    return DeltaBarStore(root).scan(work.BARS)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("task", ["optimize", "vacuum", "restore"])
def test_killed_at_every_boundary_and_run_again(tmp_path: Path, task: str) -> None:
    arguments = [RESTORED] if task == "restore" else []
    deaths = 0
    for boundary in range(1, 60):
        root = tmp_path / str(boundary)
        work.parted(str(root))
        before = scan(root)
        former = DeltaBarStore(root).table(work.BARS).read(1)
        process = start(task, root, *arguments, die_at=boundary)
        _, err = process.communicate(timeout=60)
        ended = process.returncode == 0
        assert ended or process.returncode == -signal.SIGKILL, err
        deaths += not ended
        after = scan(root)
        if task == "restore":
            assert after.equals(former) if ended else after.equals(before) or after.equals(former)
        else:
            assert_frame_equal(after, before)
        finish(start(task, root, *arguments))
        assert_frame_equal(scan(root), former if task == "restore" else before)
        assert DeltaBarStore(root).table(work.BARS).damage(thorough=True).none
        if ended:
            break
    else:
        pytest.fail("it never reached its end")
    assert deaths >= {"optimize": 6, "vacuum": 2, "restore": 2}[task]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_repair_of_a_log_killed_anywhere_never_shows_half_of_it(tmp_path: Path) -> None:
    """Readers get all rows or an error, also those that had the log open before."""
    made = tmp_path / "made"
    work.append_days(str(made), "0", "15")
    before, deaths = DeltaRawLog(made).revisions(work.RAW), 0
    newest = DeltaRawLog(made).table(work.RAW).footprint().version
    for boundary in range(1, 80, 2):
        root = tmp_path / str(boundary)
        shutil.copytree(made, root)
        held = DeltaRawLog(root)
        assert_frame_equal(held.revisions(work.RAW), before)
        for version in (newest - 1, newest):
            log = root / work.RAW.name / "_delta_log" / f"{version:020d}.json"
            log.write_text(log.read_text()[:200])
        process = start("repair_log", root, die_at=boundary)
        _, err = process.communicate(timeout=60)
        ended = process.returncode == 0
        assert ended or process.returncode == -signal.SIGKILL, err
        deaths += not ended
        for log in (held, DeltaRawLog(root)):
            try:
                assert_frame_equal(log.revisions(work.RAW), before)
            except TableDamagedError:
                assert not ended
        work.repair_log(str(root))
        for log in (held, DeltaRawLog(root)):
            assert_frame_equal(log.revisions(work.RAW), before)
        assert DeltaRawLog(root).table(work.RAW).damage(thorough=True).none
        if ended:
            break
    else:
        pytest.fail("it never reached its end")
    assert deaths >= 5


@pytest.mark.slow
def test_a_vacuum_killed_at_random_moments_removes_nothing_in_use(tmp_path: Path) -> None:
    chance = random.Random(5)
    for number in range(5):
        root = tmp_path / str(number)
        work.parted(str(root))
        before = scan(root)
        process = start("vacuum", root)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.08))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert_frame_equal(scan(root), before)
        finish(start("vacuum", root))
        assert_frame_equal(scan(root), before)
        stored = DeltaBarStore(root).table(work.BARS).footprint()
        assert stored.stored_files == stored.files


def test_optimize_beside_writers_loses_no_row_of_theirs(tmp_path: Path) -> None:
    expected = work.rows(RAW_BARS, work.SESSIONS[::2], 1.0)
    work.append_days(str(tmp_path), "0", "40")
    writers = [start("append_days", tmp_path, n, 4) for n in (0, 2)]
    tending = start("optimize_log", tmp_path, expected.height)
    for writer in writers:
        finish(writer)
    compacted = int(finish(tending))
    assert compacted > 0, "it had nothing to do beside them"
    log = DeltaRawLog(tmp_path)
    assert_frame_equal(log.revisions(work.RAW), expected)
    assert log.table(work.RAW).damage(thorough=True).none
