"""A backup of an installation in files: whole or not there, found damaged, put back as it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.backup.creating import Wanted, backup_folder, forget
from adapters.backup.keeping import back_up, look, put_back
from adapters.backup.manifest import (
    MANIFEST,
    Manifest,
    PartRecord,
    read_manifest,
    unfinished,
    whole_backups,
    write_manifest,
)
from adapters.backup.restoring import restore
from adapters.backup.tree import walked
from adapters.backup.verifying import opened, verify
from adapters.clock import FixedClock
from adapters.installation import installation_of
from adapters.modes import Installation, decide
from adapters.operations import SqlReports, open_database
from adapters.settings import Settings
from market_data.datasets import curated_bars
from market_data.errors import (
    ConfigurationError,
    CopyMismatchError,
    CopyRefusedError,
    StoreConflictError,
)
from market_data.operations.backups import REPORT
from market_data.pipeline.platform import silent
from market_data.timeframes import Timeframe
from tests.support.small_world import DAYS, NOW, SYMBOLS, all_told, fill, small_world
from tests.support.warm_python import run_python
from tests.support.worlds import World

CLOCK = FixedClock(NOW)
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from adapters.backup import creating, restoring
from adapters.modes import decide
from adapters.settings import Settings

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

found = decide(Settings(data_dir=Path(sys.argv[2])))
backups = Path(sys.argv[3])
at = datetime(2024, 3, 1, 13, tzinfo=UTC)
if sys.argv[1] == "create":
    creating.take_table = die
    creating.create(found, creating.Wanted(backups, "killed", at), print)
else:
    put = restoring._put_part
    def three(source, target, record, tell):
        if record.name.startswith(sys.argv[4]):
            die()
        put(source, target, record, tell)
    restoring._put_part = three
    restoring.restore(found, backups, at, print)
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installation that holds something, and one backup of it."""
    folder = tmp_path_factory.mktemp("small")
    world = small_world(folder)
    fill(world)
    make(folder, "whole")
    return folder


@pytest.fixture
def place(filled: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    folder = tmp_path / "copy"
    shutil.copytree(filled, folder)
    return folder


def of(folder: Path, data: str = "data") -> Installation:
    return decide(Settings(data_dir=folder / data))


def make(folder: Path, name: str, tell: Callable[[str], None] = silent, keep: int = 0) -> Manifest:
    wanted = Wanted(folder / "backups", name, NOW)
    return back_up(of(folder), wanted, CLOCK, tell, keep=keep).manifest


def told(folder: Path, data: str = "data") -> dict[str, pl.DataFrame]:
    return all_told(World(Settings(data_dir=folder / data), NOW))


def same(ours: dict[str, pl.DataFrame], theirs: dict[str, pl.DataFrame]) -> None:
    assert ours.keys() == theirs.keys()
    for name, frame in ours.items():
        assert_frame_equal(frame, theirs[name], check_exact=True)


def killed(action: str, *words: str) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMP_", "DAGSTER_"))}
    done = run_python(["-c", KILLED, action, *words], env=clean)
    assert done.returncode == -9, done.stderr[-2000:]


def test_there_and_back_tells_the_same(place: Path) -> None:
    before = told(place)
    assert all(before[name].height for name in ("curated/bars_1d", "quality/scores", "raw first"))
    manifest = read_manifest(place / "backups" / "whole")
    assert {p.name: p.rows for p in manifest.parts}["curated/bars_1d"] == 10
    assert [(t.name, t.rows) for t in manifest.raw] == [("raw/first_bars_1d", 10)]
    done = put_back(of(place, "other"), place / "backups" / "whole", CLOCK, silent, overwrite=False)
    assert (done.replaced, done.aside) == ({}, ())
    same(told(place, "other"), before)
    # The answers as they came are there, too, and nothing remembers the restore but its report.
    platform = World(Settings(data_dir=place / "other"), NOW).platform
    addresses = [a for run in platform.journal.runs() for a in run.payloads]
    assert len(addresses) == manifest.payloads == 2
    assert all(platform.payloads.get(address) for address in addresses)
    assert not (place / "other" / "restoring.json").exists()
    # The installation goes on from there: what is known is not asked for again.
    assert (
        World(Settings(data_dir=place / "other"), NOW)
        .load("first", "1d", SYMBOLS, DAYS[0], DAYS[-1])
        .rows
        == {}
    )


def test_the_next_one_shares_the_files_that_have_not_changed(place: Path) -> None:
    first = read_manifest(place / "backups" / "whole")
    # A copy of a tree keeps the times of its files, by which they are known.
    second = make(place, "next")
    lake = {path for path in second.files if path.startswith("lake/")}
    linked = {p for p in lake if (place / "backups" / "next" / p).stat().st_nlink == 2}
    assert linked == lake != set()
    assert second.bytes_copied < first.bytes_copied
    digests = {p.name: p.digests for p in first.parts}
    for part in second.parts:
        assert part.digests == digests[part.name] or part.name == "operations/reports"
    assert [b.name for b in whole_backups(place / "backups")] == ["whole", "next"]
    # Those that are too many go, and the files of the others stay.
    make(place, "third", keep=1)
    (left,) = whole_backups(place / "backups")
    assert verify(left, silent).problems == ()


def test_those_of_another_installation_neither_count_nor_go(place: Path) -> None:
    backups, mine = place / "backups", installation_of(of(place).settings)
    assert installation_of(of(place, "other").settings) not in {mine, ""}
    for name, whose, hours in (("a1", mine, 1), ("b1", "another", 2), ("a2", mine, 3)):
        forged(backups, name, installation=whose, created_at=NOW + timedelta(hours=hours))
    wanted = Wanted(backups, "a3", NOW + timedelta(hours=4))
    # Whose `whole` is nobody can say: a version made it that did not note that.
    forged(backups, "whole", installation="")
    done = back_up(of(place), wanted, CLOCK, silent, keep=2)
    assert (done.manifest.installation, done.removed) == (mine, ("a1",))
    assert forget(backups, 1, "another", silent) == []
    assert [b.name for b in whole_backups(backups)] == ["a3", "a2", "b1", "whole"]
    # Alone in its folder it can be nobody else's.
    shutil.rmtree(backups / "b1")
    assert forget(backups, 1, mine, silent) == ["a2", "whole"]


def forged(backups: Path, name: str, **what: object) -> None:
    """A copy of `whole`, or itself, with another manifest."""
    if not (backups / name).exists():
        shutil.copytree(backups / "whole", backups / name)
    write_manifest(backups / name, replace(read_manifest(backups / name), name=name, **what))


def test_a_snapshot_that_is_being_taken_is_left_out(place: Path) -> None:
    for name in ("kept", "next.partial"):
        (place / "data/snapshots" / name).mkdir(parents=True)
        (place / "data/snapshots" / name / "snapshot.json").write_text("{}")
    kept = {path for path in make(place, "second").files if path.startswith("snapshots/")}
    assert kept == {"snapshots/kept/snapshot.json"}


@pytest.mark.parametrize("part", ["lake/payloads", "lake/raw", "warehouse/curated", "operations"])
def test_a_flipped_byte_is_found_and_never_restored(place: Path, part: str) -> None:
    backup = place / "backups" / "whole"
    file = max(walked(backup / part), key=lambda f: f.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    name = file.relative_to(backup).as_posix()
    checked = look(of(place), backup, CLOCK, silent)
    assert checked.problems == (f"{name} is not what was written",)
    with pytest.raises(CopyMismatchError, match="whole is damaged"):
        put_back(of(place, "other"), backup, CLOCK, silent, overwrite=True)
    assert not (place / "other").exists()
    engine = open_database(of(place).operations_url)
    (report,) = SqlReports(engine).newest(REPORT)
    engine.dispose()
    assert (report.status, report.body["verified"]) == ("fail", False)


def test_a_file_or_a_manifest_that_is_not_whole_is_found(place: Path) -> None:
    backup = place / "backups" / "whole"
    file = next(walked(backup / "lake" / "payloads"))
    file.unlink()
    (backup / "stray").write_text("x")
    lost = file.relative_to(backup).as_posix()
    assert verify(backup, silent).problems == (
        f"{lost} is missing",
        "stray is not of the backup",
    )
    manifest = backup / MANIFEST
    manifest.write_text(manifest.read_text().replace('"rows": 10', '"rows": 11', 1))
    with pytest.raises(CopyMismatchError, match="damaged"):
        verify(backup, silent)
    manifest.write_text(manifest.read_text()[:100])
    with pytest.raises(CopyMismatchError, match="damaged"):
        verify(backup, silent)
    manifest.unlink()
    with pytest.raises(ConfigurationError, match="is no backup"):
        verify(backup, silent)


def test_a_digest_that_differs_is_found_though_every_file_is_right(place: Path) -> None:
    """As where a store told other rows than it wrote."""
    backup = place / "backups" / "whole"
    known = read_manifest(backup)
    parts = tuple(
        PartRecord(p.name, p.columns, p.rows, dict.fromkeys(p.digests, "0" * 32))
        if p.name in ("curated/bars_1d", "operations/ledger")
        else p
        for p in known.parts
    )
    write_manifest(backup, replace(known, parts=parts))
    assert verify(backup, silent).problems == (
        "curated/bars_1d: the rows of 2024-02 have another digest",
        "operations/ledger: the rows have another digest",
    )


def test_an_installation_that_holds_something_is_not_overwritten_by_surprise(place: Path) -> None:
    backup = place / "backups" / "whole"
    store = World(Settings(data_dir=place / "data"), NOW).platform.store
    days = date(2024, 2, 12), date(2024, 2, 16)
    daily = curated_bars(Timeframe.D1)
    store.replace(daily, daily.schema.empty(), sessions=days, symbols=SYMBOLS)
    changed = told(place)
    with pytest.raises(CopyRefusedError, match=r"rows of quality/scores.*--overwrite"):
        put_back(of(place), backup, CLOCK, silent, overwrite=False)
    same(told(place), changed)
    looked = restore(of(place), backup, NOW, silent, dry_run=True)
    assert looked.replaced["lake"] > 0
    same(told(place), changed)
    done = put_back(of(place), backup, CLOCK, silent, overwrite=True)
    assert [Path(path).name.split("-")[0] for path in done.aside] == ["lake.replaced"]
    assert told(place)["curated/bars_1d"].height == 10
    # A dry run into nothing leaves nothing.
    restore(of(place, "nowhere"), backup, NOW, silent, dry_run=True)
    assert not (place / "nowhere" / "lake").exists()


def test_a_backup_that_was_killed_is_not_taken_for_whole_and_is_tidied(place: Path) -> None:
    backups = place / "backups"
    killed("create", str(place / "data"), str(backups))
    assert [f.name for f in unfinished(backups)] == ["killed.partial"]
    assert [f.name for f in whole_backups(backups)] == ["whole"]
    with pytest.raises(ConfigurationError, match="never finished"):
        verify(backups / "killed.partial", silent)
    said: list[str] = []
    make(place, "killed", said.append)
    assert "killed.partial was never finished and goes" in said
    assert unfinished(backups) == []
    assert verify(backups / "killed", silent).problems == ()


@pytest.mark.parametrize("at", ["operations/ledger", "curated/"])
def test_a_restore_that_was_killed_is_finished_by_the_same_again(place: Path, at: str) -> None:
    backup = place / "backups" / "whole"
    before = told(place)
    killed("restore", str(place / "other"), str(backup), at)
    other = of(place, "other")
    assert json.loads((place / "other" / "restoring.json").read_text())["backup"] == "whole"
    # Whatever is there of curated bars, the raw log behind them is.
    assert told(place, "other")["raw first"].height == 10
    second = make(place, "second")
    with pytest.raises(CopyRefusedError, match="restore of whole was not finished"):
        put_back(other, place / "backups" / second.name, CLOCK, silent, overwrite=False)
    put_back(other, backup, CLOCK, silent, overwrite=False)
    same(told(place, "other"), before)
    assert not (place / "other" / "restoring.json").exists()


def test_what_is_written_meanwhile_never_leaves_a_bar_without_its_origin(tmp_path: Path) -> None:
    """A day lands and is curated before each part that is copied."""
    world = small_world(tmp_path)
    fill(world, DAYS[:1])
    days = iter(DAYS[1:])

    def write(text: str) -> None:
        if "reading both" not in text and (day := next(days, None)) is not None:
            fill(World(world.settings, NOW), (day,))

    manifest = make(tmp_path, "busy", write)
    assert next(days, None) is None, "the test has to write while the backup is made"
    backup = tmp_path / "backups" / "busy"
    assert verify(backup, silent).problems == ()
    restored = of(tmp_path, "other")
    put_back(restored, backup, CLOCK, silent, overwrite=False)
    found = told(tmp_path, "other")
    key = ["symbol", "session"]
    for curated in ("curated/bars_1d", "ledger"):
        assert found[curated].join(found["raw first"], on=key, how="anti").is_empty()
    assert found["quality/scores"].join(found["curated/bars_1d"], on=key, how="anti").is_empty()
    assert manifest.raw[0].rows == 10
    with opened(backup) as side:
        assert side.bars.counts(curated_bars(Timeframe.D1))["rows"].sum() >= 2


def test_one_copy_at_a_time_and_places_that_make_no_sense(place: Path) -> None:
    from filelock import FileLock

    with (
        FileLock(place / "data" / "copies" / "lock"),
        pytest.raises(StoreConflictError, match="another 'emp migrate-store'"),
    ):
        make(place, "busy")
    with pytest.raises(ConfigurationError, match="a part of what is backed up"):
        backup_folder(of(place).settings, place / "data" / "lake" / "b")
    with pytest.raises(ConfigurationError, match="EMP_BACKUP_DIR"):
        backup_folder(of(place).settings)
    with pytest.raises(ConfigurationError, match="names no backup"):
        make(place, "../up")
    with pytest.raises(ConfigurationError, match="already"):
        make(place, "whole")
    with pytest.raises(ConfigurationError, match="no bootstrap installation"):
        back_up(of(place, "none"), Wanted(place / "b", "x", NOW), CLOCK, silent)
    assert NOW - timedelta(days=1) < read_manifest(place / "backups" / "whole").created_at
