"""Private servers: killed and restarted, they keep their address and what they had promised."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest
from redis import Redis
from redis import exceptions as redis_errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from services import PostgresServer, RedisServer, TimescaleServer
from tests.support.servers import private_server


def test_redis_is_killed_and_comes_back_empty(private_redis: RedisServer) -> None:
    url, first = private_redis.url, private_redis.process
    client = Redis.from_url(url)
    client.set("key", "value")
    private_redis.kill()
    with pytest.raises(redis_errors.ConnectionError):
        client.get("key")
    private_redis.start()
    assert private_redis.url == url
    assert private_redis.process != first
    assert client.get("key") is None


def test_redis_asks_for_its_password(private_redis: RedisServer) -> None:
    stranger = Redis(port=private_redis.port(), password="wrong", retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis_errors.AuthenticationError):
        stranger.ping()
    assert (private_redis.folder / "redis.conf").stat().st_mode & 0o077 == 0
    assert (private_redis.folder / "state.json").stat().st_mode & 0o077 == 0


def test_two_private_servers_share_nothing(private_redis: RedisServer) -> None:
    with private_server(RedisServer) as other:
        assert other.port() != private_redis.port()
        assert other.password() != private_redis.password()
        folder = other.folder
    assert not folder.exists()
    assert private_redis.running


@pytest.mark.parametrize("kind", [PostgresServer, TimescaleServer])
def test_committed_rows_outlive_a_kill(kind: type[PostgresServer]) -> None:
    with private_server(kind) as server:
        writer = psycopg.connect(server.url)
        writer.execute("create table kept (n int)")
        writer.execute("insert into kept values (1)")
        writer.commit()
        writer.execute("insert into kept values (2)")
        server.kill()
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("select n from kept").fetchall() == [(1,)]
        server.kill()
        created = {server.process.pid} if server.process else set()
    # What a killed server left in the kernel goes with its folder.
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    assert not created & {int(line.split()[4]) for line in lines}


def test_postgres_takes_scram_passwords_on_loopback_only(private_postgres: PostgresServer) -> None:
    rules = private_postgres.query("select distinct auth_method from pg_hba_file_rules")
    assert rules == "scram-sha-256"
    assert private_postgres.query("show listen_addresses") == "127.0.0.1"
    wrong = private_postgres.url.replace(private_postgres.password(), "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_a_cluster_that_was_not_finished_is_made_anew() -> None:
    with private_server(PostgresServer) as server:
        server.stop()
        # As if the machine had died while the first data was written.
        (server.folder / "prepared").unlink()
        (server.folder / "provisioned").unlink()
        (server.data / "PG_VERSION").unlink()
        server.start()
        assert server.query("select 1", "operations") == "1"


def test_a_server_ends_with_the_last_of_its_processes(private_postgres: PostgresServer) -> None:
    process = private_postgres.process
    assert process is not None
    family = process.family()
    assert len(family) > 3
    assert {os.getsid(process.pid)} == {process.pid}
    private_postgres.kill()
    assert not any(member.alive for member in family)
    process.send(signal.SIGKILL)
