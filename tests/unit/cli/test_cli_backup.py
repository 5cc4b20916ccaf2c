"""`emp backup` and `emp backfill rollback`: what they print, refuse and exit with."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock

from adapters.backup import creating
from adapters.backup.creating import Wanted
from adapters.backup.keeping import back_up
from adapters.backup.manifest import checked_name, name_of, whole_backups
from adapters.clock import SystemClock
from adapters.modes import decide
from adapters.settings import Settings
from definitions import build_definitions
from emp.cli import run
from jobs.backup import BACK_UP
from market_data.errors import StoreConflictError
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


def test_a_second_installation_touches_no_server(
    emp: Emp, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens at these addresses."""
    assert emp("backup", "create", "--name", "apart", "--no-verify")[0] == 0
    for name, value in {
        "EMP_MODE": "institutional",
        "TIMESCALEDB_URL": "postgresql://me:secret@127.0.0.1:9/emp",
        "EMP_OPERATIONS_URL": "postgresql://me:secret@127.0.0.1:9/operations",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "EMP_LAKE_URI": "s3://bucket/lake",
    }.items():
        monkeypatch.setenv(name, value)
    place = folder / "apart"
    status, out, said = emp("backup", "restore", "apart", "--into", str(place), "--json")
    assert (status, json.loads(out)["mode"]) == (0, "bootstrap"), said
    assert (place / "lake" / "raw" / "first_bars_1d").is_dir()


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
    (left,) = (folder / "by-schedule").glob("*/manifest.json")
    assert left.parent.name.endswith("Z")


def test_names_of_backups_sort_by_age_and_are_never_the_same() -> None:
    first = datetime(2026, 3, 2, 5, 10, tzinfo=UTC)
    moments = [first + timedelta(microseconds=n) for n in (0, 1, 999_999, 1_000_000, 60_000_000)]
    names = [name_of(at) for at in moments]
    assert names[0] == "20260302T051000.000000Z"
    assert names == sorted(set(names))
    assert [checked_name(name) for name in names] == names


def test_two_installations_that_back_up_at_once_into_one_folder_wait_for_each_other(
    folder: Path, tmp_path: Path
) -> None:
    """Their schedules have one clock."""
    fill(small_world(tmp_path / "other"))
    at, place, clock = datetime.now(UTC), tmp_path / "shared", SystemClock()
    begun, told = threading.Barrier(2, timeout=60), []

    def make(data: Path) -> str:
        found = decide(Settings(data_dir=data))
        begun.wait()
        wanted = Wanted(place, name_of(at + timedelta(microseconds=len(data.parts))), at)
        return back_up(found, wanted, clock, told.append).manifest.name

    with ThreadPoolExecutor(2) as pool:
        names = set(pool.map(make, [folder / "data", tmp_path / "other" / "data"]))
    assert {whole.name for whole in whole_backups(place)} == names
    assert len(names) == 2
    assert told.count(f"another backup goes to {place}: waiting for it") == 1


def test_one_that_waits_for_another_for_too_long_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creating, "PATIENCE", timedelta(seconds=0.05))
    wanted = Wanted(tmp_path, "waits", datetime.now(UTC))
    found = decide(Settings(data_dir=folder / "data"))
    with FileLock(tmp_path / ".lock"), pytest.raises(StoreConflictError, match="let it end"):
        back_up(found, wanted, SystemClock(), lambda _: None)
    assert whole_backups(tmp_path) == []


def test_a_backfill_that_cannot_be_rolled_back_is_told_in_one_line(emp: Emp) -> None:
    status, out, said = emp("backfill", "rollback", "none")
    assert (status, out) == (1, "")
    assert "no backfill 'none'" in said
    status, _, said = emp("backfill", "rollback", "none", "--dry-run", "--undo")
    assert (status, "either --dry-run or --undo" in said) == (1, True)
