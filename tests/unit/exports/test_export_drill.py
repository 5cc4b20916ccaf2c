"""The verdict over a drill: durations, digests, what is left."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.exports.drilling import _scratch, drill
from adapters.exports.engine import Tell
from adapters.exports.files import Facts
from adapters.exports.polars_engine import PolarsEngine
from adapters.exports.sources import Reading
from market_data.errors import ConfigurationError, StorageError
from market_data.exports.drill import Cycle, Drilled, Limits
from market_data.exports.jobs import ExportJob
from market_data.operations.grades import Grade
from tests.support.exports import DAYS, MINUTES, NOW, bars, exporter, put, quiet

GOOD = Cycle("spark_bars_1d", 1, 1.0, 10, "a" * 32, (), 1, 0)
LIMITS = Limits(2.0, 4.0)


def drilled(*cycles: Cycle, error: str = "") -> Drilled:
    return Drilled(datetime(2024, 1, 1, tzinfo=UTC), "polars", LIMITS, cycles, error)


@pytest.mark.parametrize(
    ("cycle", "grade", "told"),
    [
        (GOOD, Grade.OK, ""),
        (replace(GOOD, seconds=2.1), Grade.WARN, "more than 2 s"),
        (replace(GOOD, seconds=4.1), Grade.FAIL, "more than 4 s"),
        (replace(GOOD, problems=("x is gone",)), Grade.FAIL, "x is gone"),
        (replace(GOOD, unnamed=2), Grade.FAIL, "2 files"),
        (replace(GOOD, kept=2), Grade.FAIL, "whose time is up"),
    ],
)
def test_a_cycle_is_judged(cycle: Cycle, grade: Grade, told: str):
    done = drilled(cycle)
    assert done.grade is grade
    assert told in " ".join(reason.text for reason in done.reasons)
    assert done.to_keep().status == str(grade)
    assert done.to_markdown().startswith(f"# Drill of exports: {grade}")


def test_cycles_over_the_same_rows_agree():
    other = replace(GOOD, number=2, digest="b" * 32)
    assert drilled(GOOD, replace(GOOD, number=2)).grade is Grade.OK
    assert drilled(GOOD, other).grade is Grade.FAIL
    assert drilled(GOOD, replace(other, job="spark_bars_1h")).grade is Grade.OK


def test_a_drill_that_ended_early_or_had_nothing_to_do_says_so():
    assert drilled(GOOD, error="no room").grade is Grade.FAIL
    assert drilled().grade is Grade.WARN


@pytest.mark.parametrize("limits", [(0, 1), (2, 1), (-1, -1)])
def test_limits_that_are_none_are_refused(limits: tuple[float, float]):
    with pytest.raises(ConfigurationError, match="the smaller ones for the warning"):
        Limits(*limits)


class _Ticking:
    """A clock that goes on by a second with every look."""

    def __init__(self) -> None:
        self._at = NOW

    def now(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at


def test_it_works_beside_the_exports_and_leaves_nothing(tmp_path: Path):
    put(tmp_path, DAYS, bars(DAYS.dataset))
    made = replace(exporter(tmp_path), clock=_Ticking())
    done = drill(made, [DAYS, MINUTES], quiet, cycles=4)
    assert done.grade is Grade.OK, done.reasons
    assert [(c.job, c.number, c.rows, c.kept) for c in done.cycles] == [
        (DAYS.name, 1, 24, 0),
        *((DAYS.name, number, 24, 1) for number in (2, 3, 4)),
    ]
    assert list(made.store.root.iterdir()) == []
    assert made.store.newest(DAYS) is None


def test_what_killed_drills_left_goes_and_a_drill_at_work_is_left_alone(tmp_path: Path):
    made = exporter(tmp_path)
    killed, begun, new, other = (
        made.store.root / name for name in (".drill-a", ".new.drill-b", ".new.drill-c", "mine")
    )
    for folder in (killed, begun, new, other):
        (folder / "spark_bars_1d").mkdir(parents=True)
    os.utime(begun, (0, 0))
    with _scratch(made.store.root) as first, _scratch(made.store.root) as second:
        assert {*made.store.root.iterdir()} == {first, second, new, other}
    assert {*made.store.root.iterdir()} == {new, other}


def test_replaced_files_go_when_their_time_is_up_however_often_it_runs(tmp_path: Path):
    put(tmp_path, DAYS, bars(DAYS.dataset))
    start = exporter(tmp_path).clock.now()
    for hour in range(8):
        made = exporter(tmp_path, now=start + timedelta(hours=hour), keep=timedelta(hours=3))
        made.run(DAYS, None, f"run-{hour}", quiet)
        former = made.store.former(DAYS)
        assert len(former) <= 4
        assert made.store.unnamed(DAYS) == []
    assert len(former) == 4
    there = list((made.store.folder(DAYS) / "data").rglob("*.parquet"))
    assert len(there) == 5


class _Full(PolarsEngine):
    """A disk that has no room from the second run on."""

    runs = 0

    def write(
        self, job: ExportJob, reading: Reading, units: object, folder: Path, tell: Tell
    ) -> list[Facts]:
        self.runs += 1
        if self.runs > 1:
            raise StorageError("no room left")
        return super().write(job, reading, units, folder, tell)  # type: ignore[arg-type]


def test_what_ends_it_early_is_told_and_what_it_wrote_goes(tmp_path: Path):
    put(tmp_path, DAYS, bars(DAYS.dataset))
    made = exporter(tmp_path, _Full())
    done = drill(made, [DAYS], quiet)
    assert (done.grade, done.error, len(done.cycles)) == (Grade.FAIL, "no room left", 1)
    assert list(made.store.root.iterdir()) == []
