"""`emp backup` and `emp backfill rollback`: what they print, refuse and exit with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from adapters.settings import Settings
from definitions import build_definitions
from emp.cli import run
from jobs.backup import BACK_UP
from tests.support.small_world import fill, small_world

Emp = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("backed up")
    fill(small_world(made))
    return made


@pytest.fixture
def emp(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Emp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMP_DATA_DIR", str(folder / "data"))
        patch.setenv("EMP_BACKUP_DIR", str(folder / "backups"))
        for name in ("EMP_OPERATIONS_URL", "EMP_MODE", "DAGSTER_HOME"):
            patch.delenv(name, raising=False)

        def call(*words: str) -> tuple[int, str, str]:
            status = run(list(words))
            said = capsys.readouterr()
            return status, said.out, said.err

        yield call


def test_made_listed_verified_and_put_back(emp: Emp, folder: Path) -> None:
    assert emp("backup", "list") == (0, f"no backup in {folder / 'backups'} yet\n", "")
    status, out, _ = emp("backup", "create", "--dry-run")
    assert status == 0
    assert "10 rows of curated/bars_1d" in out
    assert not (folder / "backups").exists()
    status, out, said = emp("backup", "create", "--name", "one", "--json")
    made = json.loads(out)
    assert (status, made["verified"], made["parts"]["curated/bars_1d"]) == (0, True, 10)
    assert "raw/first_bars_1d: copying its files" in said
    (folder / "backups" / "two.partial").mkdir()
    _, out, _ = emp("backup", "list")
    assert [line.split(":")[0].split(" of ")[0] for line in out.splitlines()] == [
        "one",
        "two.partial",
    ]
    status, out, _ = emp("backup", "verify", "one")
    assert (status, out.startswith("whole: one of ")) == (0, True)
    status, _, said = emp("backup", "restore", "one")
    assert status == 1
    assert "--overwrite" in said
    status, out, _ = emp("backup", "restore", "one", "--into", str(folder / "new"), "--json")
    assert (status, json.loads(out)["replaced"]) == (0, {})
    assert (folder / "new" / "lake" / "raw" / "first_bars_1d").is_dir()
    status, _, said = emp("backup", "verify", "none")
    assert (status, "is no backup" in said) == (1, True)


def test_one_that_is_damaged_exits_with_1_and_says_what(emp: Emp, folder: Path) -> None:
    emp("backup", "create", "--name", "damaged", "--no-verify")
    (payload, *_) = (folder / "backups" / "damaged" / "lake" / "payloads").rglob("*.zst")
    payload.unlink()
    status, out, said = emp("backup", "verify", "damaged", "--json")
    assert status == 1
    told = json.loads(out)
    assert (told["whole"], len(told["problems"])) == (False, 1)
    assert "is missing" in said
    assert "Take another backup" in said


def test_the_schedule_is_on_where_backups_have_a_place(folder: Path) -> None:
    status = dg.DefaultScheduleStatus
    for place, wanted in ((None, status.STOPPED), (folder / "by-schedule", status.RUNNING)):
        settings = Settings(data_dir=folder / "data", backup_dir=place, backup_keep=1)
        found = build_definitions(settings)
        schedule = found.resolve_schedule_def(BACK_UP)
        assert schedule.default_status is wanted
    for _ in range(2):
        job = found.resolve_job_def(BACK_UP)
        with dg.DagsterInstance.ephemeral() as instance:
            assert job.execute_in_process(instance=instance).success
        time.sleep(1)  # A backup is named by the second in which it begins.
    (left,) = (folder / "by-schedule").glob("*/manifest.json")
    assert left.parent.name.endswith("Z")


def test_a_backfill_that_cannot_be_rolled_back_is_told_in_one_line(emp: Emp) -> None:
    status, out, said = emp("backfill", "rollback", "none")
    assert (status, out) == (1, "")
    assert "no backfill 'none'" in said
    status, _, said = emp("backfill", "rollback", "none", "--dry-run", "--undo")
    assert (status, "either --dry-run or --undo" in said) == (1, True)
