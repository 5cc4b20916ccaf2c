"""Versions of a Delta table: history, time travel, upkeep with numbers, restore, repair."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from bar_store_suite import D1, SESSIONS, SYMBOLS, bars, grid, put
from polars.testing import assert_frame_equal
from raw_log_suite import DAYS, RawLogSuite, everything, fetch
from raw_log_suite import M1 as RAW

from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_lake_table import DeltaLakeTable
from adapters.stores.delta_raw_log import DeltaRawLog
from adapters.stores.delta_table import DeltaFiles
from market_data.errors import (
    ConfigurationError,
    TableDamagedError,
    UnsupportedOperationError,
    VersionGoneError,
)

assert RawLogSuite  # its rows are borrowed


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def three(lake: Path) -> DeltaLakeTable:
    """Versions 1, 2 and 3 whose closes are 1.0, 2.0 and 3.0; version 0 is empty."""
    store = DeltaBarStore(lake)
    for close in (1.0, 2.0, 3.0):
        put(store, grid(close, dataset=D1), D1)
    return store.table(D1)


def closes(frame: pl.DataFrame) -> list[float]:
    return frame["close"].unique().sort().to_list()


def data_files(lake: Path, dataset: Any = D1) -> list[Path]:
    return sorted((lake / dataset.name).rglob("year=*/*.parquet"))


# --- time travel -------------------------------------------------------------------------------


def test_a_version_and_a_moment_tell_the_rows_of_then(three: DeltaLakeTable) -> None:
    versions = {v.version: v.timestamp for v in three.history()}
    for number in (1, 2, 3):
        assert closes(three.read(number)) == [float(number)]
        assert closes(three.read(at=versions[number])) == [float(number)]
    assert closes(three.read(at=versions[2] - timedelta(milliseconds=1))) == [1.0]
    assert closes(three.read()) == [3.0]
    assert three.read(0).is_empty()
    one = three.read(2, symbols=["AAPL"], sessions=(SESSIONS[1], SESSIONS[1]), columns=["ts"])
    assert one.columns == ["ts"]
    assert one.height == 2


@pytest.mark.parametrize(("asked", "hours"), [(90, 2), (59, 1), (60, 1), (0, 0)])
def test_part_of_an_hour_is_kept_whole(
    three: DeltaLakeTable, monkeypatch: pytest.MonkeyPatch, asked: int, hours: int
) -> None:
    kept: list[int] = []

    def vacuum(_: object, retention: int, **__: object) -> list[str]:
        kept.append(retention)
        return []

    monkeypatch.setattr("adapters.stores.delta_maintenance.vacuum", vacuum)
    three.vacuum(timedelta(minutes=asked), force=True)
    assert kept == [hours]


def test_a_version_that_never_was_is_told_from_one_that_is(three: DeltaLakeTable) -> None:
    with pytest.raises(VersionGoneError, match="no version 9: there are 0 to 3"):
        three.read(9)
    with pytest.raises(VersionGoneError, match="no version is as old as 2001-01-01"):
        three.read(at=datetime(2001, 1, 1, tzinfo=UTC))


def test_a_clock_that_went_back_hides_no_version() -> None:
    from adapters.stores.delta_travel import _by_then
    from market_data.ports import TableVersion

    at = [datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in (1, 5, 3, 6)]
    versions = [TableVersion(number, moment, "replace") for number, moment in enumerate(at)]
    assert _by_then(versions, at[2]) == 0
    assert _by_then(versions, at[1]) == 2
    assert _by_then(versions, at[3]) == 3


def test_a_column_that_came_later_is_null_in_former_versions(lake: Path) -> None:
    from market_data.datasets import Dataset
    from market_data.schemas import CURATED_BARS, Column, FrameSchema

    put(DeltaBarStore(lake), grid(1.0, dataset=D1), D1)
    note = Column("note", pl.String(), "added later", nullable=True)
    wider = Dataset(D1.name, FrameSchema("wider", (*CURATED_BARS.columns, note)), D1.key, D1.layout)
    store, day = DeltaBarStore(lake), SESSIONS[1]
    rows = bars({("AAPL", day, 0): 9.0}, D1).with_columns(note=pl.lit("new"))
    store.replace(wider, rows, sessions=(day, day), symbols=["AAPL"])
    table = store.table(wider)
    assert table.read()["note"].drop_nulls().to_list() == ["new"]
    former = table.read(1)
    assert former["note"].null_count() == former.height == 32
    assert table.restore(1, dry_run=False).changed.height == 1
    assert table.read()["note"].null_count() == 32
    assert closes(DeltaBarStore(lake).scan(D1)) == [1.0]


# --- optimize and vacuum -----------------------------------------------------------------------


def foreign_file(lake: Path, unit: str, frame: pl.DataFrame) -> None:
    """A file in the order of `frame`, in one row group, as another tool would write it."""
    from deltalake import write_deltalake

    year = unit.partition("=")[2]
    rows = frame.with_columns(year=pl.lit(year)).to_arrow(compat_level=pl.CompatLevel.oldest())
    write_deltalake(lake / D1.name, rows, mode="append", partition_by=["year"])


def test_optimize_tells_files_and_bytes_and_changes_no_row(lake: Path) -> None:
    import pyarrow.parquet as pq

    store = DeltaBarStore(lake)
    put(store, grid(1.0, dataset=D1).filter(pl.col("session") < date(2024, 1, 1)), D1)
    rows = grid(2.0, dataset=D1).filter(pl.col("session") >= date(2024, 1, 1))
    for day in SESSIONS[1:]:
        foreign_file(lake, "year=2024", rows.filter(pl.col("session") == day).reverse())
    before = store.scan(D1)
    kept = data_files(lake / "x") + [f for f in data_files(lake) if "year=2023" in str(f)]
    done = store.table(D1).optimize()
    assert (done.before.files, done.after.files) == (4, 2)
    assert done.units == ("year=2024",)
    assert done.after.bytes == sum(DeltaFiles(lake, D1).snapshot().files["size"])
    assert done.before.bytes != done.after.bytes
    assert_frame_equal(DeltaBarStore(lake).scan(D1), before)
    assert [f for f in data_files(lake) if f in kept] == kept
    assert list((lake / D1.name / "_delta_log").glob("*.checkpoint.parquet"))
    (path,) = DeltaFiles(lake, D1).snapshot().of(["year=2024"])["path"]
    file = lake / D1.name / path
    later = before.filter(pl.col("session") >= date(2024, 1, 1))
    assert_frame_equal(pl.read_parquet(file, hive_partitioning=False), later)
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"
    again = store.table(D1).optimize()
    assert again.units == ()
    assert again.after.version == again.before.version == done.after.version


def test_one_unsorted_file_of_another_tool_is_sorted(lake: Path) -> None:
    put(DeltaBarStore(lake), bars({("AAPL", SESSIONS[0], 0): 1.0}, D1), D1)
    rows = grid(2.0, dataset=D1).filter(pl.col("session") >= date(2024, 1, 1))
    foreign_file(lake, "year=2024", rows.reverse())
    assert DeltaBarStore(lake).table(D1).optimize().units == ("year=2024",)
    (path,) = DeltaFiles(lake, D1).snapshot().of(["year=2024"])["path"]
    kept = pl.read_parquet(lake / D1.name / path, hive_partitioning=False)
    assert kept.select("symbol", "ts").equals(kept.select("symbol", "ts").sort("symbol", "ts"))


def test_vacuum_first_only_tells_and_never_goes_below_a_month_unforced(
    lake: Path, three: DeltaLakeTable
) -> None:
    count = len(data_files(lake))
    day = timedelta(days=1)
    with pytest.raises(ConfigurationError, match=r"24 h is below 720 h.*--force"):
        three.vacuum(day, dry_run=False)
    assert three.vacuum(dry_run=False).removed == ()
    told = three.vacuum(timedelta(0), force=True)
    assert told.dry_run
    assert len(told.removed) == 4
    assert len(data_files(lake)) == count == told.before.stored_files
    done = three.vacuum(timedelta(0), dry_run=False, force=True)
    assert done.removed == told.removed
    assert done.after.stored_files == told.after.stored_files == 2 == len(data_files(lake))
    assert done.after.stored_bytes == told.after.stored_bytes
    assert closes(three.read()) == [3.0]
    with pytest.raises(VersionGoneError, match="2 of its files are gone"):
        three.read(1)
    with pytest.raises(VersionGoneError, match="vacuum removes"):
        three.restore(1, dry_run=False)
    assert closes(three.read()) == [3.0]


def test_vacuum_after_restores_counts_every_file_once(lake: Path, three: DeltaLakeTable) -> None:
    three.restore(1, dry_run=False)
    three.restore(3, dry_run=False)
    stored = three.footprint().stored_files
    told = three.vacuum(timedelta(0), force=True)
    done = three.vacuum(timedelta(0), dry_run=False, force=True)
    assert told.removed == done.removed
    assert len(done.removed) == stored - done.after.stored_files
    assert told.after.stored_files == done.after.stored_files == len(data_files(lake))
    assert told.after.stored_bytes == done.after.stored_bytes


# --- restore -----------------------------------------------------------------------------------


def test_restore_tells_what_changes_and_then_does_it(lake: Path, three: DeltaLakeTable) -> None:
    day = SESSIONS[1]
    store = DeltaBarStore(lake)
    store.replace(D1, bars({("AAPL", day, 5): 7.0}, D1), sessions=(day, day), symbols=["AAPL"])
    told = three.restore(3)
    assert told.dry_run
    assert told.changed.rows() == [("AAPL", day, 1, 2)]
    assert store.scan(D1).height == 31
    done = three.restore(3, dry_run=False)
    assert_frame_equal(done.changed, told.changed)
    assert done.after.version == 5
    assert_frame_equal(store.scan(D1), grid(3.0, dataset=D1).sort("symbol", "ts"))
    assert store.history(D1)[0].operation == "restore"
    assert three.restore(3, dry_run=False).after.version == 5
    moment = {v.version: v.timestamp for v in three.history()}[1]
    three.restore(at=moment, dry_run=False)
    assert closes(DeltaBarStore(lake).scan(D1)) == [1.0]
    one = store.scan(D1, symbols=["msft"], sessions=(day, day))
    assert one.height == 2, "statistics came back with the files"


def test_what_others_commit_meanwhile_is_left_behind_whole(
    lake: Path, three: DeltaLakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new unit appears between plan and commit: the table is what version 1 was, no mixture."""
    original, meddled = DeltaFiles._commit, []

    def commit(self: DeltaFiles, *args: Any) -> bool:
        if not meddled:
            meddled.append(True)
            day = date(2022, 5, 2)
            rows = bars({("AAPL", day, 0): 8.0}, D1)
            DeltaBarStore(lake).replace(D1, rows, sessions=(day, day), symbols=["AAPL"])
        return original(self, *args)

    monkeypatch.setattr("adapters.stores.locks.NamedLocks._hold_files", _no_locks)
    monkeypatch.setattr(DeltaFiles, "_commit", commit)
    three.restore(1, dry_run=False)
    assert_frame_equal(DeltaBarStore(lake).scan(D1), grid(1.0, dataset=D1).sort("symbol", "ts"))


def test_a_restore_tells_what_others_committed_before_it(
    lake: Path, three: DeltaLakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit lands between the first look and the plan: it is undone, and told."""
    original, meddled = DeltaFiles.change, []
    day = date(2022, 5, 2)

    def change(self: DeltaFiles, *args: Any) -> None:
        if not meddled:
            meddled.append(True)
            store = DeltaBarStore(lake)
            put(store, grid(1.0, dataset=D1), D1)
            rows = bars({("AAPL", day, 0): 8.0}, D1)
            store.replace(D1, rows, sessions=(day, day), symbols=["AAPL"])
        original(self, *args)

    monkeypatch.setattr(DeltaFiles, "change", change)
    done = three.restore(1, dry_run=False)
    assert done.changed.rows() == [("AAPL", day, 1, 0)]
    assert (done.before.version, done.after.version) == (5, 6)
    assert "year=2022" in done.units


def _no_locks(*_: object) -> object:
    from contextlib import nullcontext

    return nullcontext()


# --- damage and repair -------------------------------------------------------------------------


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "deleted":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        half = len(content) // 2
        path.write_bytes(content[:4] + bytes(half) + content[4 + half :])


@pytest.mark.parametrize("how", ["deleted", "cut", "overwritten"])
def test_a_lost_file_is_a_clear_error_and_is_mended(lake: Path, how: str) -> None:
    store = DeltaBarStore(lake)
    put(store, grid(1.0, dataset=D1), D1)
    (lost,) = [f for f in data_files(lake) if "year=2024" in str(f)]
    spoil(lost, how)
    fresh = DeltaBarStore(lake)
    for read in (
        lambda: fresh.scan(D1),
        lambda: fresh.latest(D1),
        lambda: fresh.counts(D1),
        lambda: put(fresh, grid(2.0, dataset=D1), D1),
        lambda: fresh.table(D1).optimize() if how != "overwritten" else fresh.scan(D1),
        lambda: fresh.table(D1).restore(1, dry_run=False) and fresh.scan(D1),
    ):
        with pytest.raises(TableDamagedError, match=rf"curated/bars_1d.*{lost.name}.*lake repair"):
            read()
    assert fresh.scan(D1, sessions=(SESSIONS[0], SESSIONS[0])).height == 8
    table = fresh.table(D1)
    found = table.damage(thorough=True)
    assert list(found.lost) == [f"year=2024/{lost.name}"]
    assert found.rows == 24
    assert found.ranges.row(0, named=True) == {
        "file": f"year=2024/{lost.name}",
        "symbol_from": "AAPL",
        "symbol_to": "Ω",
        "session_from": SESSIONS[1],
        "session_to": SESSIONS[3],
        "rows": 24,
    }
    found, done = table.repair(thorough=True)
    assert done.removed == (f"year=2024/{lost.name}",)
    assert store.history(D1)[0].operation == "repair"
    assert DeltaBarStore(lake).scan(D1).height == 8
    assert table.damage(thorough=True).none
    assert table.repair()[1].after.version == done.after.version
    put(store, grid(2.0, dataset=D1), D1)
    assert store.scan(D1).height == 32


def test_former_files_tell_exactly_which_sessions_lost_rows(lake: Path) -> None:
    store, day = DeltaBarStore(lake), SESSIONS[2]
    put(store, grid(1.0, dataset=D1), D1)
    known = {f.name for f in data_files(lake)}
    store.replace(D1, bars({("AAPL", day, 0): 7.0}, D1), sessions=(day, day), symbols=["AAPL"])
    (newest,) = [f for f in data_files(lake) if f.name not in known]
    newest.unlink()
    sessions = store.table(D1).damage().sessions
    assert sessions.height == 3 * len(SYMBOLS)
    assert sessions.filter(pl.col("rows_after") > 0).is_empty()
    assert set(sessions["session"]) == set(SESSIONS[1:])


def test_a_raw_log_takes_back_what_former_files_still_say(tmp_path: Path) -> None:
    log = DeltaRawLog(tmp_path)
    for number in range(4):
        log.append(RAW, fetch(number, [("AAPL", DAYS[1], 5, float(number)), *everything()]))
    before, read = log.revisions(RAW), log.read(RAW)
    files = set((tmp_path / RAW.name).rglob("*.parquet"))
    log.compact(RAW)
    joined = set((tmp_path / RAW.name).rglob("month=*/**/*.parquet")) - files
    for file in joined:
        file.unlink()
    with pytest.raises(TableDamagedError):
        log.read(RAW)
    _, done = log.table(RAW).repair()
    assert "came back" in done.notes[0]
    fresh = DeltaRawLog(tmp_path)
    assert_frame_equal(fresh.revisions(RAW), before)
    assert_frame_equal(fresh.read(RAW), read)


@pytest.mark.parametrize("harm", ["cut", "gap"])
def test_a_log_whose_newest_commit_is_spoilt_goes_back_one(
    lake: Path, three: DeltaLakeTable, harm: str
) -> None:
    log = lake / D1.name / "_delta_log"
    newest = log / f"{3:020d}.json"
    if harm == "cut":
        newest.write_text('{"add": {')
    else:
        (log / f"{2:020d}.json").unlink()
    for read in (DeltaBarStore(lake).scan, DeltaBarStore(lake).latest):
        with pytest.raises(TableDamagedError, match=r"its log cannot be read.*lake repair"):
            read(D1)
    table = DeltaBarStore(lake).table(D1)
    assert table.damage().log.startswith("its log cannot be read")
    _, done = table.repair()
    good = 2.0 if harm == "cut" else 1.0
    assert done.after.version == int(good)
    assert closes(DeltaBarStore(lake).scan(D1)) == [good]
    assert set(done.changed["session"]) == set(SESSIONS)
    put(DeltaBarStore(lake), grid(4.0, dataset=D1), D1)
    assert closes(DeltaBarStore(lake).scan(D1)) == [4.0]


def test_a_lost_log_is_no_empty_table(lake: Path, three: DeltaLakeTable) -> None:
    import shutil

    shutil.rmtree(lake / D1.name / "_delta_log")
    fresh = DeltaBarStore(lake)
    with pytest.raises(TableDamagedError, match="its log is gone, data files are there"):
        fresh.scan(D1)
    with pytest.raises(TableDamagedError):
        put(fresh, grid(4.0, dataset=D1), D1)
    with pytest.raises(UnsupportedOperationError, match="from a backup"):
        fresh.table(D1).repair()


def test_a_raw_log_without_its_log_has_all_its_rows_again(tmp_path: Path) -> None:
    import shutil

    log = DeltaRawLog(tmp_path)
    for number in range(3):
        log.append(RAW, fetch(number, everything(float(number))))
    log.compact(RAW)
    before = log.revisions(RAW)
    shutil.rmtree(tmp_path / RAW.name / "_delta_log")
    fresh = DeltaRawLog(tmp_path)
    with pytest.raises(TableDamagedError):
        fresh.read(RAW)
    fresh.table(RAW).repair()
    assert_frame_equal(DeltaRawLog(tmp_path).revisions(RAW), before)


def test_a_repair_of_a_log_that_died_is_not_taken_for_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = DeltaRawLog(tmp_path)
    for number in range(3):
        log.append(RAW, fetch(number, everything(float(number))))
    before = log.revisions(RAW)
    newest = tmp_path / RAW.name / "_delta_log" / f"{3:020d}.json"
    newest.write_text("{")

    def die(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("adapters.stores.delta_log_repair._taken_in", die)
        with pytest.raises(KeyboardInterrupt):
            DeltaRawLog(tmp_path).table(RAW).repair()
    table = DeltaRawLog(tmp_path).table(RAW)
    assert not table.damage().none
    table.repair()
    assert table.damage().none
    assert_frame_equal(DeltaRawLog(tmp_path).revisions(RAW), before)


def test_what_later_versions_wrote_is_known_before_the_log_is_mended(
    lake: Path, three: DeltaLakeTable
) -> None:
    (lake / D1.name / "_delta_log" / f"{3:020d}.json").write_text("{")
    table = DeltaBarStore(lake).table(D1)
    wrong = table.damage().sessions
    assert set(wrong["session"]) == set(SESSIONS)
    _, done = table.repair()
    assert_frame_equal(done.changed, wrong)


def test_a_first_write_that_died_is_no_lost_log(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(DeltaFiles, "_commit", die)
        with pytest.raises(KeyboardInterrupt):
            put(DeltaBarStore(lake), grid(dataset=D1), D1)
    assert data_files(lake)
    assert DeltaBarStore(lake).scan(D1).is_empty()
    put(DeltaBarStore(lake), grid(dataset=D1), D1)
    assert DeltaBarStore(lake).scan(D1).height == 32
