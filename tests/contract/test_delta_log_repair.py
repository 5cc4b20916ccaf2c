"""A log of a Delta table that is mended: what readers, writers and other repairs meet meanwhile."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import date
from pathlib import Path

import pytest
from bar_store_suite import ALL, D1, SESSIONS, SYMBOLS, bars, grid, put
from polars.testing import assert_frame_equal
from raw_log_suite import D1 as RAW
from raw_log_suite import RawLogSuite, closes, everything, fetch

from adapters.backup.tree import Tree, take_table
from adapters.stores import delta_log_repair
from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_mending import Mending
from adapters.stores.delta_raw_log import DeltaRawLog
from adapters.stores.delta_table import DeltaFiles
from market_data.errors import StorageError, TableDamagedError

assert RawLogSuite  # its rows are borrowed


def log_of(root: Path, name: str) -> Path:
    return root / name / "_delta_log"


def spoil(root: Path, name: str, version: int) -> None:
    (log_of(root, name) / f"{version:020d}.json").write_text('{"add": {')


@pytest.fixture
def lost_log(tmp_path: Path) -> DeltaRawLog:
    """A log that was opened before its `_delta_log` went."""
    log = DeltaRawLog(tmp_path)
    for number in range(2):
        log.append(RAW, fetch(number, everything(float(number))))
    return log


# --- while it is mended ------------------------------------------------------------------------


def test_nobody_reads_or_writes_until_its_rows_are_there(
    tmp_path: Path, lost_log: DeltaRawLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lost_log.revisions(RAW)
    shutil.rmtree(log_of(tmp_path, RAW.name))
    taken_in, refused = delta_log_repair._taken_in, []

    def looked_at(own: DeltaFiles) -> int:
        for log in (lost_log, DeltaRawLog(tmp_path)):
            for read in (
                lambda log=log: log.revisions(RAW),
                lambda log=log: log.history(RAW),
                lambda log=log: log.table(RAW).read(0),
            ):
                with pytest.raises(TableDamagedError, match="is being mended at this moment"):
                    read()
                refused.append(read)
        return taken_in(own)

    monkeypatch.setattr(delta_log_repair, "_taken_in", looked_at)
    DeltaRawLog(tmp_path).table(RAW).repair()
    assert len(refused) == 6
    for log in (lost_log, DeltaRawLog(tmp_path)):
        assert_frame_equal(log.revisions(RAW), before)


def test_a_killed_repair_leaves_no_empty_log_behind(
    tmp_path: Path, lost_log: DeltaRawLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lost_log.revisions(RAW)
    shutil.rmtree(log_of(tmp_path, RAW.name))

    def die(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(delta_log_repair, "_taken_in", die)
        with pytest.raises(KeyboardInterrupt):
            DeltaRawLog(tmp_path).table(RAW).repair()
    for log in (lost_log, DeltaRawLog(tmp_path)):
        with pytest.raises(TableDamagedError, match=f"emp lake repair {RAW.name}"):
            log.read(RAW)
        with pytest.raises(TableDamagedError):
            log.append(RAW, fetch(9, everything(9.0)))
    assert "a repair was killed" in DeltaRawLog(tmp_path).table(RAW).damage().log
    DeltaRawLog(tmp_path).table(RAW).repair()
    assert DeltaRawLog(tmp_path).table(RAW).damage().none
    assert_frame_equal(lost_log.revisions(RAW), before)


def test_no_backup_is_made_of_half_a_log(tmp_path: Path, lost_log: DeltaRawLog) -> None:
    table, number = tmp_path / RAW.name, iter(range(9))

    def copied() -> int:
        tree = Tree(tmp_path / f"backup{next(number)}")
        return take_table(tree, table, f"lake/{RAW.name}").rows

    assert copied() == lost_log.revisions(RAW).height
    mending = Mending(table, str(table))
    begun = mending.begin()
    with pytest.raises(TableDamagedError, match=f"emp lake repair {RAW.name}"):
        copied()
    mending.end(begun)
    assert copied() == lost_log.revisions(RAW).height


def test_a_writer_waits_until_the_rows_are_there(
    tmp_path: Path, lost_log: DeltaRawLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it compares with is then all that was said before: the same again is nothing new."""
    before = lost_log.revisions(RAW)
    shutil.rmtree(log_of(tmp_path, RAW.name))
    taken_in, asked, told = delta_log_repair._taken_in, threading.Event(), []

    def write() -> None:
        asked.wait(60)
        told.append(lost_log.append(RAW, fetch(1, everything(1.0))))

    writer = threading.Thread(target=write)

    def beside(own: DeltaFiles) -> int:
        asked.set()
        writer.join(0.3)
        assert writer.is_alive()
        return taken_in(own)

    monkeypatch.setattr(delta_log_repair, "_taken_in", beside)
    writer.start()
    DeltaRawLog(tmp_path).table(RAW).repair()
    writer.join(60)
    assert [(one.new, one.revised) for one in told] == [(0, 0)]
    assert_frame_equal(DeltaRawLog(tmp_path).revisions(RAW), before)


def test_two_repairs_at_once_mend_once(
    tmp_path: Path, lost_log: DeltaRawLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lost_log.revisions(RAW)
    spoil(tmp_path, RAW.name, 2)
    judge, both = delta_log_repair.wrong_with, threading.Barrier(2, timeout=60)
    met: set[int] = set()

    def together(own: DeltaFiles) -> str:
        found = judge(own)
        if threading.get_ident() not in met:
            met.add(threading.get_ident())
            both.wait()
        return found

    monkeypatch.setattr("adapters.stores.delta_repair.wrong_with", together)
    errors: list[BaseException] = []

    def repair() -> None:
        try:
            DeltaRawLog(tmp_path).table(RAW).repair()
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    repairs = [threading.Thread(target=repair) for _ in range(2)]
    for one in repairs:
        one.start()
    for one in repairs:
        one.join(120)
    assert errors == []
    monkeypatch.undo()
    assert len(list((tmp_path / RAW.name).glob(".damaged-*"))) == 1
    assert_frame_equal(DeltaRawLog(tmp_path).revisions(RAW), before)
    assert DeltaRawLog(tmp_path).table(RAW).damage().none


# --- who has it open ---------------------------------------------------------------------------


def test_an_open_table_does_not_go_on_with_versions_that_were_given_up(tmp_path: Path) -> None:
    store, day = DeltaBarStore(tmp_path), SESSIONS[1]
    held, writing = DeltaBarStore(tmp_path), DeltaBarStore(tmp_path)

    def say(by: DeltaBarStore, close: float, symbol: str = "AAPL") -> None:
        rows = bars({(symbol, day, 0): close}, D1)
        by.replace(D1, rows, sessions=(day, day), symbols=[symbol])

    for close in (1.0, 2.0, 3.0, 4.0, 5.0):
        say(store, close)
    assert [set(one.scan(D1)["close"]) for one in (held, writing)] == [{5.0}, {5.0}]
    spoil(tmp_path, D1.name, 4)
    DeltaBarStore(tmp_path).table(D1).repair()
    for close in (103.0, 104.0):
        say(DeltaBarStore(tmp_path), close)
    assert DeltaFiles(tmp_path, D1).snapshot().version == 5
    assert held.scan(D1)["close"].to_list() == [104.0]
    say(writing, 7.0, "msft")
    assert sorted(held.scan(D1)["close"]) == sorted(DeltaBarStore(tmp_path).scan(D1)["close"])
    assert sorted(held.scan(D1)["close"]) == [7.0, 104.0]


def test_an_open_table_sees_that_its_folder_came_from_a_backup(tmp_path: Path) -> None:
    store = DeltaBarStore(tmp_path)
    put(store, grid(1.0, dataset=D1), D1)
    shutil.copytree(tmp_path / D1.name, tmp_path / "kept")
    other = DeltaBarStore(tmp_path)
    put(other, grid(2.0, dataset=D1), D1)
    assert set(store.scan(D1)["close"]) == {2.0}
    shutil.rmtree(tmp_path / D1.name)
    (tmp_path / "kept").rename(tmp_path / D1.name)
    assert set(store.scan(D1)["close"]) == {1.0}
    put(DeltaBarStore(tmp_path), grid(3.0, dataset=D1), D1)
    assert set(store.scan(D1)["close"]) == {3.0}


def test_a_vacuum_that_waited_for_writers_knows_the_log_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, tended = DeltaBarStore(tmp_path), DeltaBarStore(tmp_path)
    for close in (1.0, 2.0):
        put(store, grid(close, dataset=D1), D1)
    away = DeltaFiles.writers_away

    def mended_first(self: DeltaFiles) -> object:
        monkeypatch.setattr(DeltaFiles, "writers_away", away)
        spoil(tmp_path, D1.name, 2)
        DeltaBarStore(tmp_path).table(D1).repair()
        put(DeltaBarStore(tmp_path), grid(3.0, dataset=D1), D1)
        return away(self)

    monkeypatch.setattr(DeltaFiles, "writers_away", mended_first)
    tended.vacuum(D1, retention_hours=0)
    assert set(DeltaBarStore(tmp_path).scan(D1)["close"]) == {3.0}


# --- what later versions did -------------------------------------------------------------------


def taken_away(store: DeltaBarStore, sessions: tuple[date, date], symbol: str) -> None:
    store.replace(D1, D1.schema.empty(), sessions=sessions, symbols=[symbol])


def changed_by_repair(root: Path, version: int) -> set[tuple[str, date]]:
    spoil(root, D1.name, version)
    told = DeltaBarStore(root).table(D1).damage().sessions
    _, done = DeltaBarStore(root).table(D1).repair()
    assert_frame_equal(done.changed, told)
    return set(done.changed.select("symbol", "session").iter_rows())


def test_bars_that_a_later_version_took_away_are_named(tmp_path: Path) -> None:
    store, day = DeltaBarStore(tmp_path), SESSIONS[2]
    put(store, grid(1.0, dataset=D1), D1)
    taken_away(store, (day, day), "AAPL")
    assert changed_by_repair(tmp_path, 2) == {("AAPL", day)}


def test_bars_at_the_end_of_a_folder_that_went_are_named(tmp_path: Path) -> None:
    store, last = DeltaBarStore(tmp_path), SYMBOLS[-1]
    put(store, grid(1.0, dataset=D1), D1)
    taken_away(store, (SESSIONS[-1], SESSIONS[-1]), last)
    assert changed_by_repair(tmp_path, 2) == {(last, SESSIONS[-1])}


def test_a_folder_that_became_empty_is_named(tmp_path: Path) -> None:
    """The commit takes all of 2023 out, and changes 2024 besides."""
    store = DeltaBarStore(tmp_path)
    put(store, bars({("AAPL", day, 0): 1.0 for day in SESSIONS}, D1), D1)
    taken_away(store, (SESSIONS[0], SESSIONS[1]), "AAPL")
    assert changed_by_repair(tmp_path, 2) == {("AAPL", SESSIONS[0]), ("AAPL", SESSIONS[1])}


def test_a_restore_that_is_forgotten_names_its_folders(tmp_path: Path) -> None:
    store, day = DeltaBarStore(tmp_path), SESSIONS[1]
    put(store, grid(1.0, dataset=D1), D1)
    store.replace(D1, bars({("AAPL", day, 0): 9.0}, D1), sessions=(day, day), symbols=["AAPL"])
    store.table(D1).restore(1, dry_run=False)
    told = changed_by_repair(tmp_path, 3)
    assert ("AAPL", day) in told
    assert {session.year for _, session in told} == {2024}


def test_where_nothing_tells_what_a_lost_version_did_everything_counts(tmp_path: Path) -> None:
    from deltalake import DeltaTable

    put(DeltaBarStore(tmp_path), grid(1.0, dataset=D1), D1)
    DeltaTable(tmp_path / D1.name).delete("year = '2023'")  # another tool, which leaves no file
    assert changed_by_repair(tmp_path, 2) == {(s, day) for s in SYMBOLS for day in SESSIONS}


def test_files_of_versions_before_are_not_taken_for_later_ones(tmp_path: Path) -> None:
    store, first, other = DeltaBarStore(tmp_path), SESSIONS[1], SESSIONS[2]
    put(store, grid(1.0, dataset=D1), D1)
    for close in (2.0, 3.0):  # 2.0 lies in a file that version 3 took out
        rows = bars({("AAPL", first, 0): close}, D1)
        store.replace(D1, rows, sessions=(first, first), symbols=["AAPL"])
    rows = bars({("msft", other, 0): 4.0}, D1)
    store.replace(D1, rows, sessions=(other, other), symbols=["msft"])
    assert changed_by_repair(tmp_path, 4) == {("msft", other)}
    assert store.scan(D1, symbols=["AAPL"], sessions=(first, first))["close"].to_list() == [3.0]


def test_a_file_of_no_version_that_is_known_counts_where_it_is_new(tmp_path: Path) -> None:
    store, day = DeltaBarStore(tmp_path), SESSIONS[1]
    put(store, grid(1.0, dataset=D1), D1)
    stale = tmp_path / D1.name / "year=2023" / f"{'a' * 32}.parquet"
    bars({("AAPL", SESSIONS[0], 0): 8.0}, D1).write_parquet(stale)
    os.utime(stale, (0, 0))
    store.replace(D1, bars({("AAPL", day, 0): 9.0}, D1), sessions=(day, day), symbols=["AAPL"])
    assert changed_by_repair(tmp_path, 2) == {("AAPL", day)}


def test_versions_before_are_known_from_a_checkpoint_as_well(tmp_path: Path) -> None:
    store, day = DeltaBarStore(tmp_path), SESSIONS[1]
    for close in (1.0, 2.0):
        put(store, grid(close, dataset=D1), D1)
    store.table(D1).optimize()
    for number in (0, 1):
        (log_of(tmp_path, D1.name) / f"{number:020d}.json").unlink()
    store.replace(D1, bars({("AAPL", day, 0): 9.0}, D1), sessions=(day, day), symbols=["AAPL"])
    assert changed_by_repair(tmp_path, 3) == {("AAPL", day)}


# --- what a person took out of a raw log -------------------------------------------------------


def bad_rows_restored_away(root: Path, *, joined: bool) -> DeltaRawLog:
    """Version 1 is good; later ones hold a fetch of closes of 66; the restore takes them out."""
    log = DeltaRawLog(root)
    log.append(RAW, fetch(0, everything(1.0)))
    log.append(RAW, fetch(1, everything(66.0)))
    if joined:
        log.compact(RAW)
    log.table(RAW).restore(1, dry_run=False)
    assert set(closes(log.revisions(RAW))) == {1.0}
    return log


@pytest.mark.parametrize("joined", [False, True])
def test_a_lost_file_brings_back_nothing_that_was_restored_away(
    tmp_path: Path, joined: bool
) -> None:
    log = bad_rows_restored_away(tmp_path, joined=joined)
    log.append(RAW, fetch(2, everything(2.0)))
    before = log.revisions(RAW)
    known = set((tmp_path / RAW.name).rglob("year=*/*.parquet"))
    log.compact(RAW)
    for file in set((tmp_path / RAW.name).rglob("year=*/*.parquet")) - known:
        file.unlink()
    _, done = DeltaRawLog(tmp_path).table(RAW).repair()
    assert "came back" in done.notes[0]
    assert_frame_equal(DeltaRawLog(tmp_path).revisions(RAW), before)


@pytest.mark.parametrize("joined", [False, True])
def test_a_mended_log_brings_back_nothing_that_was_restored_away(
    tmp_path: Path, joined: bool
) -> None:
    log = bad_rows_restored_away(tmp_path, joined=joined)
    log.append(RAW, fetch(2, everything(2.0)))
    before = log.revisions(RAW)
    spoil(tmp_path, RAW.name, DeltaFiles(tmp_path, RAW).snapshot().version)
    DeltaRawLog(tmp_path).table(RAW).repair()
    assert_frame_equal(DeltaRawLog(tmp_path).revisions(RAW), before)


def test_what_a_second_restore_brought_back_is_true_again(tmp_path: Path) -> None:
    log = DeltaRawLog(tmp_path)
    for number in range(2):
        log.append(RAW, fetch(number, everything(float(number))))
    log.table(RAW).restore(1, dry_run=False)
    log.table(RAW).restore(2, dry_run=False)
    before = log.revisions(RAW)
    known = set((tmp_path / RAW.name).rglob("year=*/*.parquet"))
    log.compact(RAW)
    for file in set((tmp_path / RAW.name).rglob("year=*/*.parquet")) - known:
        file.unlink()
    DeltaRawLog(tmp_path).table(RAW).repair()
    assert_frame_equal(DeltaRawLog(tmp_path).revisions(RAW), before)


# --- a table that cannot be made ---------------------------------------------------------------


def test_a_folder_that_takes_no_table_is_told_from_a_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    made = DeltaTable.create

    def refused(*_: object, **__: object) -> DeltaTable:
        raise DeltaError("Generic error: Permission denied (os error 13)")

    monkeypatch.setattr(DeltaTable, "create", refused)
    with pytest.raises(StorageError, match="is closed to this user: grant access"):
        put(DeltaBarStore(tmp_path), grid(1.0, dataset=D1), D1)

    def second(*words: object, **named: object) -> DeltaTable:
        made(*words, **named)  # type: ignore[arg-type]
        raise DeltaError("Version 0 already exists")

    monkeypatch.setattr(DeltaTable, "create", second)
    put(DeltaBarStore(tmp_path), grid(1.0, dataset=D1), D1)
    assert DeltaBarStore(tmp_path).scan(D1, sessions=ALL).height == 32
