"""Too few connections, too slow a statement, a process that forks: clear errors, and recovery."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from polars.testing import assert_frame_equal

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.settings import TimescaleSettings
from market_data.errors import StoreUnavailableError
from tests.support.timescale_process import MINUTES, rows

ROOT = Path(__file__).resolve().parents[3]
FIRST, LAST = date(2024, 2, 1), date(2024, 2, 2)
ROWS = rows(1.0, FIRST, LAST, ["AAPL", "MSFT"])

Borrow = Callable[[Connections], AbstractContextManager[Any]]
KINDS: dict[str, Borrow] = {
    "reader": lambda c: c.arrow(writing=False),
    "writer": lambda c: c.arrow(writing=True),
    "small": lambda c: c.small(),
}


@pytest.fixture(autouse=True)
def filled(store: TimescaleStore) -> None:
    store.replace(MINUTES, ROWS, sessions=(FIRST, LAST), symbols=["AAPL", "MSFT"])


@pytest.fixture
def tight(timescale_url: str) -> Iterator[Connections]:
    """One connection of each kind, and little patience."""
    opened = Connections(
        TimescaleSettings(url=timescale_url, pool_size=1, max_overflow=0, pool_timeout=0.3)
    )
    yield opened
    opened.close()


@pytest.mark.parametrize("borrow", KINDS.values(), ids=KINDS)
def test_a_pool_without_a_free_connection_says_which_setting_to_raise(
    tight: Connections, borrow: Borrow
):
    with borrow(tight):
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError) as told, borrow(tight):
            pytest.fail("there is but one")
        assert 0.25 < time.monotonic() - began < 10
    for name in ("POOL_TIMEOUT (0.3 s)", "POOL_SIZE (now 1)", "MAX_OVERFLOW (now 0)"):
        assert f"TIMESCALEDB_{name}" in str(told.value)
    with borrow(tight) as again:
        assert again.execute("select 1") is not False


def test_a_store_without_a_free_connection_does_not_wait_for_the_server(tight: Connections):
    store = TimescaleStore(tight)
    with tight.arrow(writing=False):
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="TIMESCALEDB_POOL_SIZE"):
            store.scan(MINUTES)
        assert time.monotonic() - began < 10
    assert_frame_equal(store.scan(MINUTES), ROWS)


def test_threads_take_turns_and_errors_cost_no_connection(timescale_url: str):
    connections = Connections(TimescaleSettings(url=timescale_url, pool_size=1, max_overflow=1))

    def work(number: int) -> bool:
        if number % 3 == 0:
            with pytest.raises(ZeroDivisionError), connections.arrow(writing=False):
                raise ZeroDivisionError
        return TimescaleStore(connections).scan(MINUTES).equals(ROWS)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(32)))
    connections.close()


def test_a_server_without_a_free_connection_says_so(
    timescale_url: str, sql: psycopg.Connection[Any]
):
    role, host = f"test_{uuid.uuid4().hex[:16]}", timescale_url.rpartition("@")[2]
    sql.execute(f"create role {role} login password 'few' connection limit 0")
    try:
        settings = TimescaleSettings(url=f"postgresql://{role}:few@{host}", retry_seconds=0)
        with pytest.raises(StoreUnavailableError, match="lower TIMESCALEDB_POOL_SIZE"):
            TimescaleStore(Connections(settings)).scan(MINUTES)
    finally:
        sql.execute(f"drop role {role}")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("read", ["scan", "latest", "version"])
def test_a_read_that_takes_too_long_names_the_limit(
    timescale_url: str, sql: psycopg.Connection[Any], read: str
):
    connections = Connections(TimescaleSettings(url=timescale_url, statement_timeout_ms=150))
    store = TimescaleStore(connections)
    with sql.transaction():
        sql.execute("lock table curated.bars_1m, emp.months in access exclusive mode")
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError, match=r"TIMESCALEDB_STATEMENT_TIMEOUT_MS \(150"):
            getattr(store, read)(MINUTES)
        assert time.monotonic() - began < 10
    assert_frame_equal(store.scan(MINUTES), ROWS)
    assert store.latest(MINUTES, rows=9).height == ROWS.height
    assert store.version(MINUTES)
    connections.close()


def test_a_writer_has_no_limit(timescale_url: str, sql: psycopg.Connection[Any]):
    connections = Connections(TimescaleSettings(url=timescale_url, statement_timeout_ms=50))
    store = TimescaleStore(connections)
    changed = rows(2.0, FIRST, LAST, ["AAPL", "MSFT"])
    with sql.transaction():
        sql.execute("lock table curated.bars_1m in access exclusive mode")
        writer = threading.Thread(
            target=store.replace,
            args=(MINUTES, changed),
            kwargs={"sessions": (FIRST, LAST), "symbols": ["AAPL", "MSFT"]},
        )
        writer.start()
        writer.join(0.4)
        assert writer.is_alive()
    writer.join(20)
    assert_frame_equal(store.scan(MINUTES), changed)
    connections.close()


@pytest.mark.parametrize("pings", [True, False])
@pytest.mark.parametrize("borrow", KINDS.values(), ids=KINDS)
def test_a_connection_that_broke_meanwhile_is_not_handed_out(
    timescale_url: str, sql: psycopg.Connection[Any], borrow: Borrow, pings: bool
):
    settings = TimescaleSettings(url=timescale_url, retry_seconds=0, pool_pre_ping=pings)
    connections = Connections(settings)
    with borrow(connections):
        pass
    sql.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    if pings:
        with borrow(connections) as found:
            found.execute("select 1")
    else:
        with pytest.raises(StoreUnavailableError, match="no connection"), borrow(connections) as it:
            it.execute("select 1")
            it.fetchall()
    connections.close()


def test_connections_stay_in_their_process(timescale_url: str):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.support.timescale_forks", timescale_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    right = [ROWS.height, True]
    assert "UnsupportedOperationError" in told["forked"]
    assert 'get_context("spawn")' in told["forked"]
    assert told["opened in a spawned one"] == right
    assert "cannot be sent to another process" in told["sent to a spawned one"]
    assert told["ended in order"] == 0
    # The parent has noticed nothing.
    assert (told["before"], told["after"], told["same connections"]) == (right, right, True)


def test_a_dead_client_is_noticed_within_a_minute(connections: Connections):
    with connections.arrow(writing=True) as cursor:
        cursor.execute(
            "select current_setting('tcp_keepalives_idle')::int + "
            "current_setting('tcp_keepalives_interval')::int * "
            "current_setting('tcp_keepalives_count')::int"
        )
        assert cursor.fetchone()[0] <= 60
