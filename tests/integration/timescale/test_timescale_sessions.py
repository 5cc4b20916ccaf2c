"""Whatever server, database and role default to, the platform's sessions do what they must."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from psycopg import sql

from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.timescale import migration, writing
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_connections, open_reference_tables, open_store
from adapters.timescale.settings import TimescaleSettings
from tests.support.servers import do_without, new_database, server_url
from tests.support.timescale_process import MINUTES, rows

FIRST, LAST = date(2024, 1, 30), date(2024, 2, 2)
ISOLATION = ("repeatable read", "serializable")
# What a database may default to, and what the platform's sessions have.
CONTRARY = {
    "default_transaction_isolation": ("serializable", "read committed"),
    "timezone": ("America/Asuncion", "UTC"),
    "quote_all_identifiers": ("on", "off"),
    "client_encoding": ("LATIN1", "UTF8"),
    "jit": ("on", "off"),
    "random_page_cost": ("4", "1.1"),
    "synchronous_commit": ("off", "on"),
    "tcp_keepalives_idle": ("7000", "30"),
}
Tell = Callable[[TimescaleSettings, str], str]


def default(url: str, **settings: str) -> None:
    """Let new sessions of a database have other settings."""
    name = sql.Identifier(url.rpartition("/")[2])
    with psycopg.connect(url, autocommit=True) as admin:
        for setting, value in settings.items():
            admin.execute(
                sql.SQL("alter database {} set {} = {}").format(
                    name, sql.Identifier(setting), value
                )
            )


@contextmanager
def opened(url: str, **settings: Any) -> Iterator[Connections]:
    connections = open_connections(TimescaleSettings(url=url, **settings))
    yield connections
    connections.close()


@pytest.fixture(scope="module")
def contrary_url() -> Iterator[str]:
    """A migrated database whose defaults are as bad as they get."""
    with new_database(server_url("TIMESCALEDB_URL"), extension="timescaledb") as url:
        default(url, **{name: contrary for name, (contrary, _) in CONTRARY.items()})
        with opened(url):
            yield url


def of_arrow(writing: bool) -> Tell:
    def told(settings: TimescaleSettings, name: str) -> str:
        connections = Connections(settings)
        with connections.arrow(writing=writing) as cursor:
            cursor.execute("select current_setting($1)", (name,))
            found = str(cursor.fetchone()[0])
        connections.close()
        return found

    return told


def of_small(settings: TimescaleSettings, name: str) -> str:
    connections = Connections(settings)
    with connections.small() as connection:
        found = connection.execute("select current_setting(%s)", [name]).fetchone()
    connections.close()
    assert found
    return str(found[0])


def of_migration(settings: TimescaleSettings, name: str) -> str:
    engine = migration._engine(settings.conninfo())
    with engine.connect() as connection:
        return str(connection.exec_driver_sql("select current_setting(%s)", (name,)).scalar())


KINDS: dict[str, Tell] = {
    "reader": of_arrow(writing=False),
    "writer": of_arrow(writing=True),
    "small": of_small,
    "migration": of_migration,
}
EVERY_KIND = pytest.mark.parametrize("told", KINDS.values(), ids=KINDS)


@EVERY_KIND
@pytest.mark.parametrize("name", CONTRARY)
def test_a_session_has_its_own_settings(contrary_url: str, told: Tell, name: str):
    with psycopg.connect(contrary_url) as plain:
        found = plain.execute("select current_setting(%s)", [name]).fetchone()
    assert found == (CONTRARY[name][0],), "the database does not default to the contrary"
    settings = TimescaleSettings(url=contrary_url)
    assert told(settings, name) == CONTRARY[name][1]
    if name == "default_transaction_isolation":
        assert told(settings, "transaction_isolation") == CONTRARY[name][1]


@EVERY_KIND
@pytest.mark.parametrize("promised", ["local", "remote_write", "remote_apply"])
def test_a_server_that_promises_something_else_keeps_to_it(
    empty_timescale_url: str, told: Tell, promised: str
):
    default(empty_timescale_url, synchronous_commit=promised)
    assert told(TimescaleSettings(url=empty_timescale_url), "synchronous_commit") == promised


@EVERY_KIND
def test_options_of_the_url_hold_beside_the_platforms_own(contrary_url: str, told: Tell):
    options = quote("-c work_mem=9MB -c jit=on -c search_path=a+b")
    settings = TimescaleSettings(url=f"{contrary_url}?options={options}&client_encoding=LATIN1")
    found = [told(settings, n) for n in ("work_mem", "jit", "search_path", "client_encoding")]
    assert found == ["9MB", "off", "a+b", "UTF8"]


def test_rows_come_back_as_they_were_whatever_the_defaults(contrary_url: str):
    frame = rows(1.0, date(2017, 9, 29), date(2017, 10, 2), ["Ω", "É'", "A\\"])
    slice_ = {"sessions": (date(2017, 1, 1), date(2017, 12, 31)), "symbols": ["Ω", "É'", "A\\"]}
    with opened(contrary_url) as connections:
        store, tables = open_store(connections), open_reference_tables(connections)
        for wanted in (frame, frame.with_columns(close=1.5), frame.head(3), frame.clear(), frame):
            store.replace(MINUTES, wanted, **slice_)
            assert_frame_equal(store.scan(MINUTES), wanted.sort("symbol", "ts"))
        assert_frame_equal(store.latest(MINUTES, symbols=["Ω"], rows=9), rows_of(frame, "Ω"))
        names = pl.DataFrame({"symbol": ["Ω", "Ж"], "number": [1, 2]})
        assert tables.put("reference/instruments", names)
        assert_frame_equal(tables.get("reference/instruments"), names)
        assert not tables.put("reference/instruments", names)


def rows_of(frame: pl.DataFrame, symbol: str) -> pl.DataFrame:
    return frame.filter(symbol=symbol).sort("ts")


@pytest.mark.parametrize("isolation", ISOLATION)
def test_a_receipt_vouches_for_what_is_there_whatever_the_isolation(
    empty_timescale_url: str, monkeypatch: pytest.MonkeyPatch, isolation: str
):
    """A writer that waited for another must compare with what the other has written."""
    default(empty_timescale_url, default_transaction_isolation=isolation)
    old, new = rows(1.0, FIRST, LAST, ["A"]), rows(2.0, FIRST, FIRST, ["A"])
    signing, go_on, sign = threading.Event(), threading.Event(), writing._sign

    def slowly(*arguments: Any) -> None:
        sign(*arguments)
        if not signing.is_set():
            signing.set()
            assert go_on.wait(20)

    with opened(empty_timescale_url) as connections, ThreadPoolExecutor(2) as threads:
        store = open_store(connections)
        for day in old["session"].unique().sort():
            # Each by itself: the whole of them has no receipt yet.
            store.replace(MINUTES, old.filter(session=day), sessions=(day, day), symbols=["A"])
        monkeypatch.setattr(writing, "_sign", slowly)
        one = threads.submit(store.replace, MINUTES, new, sessions=(FIRST, FIRST), symbols=["A"])
        assert signing.wait(20)
        other = threads.submit(store.replace, MINUTES, old, sessions=(FIRST, LAST), symbols=["A"])
        wait_for_a_waiter(empty_timescale_url)
        go_on.set()
        assert (one.result(20), other.result(20)) == (1, old.height)
        assert_frame_equal(store.scan(MINUTES), old)
        store.replace(MINUTES, old, sessions=(FIRST, LAST), symbols=["A"])
        assert_frame_equal(store.scan(MINUTES), old)


def wait_for_a_waiter(url: str) -> None:
    waits = (
        "select 1 from pg_locks where locktype = 'advisory' and not granted and database = "
        "(select oid from pg_database where datname = current_database())"
    )
    end = time.monotonic() + 20
    with psycopg.connect(url, autocommit=True) as admin:
        while admin.execute(waits).fetchone() is None:
            assert time.monotonic() < end, "nobody waits"
            time.sleep(0.02)


@pytest.mark.parametrize("isolation", ISOLATION)
def test_many_may_migrate_at_once_whatever_the_isolation(empty_timescale_url: str, isolation: str):
    default(empty_timescale_url, default_transaction_isolation=isolation)
    settings = TimescaleSettings(url=empty_timescale_url)
    with (
        psycopg.connect(empty_timescale_url) as admin,
        ThreadPoolExecutor(2) as threads,
    ):
        admin.execute(migration._LOCK.text)
        both = [threads.submit(migration.migrate, settings.conninfo()) for _ in range(2)]
        wait_for_a_waiter(empty_timescale_url)
        time.sleep(0.3)
        admin.rollback()
        for one in both:
            one.result(60)
    assert migration.is_current(settings.conninfo())


@pytest.fixture
def icu_url() -> Iterator[str]:
    """A database that sorts texts as English readers do."""
    with new_database(server_url("TIMESCALEDB_URL")) as other:
        name = sql.Identifier(f"{other.rpartition('/')[2]}_icu")
        with psycopg.connect(other, autocommit=True) as admin:
            try:
                admin.execute(
                    sql.SQL(
                        "create database {} template template0 locale_provider icu "
                        "icu_locale 'en-US' locale 'C.UTF-8'"
                    ).format(name)
                )
            except psycopg.errors.FeatureNotSupported:
                do_without("TimescaleDB's server has no ICU")
            try:
                yield f"{other}_icu"
            finally:
                admin.execute(sql.SQL("drop database {} with (force)").format(name))


def test_order_is_that_of_bytes_whatever_the_collation(icu_url: str, tmp_path: Path):
    with psycopg.connect(icu_url) as admin:
        found = admin.execute("select 'b' < 'B' and 'é' < 'z' and '_' < 'A'").fetchone()
    assert found == (True,), "this collation sorts as bytes do"
    symbols = ["b", "B", "a", "A", "_", "Ω", "é", "e\u0301", "ss", "ß", "Z", "a-b", "ab"]
    frame = rows(1.0, FIRST, LAST, symbols, each=2)
    theirs = DeltaBarStore(tmp_path)
    with opened(icu_url) as connections:
        ours = open_store(connections)
        for store in (ours, theirs):
            store.replace(MINUTES, frame, sessions=(FIRST, LAST), symbols=symbols)
        for read in (
            lambda s: s.scan(MINUTES),
            lambda s: s.scan(MINUTES, symbols=["ß", "é", "b", "A"]),
            lambda s: s.latest(MINUTES),
            lambda s: s.latest(MINUTES, symbols=["Z", "a", "_"], rows=3),
            lambda s: s.counts(MINUTES),
        ):
            assert_frame_equal(read(ours), read(theirs))
