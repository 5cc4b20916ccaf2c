"""DeltaBarStore keeps the promises of a BarStore, and those of its own engine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl
import pytest
from bar_store_suite import (
    ALL,
    D1,
    DAY_BEFORE,
    M1,
    SESSIONS,
    SYMBOLS,
    BarStoreSuite,
    bars,
    grid,
    put,
)
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from polars.testing import assert_frame_equal

from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.stores.delta_table import DeltaFiles
from adapters.stores.units import bucket_of, split, units_of_slice
from market_data.datasets import Dataset, Layout
from market_data.errors import (
    DatasetMissingError,
    SessionConflictError,
    SliceChangedError,
    StoreConflictError,
    TableDamagedError,
)
from market_data.schemas import CURATED_BARS, Column, FrameSchema


@pytest.fixture
def new_store(tmp_path: Path) -> Callable[[], DeltaBarStore]:
    return lambda: DeltaBarStore(mkdtemp(dir=tmp_path))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


class TestDeltaBarStore(BarStoreSuite):
    """The promises of the port."""


def data_files(lake: Path) -> list[Path]:
    return sorted(lake.rglob("*.parquet"))


def test_the_same_frame_twice_makes_no_version_and_no_file(lake: Path) -> None:
    store = DeltaBarStore(lake)
    put(store, grid())
    before, files = store.history(M1), data_files(lake)
    put(store, grid().reverse())
    put(DeltaBarStore(lake), grid())
    store.replace(
        M1, grid().filter(pl.col("symbol") == "msft"), sessions=ALL, symbols=["msft", "TSLA"]
    )
    assert store.history(M1) == before
    assert data_files(lake) == files


def test_a_call_is_one_version_and_rewrites_only_what_differs(lake: Path) -> None:
    store = DeltaBarStore(lake)
    put(store, grid())
    files = data_files(lake)
    day = SESSIONS[2]
    changed = grid().with_columns(
        close=pl.when((pl.col("session") == day) & (pl.col("symbol") == "AAPL"))
        .then(9.0)
        .otherwise("close")
    )
    put(store, changed)
    assert [v.operation for v in store.history(M1)] == ["replace", "replace", "CREATE TABLE"]
    new = set(data_files(lake)) - set(files)
    assert [path.parent.parent.name for path in new] == ["month=2024-01"]
    assert_frame_equal(store.scan(M1), changed.sort("symbol", "ts"))


def test_history_is_newest_first_and_metadata_is_kept(lake: Path) -> None:
    store = DeltaBarStore(lake)
    before = datetime.now(UTC)
    store.replace(M1, grid(), sessions=ALL, symbols=SYMBOLS, metadata={"run_id": "r7"})
    versions = store.history(M1)
    assert [v.version for v in versions] == [1, 0]
    assert abs((versions[0].timestamp - before).total_seconds()) < 60
    newest = DeltaFiles(lake, M1).opened().history()[0]
    assert newest["run_id"] == "r7"


def test_upkeep_of_a_dataset_that_was_never_written_is_a_clear_error(lake: Path) -> None:
    store = DeltaBarStore(lake)
    for upkeep in (store.history, store.compact, store.vacuum):
        with pytest.raises(DatasetMissingError, match="curated/bars_1m"):
            upkeep(M1)


def test_files_are_sorted_small_row_groups_without_partition_columns(lake: Path) -> None:
    import pyarrow.parquet as pq

    store = DeltaBarStore(lake)
    days = [date(2024, 1, day) for day in range(1, 32)]
    frame = bars({("AAPL", day, minute): 1.0 for day in days for minute in range(1300)})
    put(store, frame)
    (file,) = data_files(lake / M1.name)
    meta = pq.ParquetFile(file).metadata
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    assert max(group.num_rows for group in groups) == 16_384
    assert {groups[0].column(i).compression for i in range(meta.num_columns)} == {"ZSTD"}
    assert pq.ParquetFile(file).schema_arrow.names == M1.schema.names
    assert pl.read_parquet(file, hive_partitioning=False)["ts"].is_sorted()


def test_compaction_joins_the_files_of_a_unit_in_order(lake: Path) -> None:
    """Two files in one unit come from a foreign writer; a replace leaves one."""
    store, table = DeltaBarStore(lake), DeltaFiles(lake, D1)
    put(store, bars({("AAPL", SESSIONS[1], 0): 1.0, ("msft", SESSIONS[1], 0): 1.0}, D1), D1)
    from adapters.stores.delta_table import Change

    extra = bars({("EURUSD", SESSIONS[2], 0): 1.0}, D1)
    table.change(
        ["year=2024"], lambda _: Change(["year=2024"], "x", [table.write("year=2024", extra)])
    )
    before = store.scan(D1)
    assert before["symbol"].to_list() == ["AAPL", "EURUSD", "msft"]
    store.compact(D1)
    assert store.history(D1)[0].operation == "compact"
    assert table.snapshot().files.height == 1
    assert_frame_equal(store.scan(D1), before)
    version = store.history(D1)[0].version
    store.compact(D1)
    assert store.history(D1)[0].version == version


def test_vacuum_removes_old_files_and_leftovers_but_nothing_in_use(lake: Path) -> None:
    store = DeltaBarStore(lake)
    put(store, grid(1.0))
    put(store, grid(2.0))
    leftover = lake / M1.name / "month=2024-01" / "bucket=0" / "left.parquet"
    leftover.parent.mkdir(parents=True, exist_ok=True)
    leftover.write_bytes(b"half a file")
    count = len(data_files(lake / M1.name))
    store.vacuum(M1)
    assert len(data_files(lake / M1.name)) == count
    store.vacuum(M1, retention_hours=0)
    assert not leftover.exists()
    in_use = DeltaFiles(lake, M1).snapshot().files.height
    assert len(data_files(lake / M1.name)) == in_use
    assert_frame_equal(DeltaBarStore(lake).scan(M1), grid(2.0).sort("symbol", "ts"))
    put(store, grid(3.0))
    assert store.scan(M1)["close"].unique().to_list() == [3.0]


def test_a_first_load_reads_no_file(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DeltaBarStore(lake)
    put(store, grid().filter(pl.col("session") == SESSIONS[0]))

    def refuse(*_: object) -> None:
        raise AssertionError("read a file")

    monkeypatch.setattr(DeltaFiles, "scan", refuse)
    later = (SESSIONS[1], SESSIONS[3])
    frame = grid().filter(pl.col("session") > SESSIONS[0])
    assert store.replace(M1, frame, sessions=later, symbols=SYMBOLS) == frame.height


def test_a_read_opens_only_files_that_may_hold_the_rows(lake: Path) -> None:
    store = DeltaBarStore(lake)
    put(store, grid())
    for path in data_files(lake / M1.name / "month=2023-12"):
        path.write_bytes(b"never opened")
    assert store.scan(M1, start=date(2024, 1, 1)).height == 24
    assert store.scan(M1, sessions=(SESSIONS[1], SESSIONS[3]), symbols=["AAPL"]).height == 6
    assert store.latest(M1, symbols=["AAPL"], rows=3).height == 3
    with pytest.raises(TableDamagedError, match=r"curated/bars_1m is damaged.*month=2023-12"):
        store.scan(M1)


def meddling(monkeypatch: pytest.MonkeyPatch, write: Callable[[], object]) -> None:
    """A tool without our locks writes between our plan and our commit, once."""
    monkeypatch.setattr("adapters.stores.locks.NamedLocks._hold_files", _no_locks)
    original, meddled = DeltaFiles._commit, []

    def commit(self: DeltaFiles, *args: object) -> bool:
        if not meddled:
            meddled.append(True)
            write()
        return original(self, *args)

    monkeypatch.setattr(DeltaFiles, "_commit", commit)


def test_a_writer_from_outside_is_seen_before_the_commit(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another tool, without our locks, replaces the unit between our plan and our commit."""
    store, foreign = DeltaBarStore(lake), DeltaBarStore(lake)
    put(store, grid(1.0, dataset=D1), D1)
    later = SESSIONS[2]
    theirs = bars({("msft", later, 0): 8.0}, D1)
    meddling(
        monkeypatch,
        lambda: foreign.replace(D1, theirs, sessions=(later, later), symbols=["msft"]),
    )
    day = SESSIONS[1]
    store.replace(D1, bars({("AAPL", day, 0): 9.0}, D1), sessions=(day, day), symbols=["AAPL"])
    got = store.scan(D1)
    assert got.filter(pl.col("close") == 8.0).height == 1
    assert got.filter(pl.col("close") == 9.0).height == 1
    assert got.height == 32 - 2


def test_a_condition_is_looked_at_until_the_commit(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, foreign = DeltaBarStore(lake), DeltaBarStore(lake)
    day = SESSIONS[1]
    slice_: dict[str, Any] = {"sessions": (day, day), "symbols": ["AAPL"]}
    put(store, grid(1.0, dataset=D1), D1)
    theirs, ours = (bars({("AAPL", day, 0): price}, D1) for price in (8.0, 9.0))
    meddling(monkeypatch, lambda: foreign.replace(D1, theirs, **slice_))
    with pytest.raises(SliceChangedError, match="read it again"):
        seen = store.version(D1, **slice_)
        store.replace(D1, ours, **slice_, unless_changed_since=seen)
    assert_frame_equal(store.scan(D1, **slice_), theirs)
    assert len(data_files(lake)) == 3  # two of the first write, one of theirs, none of ours


@pytest.mark.parametrize("minute", [DAY_BEFORE, DAY_BEFORE + 1])
def test_the_month_before_is_looked_at_until_the_commit(
    lake: Path, monkeypatch: pytest.MonkeyPatch, minute: int
) -> None:
    """It is no unit of the slice: a bar of it that is the slice's counts, any other does not."""
    store, foreign = DeltaBarStore(lake), DeltaBarStore(lake)
    january, february = SESSIONS[2:]
    theirs = bars({("AAPL", january, 0): 8.0})
    meddling(
        monkeypatch,
        lambda: foreign.replace(M1, theirs, sessions=(january, january), symbols=["AAPL"]),
    )
    ours = bars({("AAPL", february, minute): 9.0})
    refused = minute == DAY_BEFORE
    with pytest.raises(SessionConflictError) if refused else nullcontext():
        store.replace(M1, ours, sessions=(february, february), symbols=["AAPL"])
    assert store.scan(M1)["close"].to_list() == [8.0] if refused else [8.0, 9.0]


def test_a_commit_whose_answer_was_lost_keeps_its_files(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object store that answers a repeated conditional write says that somebody was first."""
    store = DeltaBarStore(lake)
    put(store, grid())
    real, lost = DeltaTable.create_write_transaction, 0

    def landing(self: DeltaTable, *args: Any, **how: Any) -> None:
        nonlocal lost
        real(self, *args, **how)
        if lost == 0:
            lost += 1
            raise CommitFailedError("412")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", landing)
    put(store, grid(7.0))
    assert lost == 1
    assert_frame_equal(DeltaBarStore(lake).scan(M1), grid(7.0).sort("symbol", "ts"))
    assert [v.operation for v in store.history(M1)] == ["replace", "replace", "CREATE TABLE"]


def test_threads_share_one_store(lake: Path) -> None:
    store = DeltaBarStore(lake)
    keys = [(symbol, day) for symbol in SYMBOLS for day in SESSIONS]

    def work(key: tuple[str, date]) -> int:
        symbol, day = key
        rows = bars({(symbol, day, 0): 1.0}, D1)
        store.replace(D1, rows, sessions=(day, day), symbols=[symbol])
        return store.scan(D1, symbols=[symbol], sessions=(day, day)).height

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, keys)) == [1] * len(keys)
    assert_frame_equal(store.scan(D1), bars(dict.fromkeys([(*k, 0) for k in keys], 1.0), D1))


def test_a_slice_that_never_settles_is_a_conflict(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeltaFiles, "_commit", lambda *_: False)
    monkeypatch.setattr("adapters.stores.delta_table._back_off", lambda _: None)
    with pytest.raises(StoreConflictError, match="curated/bars_1m"):
        put(DeltaBarStore(lake), grid())
    assert data_files(lake) == []


def test_a_column_that_came_later_is_null_in_older_files(lake: Path) -> None:
    store = DeltaBarStore(lake)
    put(store, grid(), D1)
    note = Column("note", pl.String(), "added later", nullable=True)
    wider = Dataset(D1.name, FrameSchema("wider", (*CURATED_BARS.columns, note)), D1.key, D1.layout)
    store = DeltaBarStore(lake)
    assert store.scan(wider)["note"].null_count() == 32
    day = SESSIONS[1]
    rows = bars({("AAPL", day, 0): 1.0}, D1).with_columns(note=pl.lit("hello"))
    store.replace(wider, rows, sessions=(day, day), symbols=["AAPL"])
    assert store.scan(wider)["note"].drop_nulls().to_list() == ["hello"]
    known = {column.name for column in DeltaFiles(lake, wider).opened().schema().fields}
    assert "note" in known


def test_many_commits_keep_the_log_short_to_read(lake: Path) -> None:
    store = DeltaBarStore(lake)
    for number in range(55):
        day = SESSIONS[1]
        rows = bars({("AAPL", day, 0): float(number)}, D1)
        store.replace(D1, rows, sessions=(day, day), symbols=["AAPL"])
    assert list((lake / D1.name / "_delta_log").glob("*.checkpoint.parquet"))
    assert DeltaBarStore(lake).scan(D1)["close"].to_list() == [54.0]


def test_another_tool_reads_the_same_rows(lake: Path) -> None:
    store = DeltaBarStore(lake)
    put(store, grid())
    foreign = pl.DataFrame(pl.from_arrow(DeltaFiles(lake, M1).opened().to_pyarrow_table()))
    got = foreign.select(M1.schema.conform(foreign).columns).sort("symbol", "ts")
    assert_frame_equal(M1.schema.conform(got), store.scan(M1))
    assert {"month", "bucket"} <= set(foreign.columns)


def test_buckets_are_the_same_for_ever() -> None:
    assert [bucket_of(symbol) for symbol in SYMBOLS] == [4, 3, 7, 3]


def test_every_row_lies_in_a_unit_of_its_slice() -> None:
    for layout in Layout:
        parts = split(layout, grid())
        named = units_of_slice(layout, (SESSIONS[0], SESSIONS[-1]), SYMBOLS)
        assert set(parts) <= set(named)
        assert sum(part.height for part in parts.values()) == 32
    assert units_of_slice(Layout.YEAR, (date(2023, 5, 1), date(2024, 1, 1)), []) == [
        "year=2023",
        "year=2024",
    ]


def _no_locks(*_: object) -> object:
    from contextlib import nullcontext

    return nullcontext()
