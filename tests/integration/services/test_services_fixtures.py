"""What tests get of shared servers is empty, their own, and gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from redis import Redis

from tests.support.servers import claimed_redis, new_database, server_url

ROOT = Path(__file__).resolve().parents[3]
TOUCH = """
def test_shared(redis_url): ...
def test_private(private_redis): ...
"""


def databases(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("select datname from pg_database")}


def test_a_timescale_database_is_new_and_has_the_extension(timescale_url: str) -> None:
    with psycopg.connect(timescale_url) as connection:
        tables = connection.execute(
            "select count(*) from pg_tables where schemaname = 'public'"
        ).fetchone()
        chunks = connection.execute("select time_bucket('1 day', now()) is not null").fetchone()
    assert (tables, chunks) == ((0,), (True,))


def test_the_shipped_settings_are_in_force(timescale_url: str) -> None:
    with psycopg.connect(timescale_url) as connection:
        settings = [
            connection.execute(f"show {name}").fetchone()
            for name in ("jit", "random_page_cost", "max_wal_size", "password_encryption")
        ]
    assert settings == [("off",), ("1.1",), ("8GB",), ("scram-sha-256",)]


@pytest.mark.parametrize("variable", ["TIMESCALEDB_URL", "EMP_OPERATIONS_URL"])
def test_a_database_is_dropped_under_those_who_still_use_it(variable: str) -> None:
    url = server_url(variable)
    with new_database(url) as own:
        name = own.rpartition("/")[2]
        idle = psycopg.connect(own)
        assert name in databases(url)
    with pytest.raises(psycopg.OperationalError):
        idle.execute("select 1")
    assert name not in databases(url)


def test_dagster_has_a_user_who_owns_its_database_and_is_no_superuser() -> None:
    server_url("DAGSTER_POSTGRES_HOST")
    part = {name: os.environ[f"DAGSTER_POSTGRES_{name.upper()}"] for name in ("host", "port")}
    with psycopg.connect(
        **part,
        user=os.environ["DAGSTER_POSTGRES_USER"],
        password=os.environ["DAGSTER_POSTGRES_PASSWORD"],
        dbname=os.environ["DAGSTER_POSTGRES_DB"],
    ) as connection:
        connection.execute("create table own (n int)")
        found = connection.execute("show is_superuser").fetchone()
        connection.rollback()
    assert found == ("off",)


def test_two_redis_databases_at_once_are_two(redis_url: str) -> None:
    server = server_url("REDIS_URL")
    with claimed_redis(server) as one, claimed_redis(server) as other:
        assert len({one, other, redis_url}) == 3
        Redis.from_url(one).set("key", "value")
        assert Redis.from_url(other).dbsize() == 0
    assert Redis.from_url(one).dbsize() == 0


def test_a_redis_database_with_data_is_not_taken() -> None:
    server = server_url("REDIS_URL")
    with claimed_redis(server) as kept:
        pass
    Redis.from_url(kept).set("somebody's", "data", ex=60)
    try:
        with claimed_redis(server) as other:
            assert other != kept
        assert Redis.from_url(kept).get("somebody's") == b"data"
    finally:
        Redis.from_url(kept).delete("somebody's")


def test_topics_and_groups_begin_with_the_prefix(kafka_bootstrap: str, kafka_prefix: str) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    producer.send(f"{kafka_prefix}bars", b"1").get(timeout=30)
    producer.close()
    consumer = KafkaConsumer(
        f"{kafka_prefix}bars",
        bootstrap_servers=kafka_bootstrap,
        group_id=f"{kafka_prefix}readers",
        auto_offset_reset="earliest",
    )
    assert [record.value for records in consumer.poll(20_000).values() for record in records]
    consumer.commit()
    consumer.close()


def test_the_prefix_is_cleared_away(kafka_bootstrap: str, tmp_path: Path) -> None:
    out = run_tests(
        tmp_path,
        "from kafka import KafkaProducer\n"
        "def test_it(kafka_bootstrap, kafka_prefix):\n"
        "    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)\n"
        "    producer.send(kafka_prefix + 'bars', b'1').get(timeout=30)\n"
        "    print('prefix', kafka_prefix)\n",
        "-s",
    )
    prefix = out.split("prefix ")[1].split()[0]
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    assert not [name for name in admin.list_topics() if name.startswith(prefix)]
    admin.close()


def test_without_servers_a_test_is_skipped_and_the_end_says_so(tmp_path: Path) -> None:
    out = run_tests(tmp_path, TOUCH, EMP_SERVICES_DIR=str(tmp_path), PATH="/nowhere")
    assert "2 skipped" in out
    assert "NOT TESTED FOR WANT OF SERVERS" in out
    assert "1 skipped: REDIS_URL is not set" in out
    assert "1 skipped: redis lacks the packages redis-server" in out


def test_with_servers_required_it_fails(tmp_path: Path) -> None:
    out = run_tests(
        tmp_path,
        TOUCH,
        EMP_SERVICES_DIR=str(tmp_path),
        PATH="/nowhere",
        EMP_TEST_REQUIRE_SERVICES="1",
    )
    assert "2 errors" in out
    assert "REDIS_URL is not set; 'make services' starts the servers" in out


def run_tests(folder: Path, code: str, *options: str, **environment: str) -> str:
    """Runs a test file by itself; given an environment, without the servers' variables."""
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.support.servers"]\n')
    (folder / "test_of_a_test.py").write_text(code)
    known = dict(os.environ) if not environment else {"HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, folder],
        cwd=ROOT,
        env={**known, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
