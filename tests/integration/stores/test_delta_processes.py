"""Several processes, and dying ones, on one lake."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

sys.path.insert(0, str(Path(__file__).parent))
import store_worker as work

from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_raw_log import DeltaRawLog
from market_data.schemas import RAW_BARS
from tests.support.warm_python import StartedPython


def start(*arguments: object, die_at: int | None = None) -> StartedPython:
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    if die_at is not None:
        environment["EMP_TEST_DIE_AT"] = str(die_at)
    words = ["-m", "store_worker", *map(str, arguments)]
    return StartedPython(words, env=environment, cwd=Path(__file__).parent)


def finish(process: StartedPython) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.removeprefix("ready\n")


def test_four_processes_replace_disjoint_sessions_of_one_file(tmp_path: Path) -> None:
    """All sessions lie in the file of 2024: every replace rewrites what the others wrote."""
    writers = [start("replace_each", tmp_path, number, number, 4) for number in range(4)]
    for writer in writers:
        finish(writer)
    expected = pl.concat(
        work.rows(work.BARS.schema, work.SESSIONS[number::4], float(number)) for number in range(4)
    )
    assert_frame_equal(DeltaBarStore(tmp_path).scan(work.BARS), expected.sort("symbol", "ts"))
    versions = DeltaBarStore(tmp_path).history(work.BARS)
    assert len(versions) == len(work.SESSIONS) + 1


def test_readers_never_see_a_part_of_what_two_writers_replace(tmp_path: Path) -> None:
    store = DeltaBarStore(tmp_path)
    writers = [start("replace_same", tmp_path, base, 12) for base in (100, 200)]
    seen: set[float] = set()
    while any(writer.poll() is None for writer in writers):
        frame = store.scan(work.MINUTES)
        values = frame["close"].unique().to_list()
        assert len(values) <= 1
        assert frame.height in (0, len(work.SESSIONS) * len(work.SYMBOLS))
        seen.update(values)
    for writer in writers:
        finish(writer)
    assert len(seen) > 2, "the reader came too late to see anything"
    last = store.scan(work.MINUTES)["close"][0]
    assert last in (111.0, 211.0)
    assert_frame_equal(
        store.scan(work.MINUTES), work.rows(work.MINUTES.schema, work.SESSIONS, last)
    )


def test_two_processes_append_the_same_fetch_once(tmp_path: Path) -> None:
    go = tmp_path / "go"
    writers = [start("append_fetch", tmp_path / "lake", go) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    go.touch()
    answers = [finish(writer).split("\n")[:2] for writer in writers]
    half = 20 * 20 * len(work.SYMBOLS)
    counts = [[int(line.split()[0]) for line in answer] for answer in answers]
    assert [sum(pair) for pair in zip(*counts, strict=True)] == [half, half]
    got = DeltaRawLog(tmp_path / "lake").revisions(work.RAW)
    assert_frame_equal(got, work.rows(RAW_BARS, work.SESSIONS, 1.0, minutes=20))


def assert_whole(root: Path) -> None:
    """Each slice of `replace_parts` is all old or all new."""
    got = DeltaBarStore(root).scan(work.MINUTES)
    for days in work.PARTS:
        part = got.filter(pl.col("session").is_in(days))
        assert part["close"].n_unique() <= 1
        assert part.height in (0, len(days) * len(work.SYMBOLS))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first_load", [True, False], ids=["first load", "replace"])
def test_killed_at_every_boundary_and_run_again(tmp_path: Path, first_load: bool) -> None:
    undisturbed = work.rows(work.MINUTES.schema, [*work.PARTS[0], *work.PARTS[1]], 2.0)
    deaths = 0
    for boundary in range(1, 200):
        root = tmp_path / str(boundary)
        if not first_load:
            work.replace_parts(str(root), "1.0")
        process = start("replace_parts", root, 2.0, die_at=boundary)
        _, err = process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
        deaths += 1
        assert_whole(root)
        if not first_load:
            assert DeltaBarStore(root).scan(work.MINUTES).height == undisturbed.height
        work.replace_parts(str(root), "2.0")
        assert_frame_equal(DeltaBarStore(root).scan(work.MINUTES), undisturbed)
        DeltaBarStore(root).vacuum(work.MINUTES, retention_hours=0)
        assert_frame_equal(DeltaBarStore(root).scan(work.MINUTES), undisturbed)
    else:
        pytest.fail("the writer never reached its end")
    assert deaths >= 15


@pytest.mark.slow
def test_killed_at_random_moments_beside_a_living_writer(tmp_path: Path) -> None:
    finish(start("replace_parts", tmp_path, 1.0))
    store = DeltaBarStore(tmp_path)
    undisturbed = work.rows(work.MINUTES.schema, [*work.PARTS[0], *work.PARTS[1]], 2.0)
    chance = random.Random(7)
    living = start("replace_each", tmp_path, 5.0, 0, 1)
    for number in range(12):
        process = start("replace_parts", tmp_path, 10.0 + number)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert_whole(tmp_path)
        assert store.scan(work.MINUTES).height == undisturbed.height
    finish(start("replace_parts", tmp_path, 2.0))
    finish(living)
    assert_frame_equal(store.scan(work.MINUTES), undisturbed)
    assert_frame_equal(store.scan(work.BARS), work.rows(work.BARS.schema, work.SESSIONS, 5.0))
