"""Copies of a database know the same revisions: a token, and a shared cache, tells them apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from adapters.cache.settings import RedisSettings
from adapters.stores.opening import open_timescale
from adapters.timescale.factory import open_connections, open_store
from adapters.timescale.settings import TimescaleSettings
from market_data.ports import BarStore
from tests.support.servers import server_url
from tests.support.timescale_process import MINUTES, rows

DAY = date(2024, 1, 2)


def put(store: BarStore, value: float) -> None:
    frame = rows(value, DAY, DAY, ["A"])
    store.replace(MINUTES, frame, sessions=(DAY, DAY), symbols=["A"])


def token(url: str) -> str:
    connections = open_connections(TimescaleSettings(url=url))
    found = open_store(connections).version(MINUTES)
    connections.close()
    return found


@pytest.fixture
def admin() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(server_url("TIMESCALEDB_URL"), autocommit=True) as connection:
        yield connection


def name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def copy(admin: psycopg.Connection[Any], url: str) -> str:
    """A copy of a database beside it, as a dump or a template makes one."""
    name, other = sql.Identifier(name_of(url)), sql.Identifier(f"{name_of(url)}_copy")
    # The extension's own workers would come again.
    admin.execute(sql.SQL("alter database {} allow_connections false").format(name))
    admin.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s",
        [name_of(url)],
    )
    admin.execute(sql.SQL("create database {} template {}").format(other, name))
    admin.execute(sql.SQL("alter database {} allow_connections true").format(name))
    return f"{url}_copy"


def drop(admin: psycopg.Connection[Any], url: str) -> None:
    admin.execute(
        sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name_of(url)))
    )


def test_copies_that_share_a_cache_never_tell_each_others_rows(
    empty_timescale_url: str, empty_redis_url: str, admin: psycopg.Connection[Any]
):
    def store(url: str) -> Any:
        return open_timescale(TimescaleSettings(url=url), RedisSettings(url=empty_redis_url))

    def close(one: Any) -> None:
        one.uncached.opened._connections.close()

    ours = store(empty_timescale_url)
    put(ours, 1.0)
    close(ours)
    other = copy(admin, empty_timescale_url)
    try:
        theirs = store(other)
        # Both go on from the same revision, each in its own way.
        put(ours, 2.0)
        put(theirs, 3.0)
        for _ in range(2):
            assert ours.scan(MINUTES)["close"].to_list() == [2.0]
            assert theirs.scan(MINUTES)["close"].to_list() == [3.0]
        close(ours)
        close(theirs)
    finally:
        drop(admin, other)


def test_a_copy_in_the_place_of_the_database_has_another_token(
    empty_timescale_url: str, admin: psycopg.Connection[Any]
):
    before = token(empty_timescale_url)
    other = copy(admin, empty_timescale_url)
    try:
        drop(admin, empty_timescale_url)
        admin.execute(
            sql.SQL("alter database {} rename to {}").format(
                sql.Identifier(name_of(other)), sql.Identifier(name_of(empty_timescale_url))
            )
        )
        assert token(empty_timescale_url) != before
    finally:
        drop(admin, other)


def test_a_copy_of_the_whole_server_has_another_token(empty_timescale_url: str):
    """It has the same numbers of databases, but lies elsewhere."""
    before = token(empty_timescale_url)
    parts = urlsplit(empty_timescale_url)
    login = parts.netloc.rpartition("@")[0]
    for netloc in (f"{login}@localhost:{parts.port}", f"{login}@127.0.0.1:{parts.port}"):
        url = parts._replace(netloc=netloc).geturl()
        assert (token(url) == before) == (url == empty_timescale_url)
    assert all(secret not in before for secret in (parts.password, login) if secret)


def test_a_store_with_a_new_name_has_another_token(empty_timescale_url: str):
    before = token(empty_timescale_url)
    assert token(empty_timescale_url) == before
    with psycopg.connect(empty_timescale_url) as connection:
        connection.execute("update emp.identity set store = gen_random_uuid()")
    after = token(empty_timescale_url)
    assert after != before
    with psycopg.connect(empty_timescale_url) as connection:
        connection.execute("delete from emp.identity")
    assert token(empty_timescale_url) not in (before, after, "")
