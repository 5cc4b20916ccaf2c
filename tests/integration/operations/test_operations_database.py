"""Opening: migrations, settings, passwords, forks, two processes at once."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from adapters.operations import SqlAnnotations, SqlJournal, open_database, reading, writing
from adapters.operations.migration import HEAD, configuration, stored_revision
from adapters.operations.models import metadata
from market_data.errors import ConfigurationError, StoreUnavailableError
from market_data.ports import Annotation, Decision
from market_data.ports.operations import IngestRun
from market_data.timeframes import Timeframe
from tests.support.warm_python import StartedPython

Start = Callable[..., StartedPython]


def test_a_new_database_is_at_head_and_equals_the_models(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        assert stored_revision(connection) == HEAD
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
        primary_keys = {
            name: sa.inspect(connection).get_pk_constraint(name)["constrained_columns"]
            for name in metadata.tables
        }
    assert primary_keys == {
        n: list(t.primary_key.columns.keys()) for n, t in metadata.tables.items()
    }


def test_head_is_the_newest_script(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        assert ScriptDirectory.from_config(configuration(connection)).get_current_head() == HEAD


def test_downgrade_and_upgrade_again(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        command.downgrade(configuration(connection), "base")
    with reading(engine) as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    again = open_database(engine.url.render_as_string(hide_password=False))
    with reading(again) as connection:
        assert set(metadata.tables) < set(sa.inspect(connection).get_table_names())
    again.dispose()


def test_rows_of_an_older_version_are_read_after_its_upgrade(engine: sa.Engine) -> None:
    """What was not asked before is not known of them: no codes, no newest bar, nobody unasked."""
    noon = datetime(2024, 2, 15, 12, tzinfo=UTC)
    number = round(noon.timestamp() * 1e6)
    decided = (
        "insert into annotations (created_at, author, dataset, symbol, first_session, "
        "last_session, decision, vendor, reason) values (:at, 'ana', 'curated/bars_1d', 'AAA', "
        "'2024-02-13', '2024-02-14', 'accept', '', 'a bid')"
    )
    attempted = (
        "insert into ingest_journal (fetch_id, run_id, vendor, timeframe, symbols, first_session, "
        "last_session, status, rows, new_rows, rejected_rows, started_at, ended_at, payloads, "
        "error) values ('one', 'run', 'yahoo', '1d', '[\"AAA\"]', '2024-02-13', '2024-02-14', "
        "'succeeded', 2, 2, 0, :at, :at, '[]', '')"
    )
    with writing(engine) as connection:
        command.downgrade(configuration(connection), "0009")
        for statement in (decided, attempted):
            connection.execute(sa.text(statement), {"at": number})
    again = open_database(engine.url.render_as_string(hide_password=False))
    days = date(2024, 2, 13), date(2024, 2, 14)
    (decision,) = SqlAnnotations(again).read()
    assert decision == Annotation(
        noon, "ana", "curated/bars_1d", "AAA", *days, Decision.ACCEPT, "a bid", id=1
    )
    assert (decision.codes, decision.imputation, decision.takes_back) == ((), "", None)
    (attempt,) = SqlJournal(again).runs()
    assert attempt == IngestRun(
        "one", "run", "yahoo", Timeframe.D1, ("AAA",), days, "succeeded", 2, 2, 0, noon, noon
    )
    assert (attempt.newest_bar, attempt.unasked) == (None, ())
    again.dispose()


def test_a_failed_migration_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.op.drop_table", fail)
        patched.setattr(
            "alembic.operations.base.Operations.create_index",
            lambda _self, name, *_a, **_k: fail() if "annotations" in str(name) else None,
        )
        with pytest.raises(RuntimeError, match="disk is full"):
            open_database(url)
    engine = open_database(url)
    with reading(engine) as connection:
        assert sa.inspect(connection).get_indexes("ledger") != []
    engine.dispose()


def test_a_database_of_a_newer_program_is_refused(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        open_database(engine.url.render_as_string(hide_password=False))


def test_sqlite_settings(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/a/b/operations.sqlite")
    pragmas = ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
    with reading(engine) as connection:
        found = [connection.exec_driver_sql(f"pragma {p}").scalar() for p in pragmas]
    assert found == ["wal", 60_000, 1, 1]
    engine.dispose()


def test_a_writer_holds_the_lock_from_its_first_statement(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/operations.sqlite")
    with engine.connect() as other:
        other.connection.driver_connection.execute("pragma busy_timeout = 1")  # type: ignore[union-attr]
        other.connection.driver_connection.commit()  # type: ignore[union-attr]
        with (
            writing(engine),
            pytest.raises(sa.exc.OperationalError, match="locked"),
            other.execution_options(operations_writer=True).begin(),
        ):
            pass
    engine.dispose()


def test_an_error_rolls_back(engine: sa.Engine) -> None:
    with pytest.raises(RuntimeError), writing(engine) as connection:
        connection.exec_driver_sql("update alembic_version set version_num = 'x'")
        raise RuntimeError
    with reading(engine) as connection:
        assert stored_revision(connection) == HEAD


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ops:s3cret@db.example/ops",
        "postgresql://db.example/ops?user=ops&password=s3cret",
    ],
)
def test_a_password_never_shows(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    made: list[sa.Engine] = []
    create = sa.create_engine

    def remember(*arguments: object, **options: object) -> sa.Engine:
        made.append(create(*arguments, **options, connect_args={"connect_timeout": 1}))  # type: ignore[call-overload]
        return made[-1]

    monkeypatch.setattr(sa, "create_engine", remember)
    with pytest.raises(StoreUnavailableError, match=r"at db\.example:5432/ops") as failure:
        open_database(url)
    shown = f"{made[0]!r} {made[0].url!r} {made[0].url} {failure.value}"
    assert "s3cret" not in shown
    assert made[0].url.password == "s3cret"


def test_the_url_of_a_password_is_parsed_into_its_own_field() -> None:
    from adapters.operations.database import parse_url

    parsed = parse_url("postgresql://db.example/ops?user=ops&password=s3cret&sslmode=require")
    assert parsed.password == "s3cret"
    assert "s3cret" not in f"{parsed!r}{parsed}"
    assert parsed.query == {"user": "ops", "sslmode": "require"}
    assert parsed.drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "url", ["", "no url s3cret", "sqlite://", "sqlite:///:memory:", "mysql://u:s3cret@host/db"]
)
def test_an_unusable_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        open_database(url)
    assert "s3cret" not in str(failure.value)
    assert failure.value.__cause__ is None


_OPEN = """
import sys
from adapters.operations import open_database, reading
from adapters.operations.migration import stored_revision
print("ready", flush=True)
sys.stdin.readline()
engine = open_database(sys.argv[1])
with reading(engine) as connection:
    print(stored_revision(connection))
"""


def test_processes_that_open_a_new_database_at_once(url: str, start: Start) -> None:
    processes = [start(_OPEN, url) for _ in range(4)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, errors = process.communicate(timeout=100)
        assert (output.strip(), errors, process.returncode) == (HEAD, "", 0)


def test_a_forked_child_has_connections_of_its_own(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/operations.sqlite")
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    child = os.fork()
    if child == 0:
        os._exit(engine.pool.checkedin())  # type: ignore[attr-defined]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]
    engine.dispose()


def test_an_open_of_a_current_database_loads_neither_alembic_nor_pandas(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/operations.sqlite"
    open_database(url).dispose()
    code = (
        "import sys; from adapters.operations import open_database; open_database(sys.argv[1]);"
        "print([m for m in ('alembic', 'pandas', 'pyarrow', 'sqlalchemy.orm') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, url],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_time_to_open(url: str) -> None:
    started = time.perf_counter()
    open_database(url).dispose()
    first = time.perf_counter() - started
    times = []
    for _ in range(10):
        started = time.perf_counter()
        open_database(url).dispose()
        times.append(time.perf_counter() - started)
    print(
        f"new {first * 1e3:.0f} ms, current {statistics.median(times) * 1e3:.1f} ms (median of 10)"
    )
