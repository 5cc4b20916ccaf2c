"""Real servers for tests: shared ones by the variables of production, private ones to break.

What belongs here: fixtures that hand out an empty database or namespace of a running server, or a
server that the test alone uses; what happens where there is none. What does not: how a server is
started (docker/services).

A test that lacks its server is skipped, and the end of the run says so; with
EMP_TEST_REQUIRE_SERVICES=1 it fails. Shared servers are for tests that change nothing but their own
data; whoever stops a server or changes its settings takes a private one.
"""

from __future__ import annotations

import os
import re
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "docker"))

from services import KafkaBroker, PostgresServer, RedisServer, Server, TimescaleServer

REQUIRED = "EMP_TEST_REQUIRE_SERVICES"
CURE = "'make services' starts the servers and prints the variables to set"
_LACKING = re.compile(r"no server for this test: (.+?); ")
_CLAIM_SECONDS = 3600
Kind = TypeVar("Kind", bound=Server)


# Databases and namespaces on the shared servers.


@pytest.fixture(scope="module")
def timescale_url() -> Iterator[str]:
    """URL of a TimescaleDB database of this test module, with the extension and nothing else."""
    with new_database(server_url("TIMESCALEDB_URL"), extension="timescaledb") as url:
        yield url


@pytest.fixture
def empty_timescale_url() -> Iterator[str]:
    """URL of a TimescaleDB database of this test, with the extension and nothing else."""
    with new_database(server_url("TIMESCALEDB_URL"), extension="timescaledb") as url:
        yield url


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """URL of an empty PostgreSQL database of this test module."""
    with new_database(server_url("EMP_OPERATIONS_URL")) as url:
        yield url


@pytest.fixture
def empty_postgres_url() -> Iterator[str]:
    """URL of an empty PostgreSQL database of this test."""
    with new_database(server_url("EMP_OPERATIONS_URL")) as url:
        yield url


@pytest.fixture(scope="session")
def _migrated_database() -> Iterator[str]:
    """Name of an operations database without rows on the PostgreSQL server, to be copied."""
    from adapters.operations import open_database

    with new_database(server_url("EMP_OPERATIONS_URL")) as url:
        # Nobody may be connected to what is copied.
        open_database(url).dispose()
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def operations_postgres_url(_migrated_database: str) -> Iterator[str]:
    """URL of an operations database of this test on PostgreSQL, migrated and without rows."""
    with new_database(server_url("EMP_OPERATIONS_URL"), template=_migrated_database) as url:
        yield url


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """URL of an empty Redis database of this test module."""
    with claimed_redis(server_url("REDIS_URL")) as url:
        yield url


@pytest.fixture
def empty_redis_url() -> Iterator[str]:
    """URL of an empty Redis database of this test."""
    with claimed_redis(server_url("REDIS_URL")) as url:
        yield url


@pytest.fixture(scope="session")
def kafka_bootstrap() -> str:
    """Address of the shared Kafka broker; topics and groups begin with `kafka_prefix`."""
    return server_url("KAFKA_BOOTSTRAP_SERVERS")


@pytest.fixture(scope="module")
def kafka_prefix(kafka_bootstrap: str) -> Iterator[str]:
    """What the names of this test module's topics and groups begin with; removed at its end."""
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    yield prefix
    _remove_from_kafka(kafka_bootstrap, prefix)


# Servers of one test, to stop, kill and restart.


@pytest.fixture
def private_timescale() -> Iterator[TimescaleServer]:
    """A running TimescaleDB server that this test has for itself."""
    with private_server(TimescaleServer) as server:
        yield server


@pytest.fixture
def private_postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL server that this test has for itself."""
    with private_server(PostgresServer) as server:
        yield server


@pytest.fixture
def private_redis() -> Iterator[RedisServer]:
    """A running Redis server that this test has for itself."""
    with private_server(RedisServer) as server:
        yield server


@pytest.fixture
def private_kafka() -> Iterator[KafkaBroker]:
    """A running Kafka broker that this test has for itself."""
    with private_server(KafkaBroker) as server:
        yield server


# The same for a test's own scope.


def server_url(variable: str) -> str:
    """The address of a shared server; skips or fails the test where the variable is not set."""
    url = os.environ.get(variable, "").strip()
    if not url:
        do_without(f"{variable} is not set")
    return url


@contextmanager
def private_server(kind: type[Kind]) -> Iterator[Kind]:
    """A running server of a kind; skips or fails the test where it is not installed."""
    lacking = kind.lacking()
    if lacking:
        do_without(lacking.replace(";", ","))
    with kind.private() as server:
        yield server


@contextmanager
def new_database(
    url: str, *, extension: str | None = None, template: str = "template0"
) -> Iterator[str]:
    """A new database on the server of a URL, dropped at the end, whoever is connected to it.

    Nobody can be connected to template0, as workers of an extension are to template1 at times.
    """
    import psycopg
    from psycopg import sql

    name = f"test_{uuid.uuid4().hex[:16]}"
    # SQLAlchemy's way to name a driver is not known to the driver.
    admin = re.sub(r"^(postgres(?:ql)?)\+\w+:", r"\1:", url)
    with psycopg.connect(admin, autocommit=True) as connection:
        words = sql.SQL("create database {} template {}")
        connection.execute(words.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        if extension:
            with psycopg.connect(_on_database(admin, name), autocommit=True) as connection:
                connection.execute(
                    sql.SQL("create extension if not exists {}").format(sql.Identifier(extension))
                )
        yield _on_database(url, name)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
            )


@contextmanager
def claimed_redis(url: str) -> Iterator[str]:
    """An empty database of a Redis server, emptied at the end.

    Only databases that are empty and that no other worker has claimed are taken: the server may be
    somebody's own.
    """
    from redis import Redis

    with Redis.from_url(_on_database(url, "0")) as admin:
        count = int(admin.config_get("databases")["databases"])
        number = next((n for n in range(1, count) if _claim(admin, url, n)), None)
        if number is None:
            pytest.fail(f"none of the {count} Redis databases is empty and unclaimed")
        try:
            yield _on_database(url, str(number))
        finally:
            with Redis.from_url(_on_database(url, str(number))) as own:
                own.flushdb()
            admin.delete(_claim_key(number))


def do_without(reason: str) -> None:
    """Skips the test for want of a server, or fails it where servers are required."""
    message = f"no server for this test: {reason}; {CURE}"
    if os.environ.get(REQUIRED, "") not in {"", "0"}:
        pytest.fail(f"{message} ({REQUIRED} is set)", pytrace=False)
    pytest.skip(message)


# The end of the run.


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says loudly what was not tested for want of servers."""
    lacking: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        found = _LACKING.search(_reason(report))
        if found:
            lacking[found[1]] += 1
    if lacking:
        terminalreporter.section("NOT TESTED FOR WANT OF SERVERS", sep="!", red=True, bold=True)
        for reason, count in lacking.most_common():
            terminalreporter.write_line(f"{count:>5} skipped: {reason}", red=True)
        terminalreporter.write_line(f"{CURE}; {REQUIRED}=1 makes this a failure", red=True)


def _reason(report: Any) -> str:
    details = report.longrepr
    return str(details[2] if isinstance(details, tuple) else details)


def _on_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _claim_key(number: int) -> str:
    return f"emp:test:claim:{number}"


def _claim(admin: Any, url: str, number: int) -> bool:
    """Takes a database where it is free and empty. The claim of a dead worker runs out."""
    from redis import Redis

    if not admin.set(_claim_key(number), os.getpid(), nx=True, ex=_CLAIM_SECONDS):
        return False
    with Redis.from_url(_on_database(url, str(number))) as own:
        if own.dbsize() == 0:
            return True
    admin.delete(_claim_key(number))
    return False


def _remove_from_kafka(bootstrap: str, prefix: str) -> None:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        topics = [name for name in admin.list_topics() if name.startswith(prefix)]
        if topics:
            admin.delete_topics(topics)
        groups = [group["group_id"] for group in admin.list_groups()]
        admin.delete_groups([name for name in groups if name.startswith(prefix)])
        _wait_for_the_end_of(topics, admin)
    finally:
        admin.close()


def _wait_for_the_end_of(topics: list[str], admin: Any) -> None:
    end = time.monotonic() + 10
    while set(topics) & set(admin.list_topics()):
        if time.monotonic() > end:
            pytest.fail(f"Kafka still lists {topics}")
        time.sleep(0.05)
