"""Looks at real servers: what is wrong is told with its cure, and nothing is changed by looking."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from adapters.clock import SystemClock
from adapters.kafka.delivery import Message, delivery
from adapters.kafka.factory import look
from adapters.kafka.lag import move_group
from adapters.kafka.settings import KafkaSettings
from adapters.kafka.topics import cluster, provision
from adapters.operations import SqlOutbox, open_database
from adapters.probes import Finding, State, run_probes
from adapters.probes.kafka import TOPIC, kafka_probe
from adapters.probes.operations import operations_probe
from adapters.probes.timescale import SCHEMAS, timescale_probe
from adapters.timescale.factory import open_connections
from adapters.timescale.settings import TimescaleSettings
from tests.support.institution import Institution, institution

SECRET = "hunter2"
DOCKER = Path(__file__).resolve().parents[3] / "docker"
NEWER = "a newer version made these tables: update this program"


def look_at_timescale(url: str) -> Finding:
    (found,) = run_probes([timescale_probe(TimescaleSettings(url=url))], timeout=30)
    return found


def look_at_operations(url: str) -> Finding:
    (found,) = run_probes([operations_probe(url, "postgresql")], timeout=30)
    return found


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


@contextmanager
def another_user(url: str) -> Iterator[str]:
    """URL of a user that was granted nothing but what everybody has."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    role = sql.Identifier(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login password {}").format(role, SECRET))
        parts = urlsplit(url)
        try:
            yield parts._replace(
                netloc=f"{name}:{SECRET}@{parts.hostname}:{parts.port}", query=""
            ).geturl()
        finally:
            connection.execute(sql.SQL("drop owned by {}").format(role))
            connection.execute(sql.SQL("drop role {}").format(role))


# TimescaleDB.


@pytest.fixture(scope="module")
def warehouse(timescale_url: str) -> str:
    open_connections(TimescaleSettings(url=timescale_url)).close()
    return timescale_url


def test_a_user_without_privileges_is_told_which_and_how_to_grant_them(warehouse: str) -> None:
    with another_user(warehouse) as url:
        user = urlsplit(url).username
        found = look_at_timescale(url)
        assert found.state is State.ERROR
        assert "usage on schema curated, schema emp, " in found.detail
        assert "grant usage on schema curated" in found.cure
        assert "revision" not in found.facts

        for schema in SCHEMAS:
            run(warehouse, f"grant usage on schema {schema} to {user}")
            run(warehouse, f"grant select on all tables in schema {schema} to {user}")
            run(warehouse, f"grant usage on all sequences in schema {schema} to {user}")
        found = look_at_timescale(url)
        assert found.state is State.ERROR
        assert "insert, update, delete on curated.bars_15m, curated.bars_1d, " in found.detail
        assert "schema emp" not in found.detail
        assert "grant insert, update, delete on all tables in schema curated" in found.cure
        assert found.facts["revision"] == found.facts["revision_needed"]

        for schema in SCHEMAS:
            rights = "insert, update, delete"
            run(warehouse, f"grant {rights} on all tables in schema {schema} to {user}")
        assert look_at_timescale(url).state is State.DEGRADED
        run(warehouse, f"revoke delete on quality.scores from {user}")
        found = look_at_timescale(url)
        assert found.detail == "this user lacks delete on quality.scores"
        assert "grant delete on all tables in schema quality" in found.cure


def test_a_user_that_may_not_connect_is_no_server_that_is_away(empty_timescale_url: str) -> None:
    name = urlsplit(empty_timescale_url).path[1:]
    run(empty_timescale_url, f"revoke connect on database {name} from public")
    with another_user(empty_timescale_url) as url:
        found = look_at_timescale(url)
    assert found.state is State.ERROR
    assert "may not look" in found.detail
    assert "grant" in found.cure
    assert "runs" not in found.cure


@pytest.mark.parametrize(
    ("stored", "cure"), [("0099", NEWER), ("nonsense", NEWER), ("", "run 'emp migrate'")]
)
def test_revisions_of_the_warehouse(empty_timescale_url: str, stored: str, cure: str) -> None:
    if stored:
        open_connections(TimescaleSettings(url=empty_timescale_url)).close()
        run(empty_timescale_url, f"update emp.alembic_version set version_num = '{stored}'")
    found = look_at_timescale(empty_timescale_url)
    assert (found.state, found.cure) == (State.ERROR, cure)
    assert found.facts["revision"] == (stored or None)


def test_the_look_sees_the_settings_of_other_clients(warehouse: str) -> None:
    name = urlsplit(warehouse).path[1:]
    run(warehouse, f"alter database {name} set jit = off")
    run(warehouse, f"alter database {name} set random_page_cost = 1.1")
    assert look_at_timescale(warehouse).state is State.OK
    run(warehouse, f"alter database {name} set jit = on")
    found = look_at_timescale(warehouse)
    assert (found.state, found.facts["jit"]) == (State.DEGRADED, "on")


# The operations database.


def test_looking_at_the_operations_database_migrates_nothing(empty_postgres_url: str) -> None:
    found = look_at_operations(empty_postgres_url)
    assert (found.state, found.cure) == (State.ERROR, "run 'emp migrate'")
    assert found.facts["revision"] is None
    assert run(empty_postgres_url, "select 1 from pg_tables where schemaname = 'public'") == []

    open_database(empty_postgres_url).dispose()
    found = look_at_operations(empty_postgres_url)
    assert found.state is State.OK
    assert found.facts["revision"] == found.facts["revision_needed"]

    for stored, cure in (("0001", "run 'emp migrate'"), ("0099", NEWER)):
        run(empty_postgres_url, f"update alembic_version set version_num = '{stored}'")
        found = look_at_operations(empty_postgres_url)
        assert (found.state, found.cure, found.facts["revision"]) == (State.ERROR, cure, stored)
        assert run(empty_postgres_url, "select version_num from alembic_version") == [(stored,)]


def test_what_keeps_from_the_operations_database_is_told_apart(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    login = f"{parts.username}:{SECRET}@{parts.hostname}"
    told = {
        look_at_operations(parts._replace(netloc=f"{login}:{parts.port}").geturl()).detail,
        look_at_operations(parts._replace(netloc=f"{login}:1").geturl()).detail,
        look_at_operations(parts._replace(path="/no_such_database").geturl()).detail,
    }
    for words in ("refuses the login", "no connection to", "is not there: create it"):
        assert sum(words in detail for detail in told) == 1
    assert SECRET not in str(told)


def test_a_user_without_privileges_on_it_is_told_so(empty_postgres_url: str) -> None:
    open_database(empty_postgres_url).dispose()
    with another_user(empty_postgres_url) as url:
        found = look_at_operations(url)
    assert found.state is State.ERROR
    assert "privileges" in found.detail
    assert "grant" in found.cure


# Kafka.


@pytest.fixture(scope="module")
def stream(kafka_bootstrap: str, kafka_prefix: str) -> KafkaSettings:
    settings = KafkaSettings(
        bootstrap_servers=(kafka_bootstrap,),
        ingest_default_topic=f"{kafka_prefix}ingest",
        replay_topic=f"{kafka_prefix}replay",
        ingest_consumer_group=f"{kafka_prefix}bridge",
        readiness_lag_warn=1,
    )
    provision(settings)
    return settings


def look_at_kafka(settings: KafkaSettings) -> Finding:
    (found,) = run_probes([kafka_probe(settings)], timeout=30)
    return found


def test_a_group_that_nobody_reads_with_is_not_behind(
    stream: KafkaSettings, tmp_path: Path
) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/operations.sqlite")
    outbox = SqlOutbox(engine)
    with delivery(stream) as opened:
        opened.send([Message(stream.topics()["metrics"], b"k", b"v")] * 3)
    found = look_at_kafka(stream)
    assert (found.state, found.facts["lag"]) == (State.OK, 0), found
    assert look(stream, outbox, SystemClock()).group == ""

    move_group(stream, "earliest")
    found = look_at_kafka(stream)
    assert (found.state, found.facts["lag"]) == (State.DEGRADED, 3)
    seen = look(stream, outbox, SystemClock())
    assert (seen.group, seen.lag) == (stream.ingest_consumer_group, 3)
    engine.dispose()


def test_looks_go_through_one_standing_topic(stream: KafkaSettings) -> None:
    for _ in range(2):
        assert look_at_kafka(stream).state is not State.ERROR
    before = cluster(stream).topics
    assert before[TOPIC.name] == 1
    # Left behind at once, as with a short --timeout.
    run_probes([kafka_probe(stream)], timeout=0.01)
    found = run_probes([kafka_probe(stream)] * 3, timeout=30)
    assert {f.state for f in found} <= {State.OK, State.DEGRADED}
    ours = {name for name in cluster(stream).topics if name.startswith(TOPIC.name)}
    assert ours == {name for name in before if name.startswith(TOPIC.name)}


# The commands.


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    with institution(tmp_path_factory.mktemp("institution")) as made:
        yield made


def test_a_dry_run_says_what_is_there_and_makes_nothing(house: Institution) -> None:
    for _ in range(2):
        told = house.run("migrate", "--dry-run")
        assert told.returncode == 0, told.stderr
        assert told.stdout.count("at revision none, this program needs") == 2
        replay = house.environment["KAFKA_REPLAY_TOPIC"]
        assert f"topic {replay}: would be created" in told.stdout
    assert not list(Path(house.environment["EMP_DATA_DIR"]).rglob("*.db"))
    assert house.run("migrate").returncode == 0
    told = house.run("migrate", "--dry-run")
    assert told.stdout.count(": up to date") == 2
    assert f"topic {replay}: exists" in told.stdout

    url = house.environment["EMP_OPERATIONS_URL"]
    ((stored,),) = run(url, "select version_num from alembic_version")
    run(url, "update alembic_version set version_num = '0099'")
    told = house.run("migrate", "--dry-run")
    run(url, f"update alembic_version set version_num = '{stored}'")
    assert told.returncode == 1
    assert "at revision 0099" in told.stdout
    assert "update this program" in told.stderr


REPLAY = ("curated/bars_1d", "--symbols", "NOPE", "--start", "2024-01-02", "--end", "2024-01-05")


def test_a_replay_without_rows_is_a_failure_that_says_so(house: Institution) -> None:
    assert house.run("migrate").returncode == 0
    done = house.run("kafka", "replay", *REPLAY)
    assert done.returncode == 1
    assert json.loads(done.stdout)["rows"] == 0
    assert "no row was sent" in done.stderr
    assert "NOPE" in done.stderr


def test_a_topic_that_is_not_there_has_no_lag(house: Institution) -> None:
    for words in (("lag",), ("move", "earliest")):
        done = house.run("kafka", *words, "--topics", "nope")
        assert done.returncode == 1
        assert "there is no topic nope" in done.stderr


def test_connectors_name_every_server_and_no_secret(house: Institution) -> None:
    secret = f"{SECRET}{datetime.now(UTC):%f}"
    own = {
        "DAGSTER_POSTGRES_HOST": "records.example",
        "DAGSTER_POSTGRES_PORT": "5499",
        "DAGSTER_POSTGRES_USER": f"user{secret}",
        "DAGSTER_POSTGRES_PASSWORD": secret,
        "DAGSTER_POSTGRES_DB": "dagster",
        "EMP_OPERATIONS_URL": f"postgresql://ops.example/ops?password={secret}&sslmode=require",
        "TIMESCALEDB_URL": f"postgresql://emp:{secret}@bars.example/emp?sslmode=verify-ca",
        "REDIS_URL": f"redis://:{secret}@cache.example/0",
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": f"user{secret}",
        "KAFKA_SASL_PASSWORD": secret,
    }
    done = house.run("connectors", **own)
    told = json.loads(done.stdout)["connectors"]
    assert told["postgresql"] == {"server": "ops.example:5432/ops", "tls": "require"}
    assert told["timescaledb"]["tls"] == "verify-ca"
    assert told["dagster"] == {"server": "records.example:5499/dagster"}
    assert told["kafka"]["sasl_mechanism"] == "SCRAM-SHA-512"
    assert told["kafka"]["topics"]["replay"] == house.environment["KAFKA_REPLAY_TOPIC"]
    markdown = house.run("connectors", "--format", "markdown", **own)
    for output in (done, markdown):
        assert output.returncode == 0
        assert secret not in output.stdout + output.stderr

    # In bootstrap mode the server of the records is not used; a dagster.yaml speaks for itself.
    alone = house.run("connectors", EMP_MODE="bootstrap", **own)
    assert "records.example" not in alone.stdout
    assert json.loads(alone.stdout)["connectors"]["sqlite"]["path"].endswith("operations.sqlite")
    for folder, key in ((DOCKER, "server"), (DOCKER.parent, "path")):
        named = house.run("connectors", DAGSTER_HOME=str(folder), **own)
        assert list(json.loads(named.stdout)["connectors"]["dagster"]) == [key]

    plain = json.loads(house.run("connectors").stdout)["connectors"]
    assert plain["dagster"]["path"].endswith("/dagster")
    assert plain["kafka"]["sasl_mechanism"] == "none"
    assert plain["timescaledb"]["tls"] == "prefer"
