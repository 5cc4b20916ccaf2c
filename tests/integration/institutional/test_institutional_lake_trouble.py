"""A disk of the lake that is full or can only be read: told, nothing broken, made up for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from tests.support.institution import Institution, institution
from tests.support.stored_rows import assert_same_rows, stored_rows

INGEST = ["ingest", "--vendor", "sample_a", "--start", "2024-02-12", "--end", "2024-03-01"]
BARS = ["bars", "DEMO-BTC", "--start", "2024-02-12", "--end", "2024-03-01"]
AS_OF = [*BARS, "--as-of", "2024-02-20", "--quality", "all"]
KIB = 1024
LAKE_KIB = 2_048
STEP_KIB = 8
MOST_KIB = 128
HOME_KIB = 32_768


class Disk:
    """A small disk of its own behind a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, *, but_kib: int = 0) -> None:
        """Leave so much room and no more."""
        self.free()
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4 * KIB):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - but_kib * KIB))

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def mount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Disk]:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no small disk to fill: this user may not mount one ({done.stderr.strip()})")
    try:
        yield Disk(folder)
    finally:
        # Whatever a failed test has left open goes with its process.
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, pl.DataFrame]]:
    """The rows of the same command where nothing goes wrong."""
    with institution(tmp_path_factory.mktemp("undisturbed")) as house:
        assert house.run("migrate").returncode == 0
        assert house.run(*INGEST).returncode == 0
        rows = stored_rows(house.environment, tmp_path_factory.mktemp("expected"))
        assert rows["curated"].height > 50
        yield rows


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Institution]:
    with institution(tmp_path / "data") as made:
        assert made.run("migrate").returncode == 0
        yield made


def assert_told(done: subprocess.CompletedProcess[str], folder: Path, why: str) -> None:
    """The command failed with one clear sentence."""
    assert done.returncode == 1, done.stderr
    told = [line for line in done.stderr.splitlines() if "EMP_DATA_DIR" in line]
    assert len(told) == 1, done.stderr + done.stdout
    line = told[0]
    assert str(folder) in line
    assert why in line
    assert "EMP_DATA_DIR" in line
    assert "Traceback" not in done.stderr


def assert_nothing_wrong_is_served(
    house: Institution, folder: Path, expected: dict[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """What is stored so far is part of the right rows, and can be read."""
    found = stored_rows(house.environment, folder)
    for name, frame in found.items():
        assert frame.join(expected[name], on=frame.columns, how="anti", nulls_equal=True).is_empty()
        assert frame.is_unique().all(), name
    assert house.run(*BARS).returncode == 0
    return found


@pytest.mark.slow
def test_a_lake_that_fills_up(
    house: Institution, undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    """The same command again and again while room is made bit by bit, until it is enough."""
    lake = tmp_path / "data" / "lake"
    with small_disk(lake, LAKE_KIB) as disk:
        partly = []
        for room in range(0, MOST_KIB, STEP_KIB):
            disk.fill(but_kib=room)
            done = house.run(*INGEST)
            if done.returncode == 0:
                break
            assert_told(done, lake, "has no room left: make room on its disk")
            empty = [f for f in lake.rglob("*.parquet") if f.stat().st_size == 0]
            assert empty == []
            found = assert_nothing_wrong_is_served(house, tmp_path / f"{room}", undisturbed)
            partly.append(found["raw"].height)
        assert partly[0] == 0
        assert 0 < partly[-1] < undisturbed["raw"].height, "no attempt failed half-way"
        disk.free()
        done = house.run(*INGEST)
        assert done.returncode == 0, done.stderr
        assert_same_rows(stored_rows(house.environment, tmp_path / "rows"), undisturbed)


@pytest.mark.slow
def test_a_lake_that_can_only_be_read(
    house: Institution, undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    lake = tmp_path / "data" / "lake"
    with small_disk(lake, LAKE_KIB) as disk:
        assert house.run(*INGEST[:-1], "2024-02-20").returncode == 0
        served, known = house.run(*BARS), house.run(*AS_OF)
        disk.mount("ro")
        assert_told(house.run(*INGEST), lake, "can only be read: mount it for writing")
        for command, before in ((BARS, served), (AS_OF, known)):
            done = house.run(*command)
            assert (done.returncode, done.stdout) == (0, before.stdout)
        parts = json.loads(house.run("doctor", "--format", "json").stdout)["parts"]
        (part,) = (part for part in parts if part["part"] == "lake")
        assert part["state"] == "error"
        assert part["detail"] == f"{lake}: Read-only file system"
        disk.mount("rw")
        done = house.run(*INGEST)
        assert done.returncode == 0, done.stderr
        assert_same_rows(stored_rows(house.environment, tmp_path / "rows"), undisturbed)


@pytest.mark.slow
def test_a_full_disk_of_everything(
    house: Institution, undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    """Dagster's own records lie on the same disk, and fail first."""
    home = tmp_path / "data"
    with small_disk(home, HOME_KIB) as disk:
        for before in ([], [*INGEST[:-1], "2024-02-20"]):
            if before:
                disk.free()
                assert house.run(*before).returncode == 0
            for prepare in (disk.fill, lambda: disk.mount("ro")):
                prepare()
                done = house.run(*INGEST)
                assert done.returncode == 1
                assert "Traceback" not in done.stderr
                last = done.stderr.splitlines()[-1]
                assert last.startswith("emp: "), done.stderr
                assert str(home) in last or "EMP_DATA_DIR" in last
                disk.mount("rw")
                assert house.run(*BARS).returncode == 0
        disk.free()
        done = house.run(*INGEST)
        assert done.returncode == 0, done.stderr
        assert_same_rows(stored_rows(house.environment, tmp_path / "rows"), undisturbed)
