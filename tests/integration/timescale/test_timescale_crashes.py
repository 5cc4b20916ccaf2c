"""kill -9 in the middle of a write, or under a lock: nothing is half done, nothing stays held."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from adapters.operations import open_database
from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.locks import AdvisoryLocks
from market_data.errors import StoreConflictError, StoreUnavailableError
from tests.support.timescale_process import MINUTES, Worker, replace, rows, workers

FIRST, LAST = date(2024, 1, 30), date(2024, 2, 2)
SYMBOLS = ["AAPL", "EURUSD"]
SLICE = {"first": str(FIRST), "last": str(LAST), "symbols": SYMBOLS}
NAMES = ["curated/bars_1d 2024-01", "curated/bars_1d 2024-02"]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with workers(1) as started:
        yield started[0]


def put(store: TimescaleStore, value: float | None) -> pl.DataFrame:
    """Make the slice hold bars of one price, or none."""
    frame = MINUTES.schema.empty() if value is None else rows(value, FIRST, LAST, SYMBOLS)
    store.replace(MINUTES, frame, sessions=(FIRST, LAST), symbols=SYMBOLS)
    return frame


def wait_until_nothing_is_held(sql: psycopg.Connection[Any]) -> None:
    """Locks and transactions of the dead end with their connections, which takes a moment."""
    end = time.monotonic() + 5
    left: Any = None
    while left != (0, 0):
        assert time.monotonic() < end, f"(locks, transactions) left: {left}"
        left = sql.execute(
            "select (select count(*) from pg_locks where locktype = 'advisory' and database = "
            "(select oid from pg_database where datname = current_database())), (select count(*) "
            "from pg_stat_activity where datname = current_database() and state like '%in trans%')"
        ).fetchone()


@pytest.mark.parametrize("before", [None, 1.0], ids=["empty", "filled"])
def test_every_boundary_of_a_write_is_a_safe_place_to_die(
    store: TimescaleStore,
    sql: psycopg.Connection[Any],
    worker: Worker,
    timescale_url: str,
    before: float | None,
):
    old, new = put(store, before), rows(2.0, FIRST, LAST, SYMBOLS)
    boundaries = replace(timescale_url, 2.0, **SLICE)
    assert boundaries >= 8, "a write has fewer boundaries than statements: is it still watched?"
    ends = []
    for die_at in range(1, boundaries + 1):
        put(store, before)
        version = store.version(MINUTES)
        status = worker.do("replace_and_die", url=timescale_url, value=2.0, die_at=die_at, **SLICE)
        assert status == -signal.SIGKILL
        wait_until_nothing_is_held(sql)
        found = store.scan(MINUTES)
        written = found.equals(new)
        ends.append(written)
        assert_frame_equal(found, new if written else old)
        assert (store.version(MINUTES) != version) == written
        # The same again, and the old rows again: neither may be taken for what is there.
        assert_frame_equal(put(store, 2.0), store.scan(MINUTES))
        assert_frame_equal(put(store, before), store.scan(MINUTES))
    # All or nothing, and all with the commit: before the last boundary.
    assert ends == [False] * (boundaries - 1) + [True]


def test_a_crash_that_wrote_rows_and_lost_the_receipt_is_mended(
    store: TimescaleStore, sql: psycopg.Connection[Any]
):
    """As after rows were changed by hand, or restored without the writer's books."""
    put(store, 1.0)
    sql.execute("update curated.bars_1m set close = 9 where symbol = 'AAPL'")
    sql.execute("delete from emp.receipts")
    assert_frame_equal(put(store, 1.0), store.scan(MINUTES))


def test_locks_of_a_process_that_died_are_free_at_once(postgres_url: str):
    engine = open_database(postgres_url)
    with workers(1) as (holder,):
        holder.do("hold", url=postgres_url, names=NAMES)
        with (
            pytest.raises(StoreConflictError, match="another process holds"),
            AdvisoryLocks(engine, timeout=0.2).hold(NAMES[1:]),
        ):
            pytest.fail("both hold the lock")
        holder.kill()
        began = time.monotonic()
        with AdvisoryLocks(engine, timeout=60).hold(NAMES):
            assert time.monotonic() - began < 10
    # The transaction that gave up its waiting left nothing behind either.
    with engine.connect() as connection:
        held = connection.exec_driver_sql(
            "select count(*) from pg_locks where locktype='advisory' and "
            "database = (select oid from pg_database where datname = current_database())"
        )
        assert held.scalar() == 0
    engine.dispose()


def test_a_lost_lock_is_told(postgres_url: str):
    engine = open_database(postgres_url)
    with (
        pytest.raises(StoreUnavailableError, match="lost while it held locks"),
        AdvisoryLocks(engine).hold(NAMES),
        psycopg.connect(postgres_url, autocommit=True) as admin,
    ):
        admin.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' "
            "and database = (select oid from pg_database where datname = current_database())"
        )
    with AdvisoryLocks(engine, timeout=1).hold(NAMES):
        pass
    engine.dispose()
