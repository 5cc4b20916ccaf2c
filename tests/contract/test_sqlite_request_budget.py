"""SqliteRequestStore keeps the promises of a place that counts requests, and those of a file."""

from __future__ import annotations

import os
import sqlite3
import time as clock
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest
from request_budget_suite import MINUTE, START, Machine, NewStore, RequestBudgetSuite, took, wait_of
from request_way_suite import RequestWaySuite

from adapters.requests.shared_time import Mark, Reading, instant, machine_reading
from adapters.requests.sqlite_store import SqliteRequestStore
from adapters.requests.store import RequestStore
from market_data.errors import StorageError
from market_data.ports import Claim
from market_data.requests.breaker import SECOND, Breaker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "operations" / "requests.sqlite"


@pytest.fixture
def time() -> Machine:
    return Machine()


@pytest.fixture
def new_store(path: Path, time: Machine) -> Iterator[NewStore]:
    opened: list[SqliteRequestStore] = []

    def new() -> RequestStore:
        opened.append(SqliteRequestStore(path, time.read))
        return opened[-1]

    yield new
    for store in opened:
        store.close()


class TestSqliteRequestStore(RequestBudgetSuite, RequestWaySuite):
    def entries(self, store: RequestStore) -> int:
        assert isinstance(store, SqliteRequestStore)
        with sqlite3.connect(store._path) as connection:
            found: int = connection.execute("select count(*) from grants").fetchone()[0]
        return found

    def clear(self, store: RequestStore) -> None:
        assert isinstance(store, SqliteRequestStore)
        store.standing("vendor")
        if store._path.exists():
            with sqlite3.connect(store._path) as connection:
                connection.execute("delete from grants")


def test_a_wall_clock_set_forward_frees_nothing_on_the_same_boot(
    new_store: NewStore, time: Machine
) -> None:
    store = new_store()
    assert all(took(store, Claim(MINUTE)) for _ in range(5))
    time.passes(10)
    time.is_set(365 * 86_400)
    assert wait_of(store, Claim(MINUTE)) == 50
    time.passes(50)
    assert took(store, Claim(MINUTE))


def test_a_restart_of_the_machine_keeps_what_was_used(new_store: NewStore, time: Machine) -> None:
    store = new_store()
    assert all(took(store, Claim(MINUTE)) for _ in range(5))
    time.passes(20)
    time.restarts()
    assert wait_of(new_store(), Claim(MINUTE)) == 40
    time.passes(40)
    assert took(store, Claim(MINUTE))


def test_a_machine_that_forgets_the_date_when_it_restarts(
    new_store: NewStore, time: Machine
) -> None:
    store = new_store()
    assert all(took(store, Claim(MINUTE)) for _ in range(5))
    time.restarts()
    time.wall = 0
    assert wait_of(store, Claim(MINUTE)) == 60
    time.passes(5)
    time.is_set(START / SECOND)
    assert wait_of(store, Claim(MINUTE)) == 55
    time.passes(55)
    assert took(store, Claim(MINUTE))


def test_without_a_steady_clock_the_wall_clock_counts(new_store: NewStore, time: Machine) -> None:
    time.has_steady = False
    store = new_store()
    assert all(took(store, Claim(MINUTE)) for _ in range(5))
    time.passes(10)
    time.is_set(-3600)
    assert wait_of(store, Claim(MINUTE)) == 60
    time.passes(59)
    assert wait_of(store, Claim(MINUTE)) == 1
    time.passes(1)
    assert took(store, Claim(MINUTE))


def test_without_a_steady_clock_a_wall_clock_put_right_frees_nothing(
    new_store: NewStore, time: Machine
) -> None:
    time.has_steady = False
    store = new_store()
    assert all(took(store, Claim(MINUTE)) for _ in range(5))
    time.is_set(-3600)
    time.passes(5)
    assert not took(store, Claim(MINUTE))
    time.passes(5)
    assert not took(store, Claim(MINUTE))
    time.is_set(3600)
    assert wait_of(new_store(), Claim(MINUTE)) == 50
    time.passes(50)
    assert took(store, Claim(MINUTE))


def test_the_shared_clock_of_readings() -> None:
    seen = Mark(100, Reading(1_000, 50, "a"))
    assert instant(None, Reading(7)) == 7
    assert instant(seen, Reading(9_999, 53, "a")) == 103
    assert instant(seen, Reading(1_002, 53, "b")) == 102
    assert instant(seen, Reading(1_002, None, "a")) == 102
    assert instant(seen, Reading(1_002, 49, "a")) == 102
    assert instant(seen, Reading(998, 49, "b")) == 100


def test_this_machine_has_a_clock_that_goes_on() -> None:
    first = machine_reading()
    clock.sleep(0.01)
    second = machine_reading()
    assert abs(second.wall - clock.time_ns() // 1_000) < SECOND
    assert second.boot == first.boot
    if first.steady is not None and second.steady is not None:
        assert 10_000 <= second.steady - first.steady < SECOND


def test_looking_makes_no_file(path: Path) -> None:
    store = SqliteRequestStore(path)
    assert store.look("vendor").uses == ()
    assert store.standing("vendor").breaker == Breaker()
    assert not path.parent.exists()


def test_a_child_process_opens_the_file_anew(new_store: NewStore) -> None:
    store = new_store()
    assert took(store, Claim(MINUTE))
    child = os.fork()
    if not child:
        os._exit(0 if all(took(store, Claim(MINUTE)) for _ in range(3)) else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert took(store, Claim(MINUTE))
    assert not took(store, Claim(MINUTE))


def test_a_process_killed_within_its_transaction_blocks_nobody(
    new_store: NewStore, path: Path
) -> None:
    store = new_store()
    assert took(store, Claim(MINUTE))
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("begin immediate")
        connection.execute("delete from grants")
        os.write(writing, b"x")
        clock.sleep(60)
    os.read(reading, 1)
    os.kill(child, 9)
    os.waitpid(child, 0)
    started = clock.monotonic()
    assert all(took(store, Claim(MINUTE)) for _ in range(4))
    assert not took(store, Claim(MINUTE))
    assert clock.monotonic() - started < 5


def test_a_damaged_file_is_told_with_its_cure(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(
        StorageError, match=r"requests\.sqlite cannot be used .* move the file away"
    ):
        SqliteRequestStore(path).take("vendor", [Claim(MINUTE)])


def test_a_folder_that_cannot_be_written_lets_no_request_pass(tmp_path: Path) -> None:
    (tmp_path / "operations").write_text("a file where a folder should be")
    with pytest.raises(StorageError, match="operations"):
        SqliteRequestStore(tmp_path / "operations" / "requests.sqlite").take(
            "vendor", [Claim(MINUTE)]
        )


def test_whoever_holds_the_file_for_long_is_told_of(
    new_store: NewStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.requests.sqlite_store.BUSY_SECONDS", 0.1)
    store = new_store()
    assert took(store, Claim(MINUTE))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("begin immediate")
    with pytest.raises(StorageError, match="another program has held"):
        store.take("vendor", [Claim(MINUTE)])
    holder.execute("rollback")
    holder.close()
    assert took(store, Claim(MINUTE))


def test_processes_that_make_the_file_at_once(tmp_path: Path) -> None:
    for number in range(12):
        path = tmp_path / str(number) / "requests.sqlite"
        ready, children = get_context("fork").Barrier(8), []
        for _ in range(8):
            child = os.fork()
            if not child:
                ready.wait(10)
                try:
                    os._exit(0 if took(SqliteRequestStore(path), Claim(MINUTE)) else 1)
                except StorageError:
                    os._exit(2)
            children.append(child)
        ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert sorted(ended) == [0] * 5 + [1] * 3
