"""The server goes away in the middle of a run: the run waits, or the runbook mends what is left."""

from __future__ import annotations

import logging
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_connections, open_store
from adapters.timescale.settings import TimescaleSettings
from market_data.datasets import SCORES_DATASET
from market_data.errors import StoreUnavailableError
from services import TimescaleServer
from tests.support.institution import Institution, institution
from tests.support.timescale_process import MINUTES, rows
from tests.support.warm_python import StartedPython

pytestmark = pytest.mark.slow

RUNBOOK = Path(__file__).resolve().parents[3] / "docs/runbooks/timescaledb-restart.md"
COMMANDS = re.findall(r"^ {7}((?:emp|psql) .+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
INGEST = next(shlex.split(command)[1:] for command in COMMANDS if " ingest " in command)
# The second month of that range.
FEBRUARY = "emp curated/bars_1m 2024-02-01"
FIRST, LAST = date(2024, 1, 30), date(2024, 2, 2)


def stored(url: str) -> dict[str, pl.DataFrame]:
    """What a run leaves in TimescaleDB, less what depends on when it ran."""
    connections = open_connections(TimescaleSettings(url=url))
    store = open_store(connections)
    found = {d.name: store.scan(d) for d in (MINUTES, SCORES_DATASET)}
    connections.close()
    return {name: f.drop("freshness_seconds", strict=False) for name, f in found.items()}


def assert_same(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    for name, frame in expected.items():
        assert_frame_equal(found[name], frame)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    with institution(tmp_path_factory.mktemp("undisturbed")) as house:
        done = house.run(*INGEST)
        assert done.returncode == 0, done.stderr
        found = stored(house.environment["TIMESCALEDB_URL"])
    months = found[MINUTES.name]["session"].dt.month().unique().sort().to_list()
    assert months == [1, 2]
    return found


@pytest.fixture
def house(tmp_path: Path, private_timescale: TimescaleServer) -> Iterator[Institution]:
    """An installation on a server that this test may stop."""
    with institution(tmp_path) as made:
        yield Institution(
            {**made.environment, "TIMESCALEDB_URL": private_timescale.url},
            (*made.secrets, private_timescale.password()),
        )


@contextmanager
def run_in_the_middle(
    house: Institution, folder: Path, **more: str
) -> Iterator[tuple[StartedPython, Path]]:
    """An ingest that has written January and is in the transaction of February."""
    log = folder / "log"
    url = house.environment["TIMESCALEDB_URL"]
    with psycopg.connect(url, autocommit=True) as sql, log.open("wb") as output:
        sql.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [FEBRUARY])
        run = house.start(*INGEST, stderr=output, **more)
        try:
            waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
            end = time.monotonic() + 120
            while sql.execute(waiting).fetchone() is None:
                assert run.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.02)
            assert sql.execute("select month from emp.months").fetchall() == [(date(2024, 1, 1),)]
            yield run, log
        finally:
            run.kill()
            run.wait()


def test_a_run_outlives_a_restart(
    house: Institution,
    private_timescale: TimescaleServer,
    undisturbed: dict[str, pl.DataFrame],
    tmp_path: Path,
):
    with run_in_the_middle(house, tmp_path) as (run, log):
        private_timescale.stop()
        time.sleep(2)
        assert run.poll() is None, log.read_text()
        private_timescale.start()
        assert run.wait(120) == 0, log.read_text()
    assert_same(stored(private_timescale.url), undisturbed)
    told = log.read_text()
    assert told.count("lost TimescaleDB at") == 1
    assert "TIMESCALEDB_RETRY_SECONDS" in told
    assert not any(secret in told for secret in house.secrets)


def test_the_runbook_holds_what_it_promises(
    house: Institution,
    private_timescale: TimescaleServer,
    undisturbed: dict[str, pl.DataFrame],
    tmp_path: Path,
):
    done: list[str] = []

    def step() -> subprocess.CompletedProcess[str]:
        command = COMMANDS[len(done)]
        done.append(command)
        return house.run(*shlex.split(command)[1:])

    # A run that was in the middle when the server went away, and did not come back in time.
    with run_in_the_middle(house, tmp_path, TIMESCALEDB_RETRY_SECONDS="0.5") as (run, log):
        private_timescale.stop()
        assert run.wait(60) == 1
    assert re.search(
        r"curated/bars_1m(/checks)? failed: .*no connection to TimescaleDB", log.read_text()
    )

    # 1. See what is away. A command that starts now fails at once.
    assert re.search(r"timescaledb +error", step().stdout)
    began = time.monotonic()
    failed = house.run(*INGEST)
    assert (failed.returncode, time.monotonic() - began < 30) == (1, True)
    assert "no connection to TimescaleDB at" in failed.stderr

    # 2. Start the server.
    private_timescale.start()
    assert step().returncode == 0

    # 3. Wait until it is well.
    assert re.search(r"timescaledb +ok", step().stdout)

    # 4. Bring its tables up to date.
    migrated = step()
    assert (migrated.returncode, "TimescaleDB: up to date" in migrated.stdout) == (0, True)

    # 5. A new name for caches.
    connections = open_connections(TimescaleSettings(url=private_timescale.url))
    before = open_store(connections).version(MINUTES)
    program, url, option, statement = shlex.split(COMMANDS[len(done)])
    assert (program, url, option) == ("psql", "$TIMESCALEDB_URL", "-c")
    private_timescale.query(statement, "emp")
    done.append(COMMANDS[len(done)])
    assert open_store(connections).version(MINUTES) != before
    connections.close()

    # 6. Run again what failed.
    again = step()
    assert again.returncode == 0, again.stderr
    assert_same(stored(private_timescale.url), undisturbed)

    # 7. See that the rows are there.
    assert step().returncode == 0
    bars = step()
    assert (bars.returncode, bars.stdout.count("DEMO-ACME")) == (0, 5)
    assert done == COMMANDS


# The same at the store itself, which is faster and can be done in more ways.


@pytest.fixture
def connections(private_timescale: TimescaleServer) -> Iterator[Connections]:
    opened = open_connections(TimescaleSettings(url=private_timescale.url))
    yield opened
    opened.close()


def crash(server: TimescaleServer) -> None:
    server.kill()


def stop(server: TimescaleServer) -> None:
    server.stop()


@pytest.mark.parametrize("end", [stop, crash])
def test_every_kind_of_work_waits_for_the_server(
    private_timescale: TimescaleServer,
    connections: Connections,
    caplog: pytest.LogCaptureFixture,
    end: Callable[[TimescaleServer], None],
):
    store = open_store(connections)
    old, new = rows(1.0, FIRST, LAST, ["A"]), rows(2.0, FIRST, LAST, ["A"])
    store.replace(MINUTES, old, sessions=(FIRST, LAST), symbols=["A"])
    store.scan(MINUTES)
    version = store.version(MINUTES)
    found: dict[str, object] = {}
    works: dict[str, Callable[[], object]] = {
        "read": lambda: store.scan(MINUTES).equals(old),
        "small": lambda: store.version(MINUTES) == version,
        "opened": lambda: open_connections(connections.settings).close(),
        "written": lambda: store.replace(MINUTES, new, sessions=(FIRST, LAST), symbols=["A"]),
    }
    for name, work in works.items():
        caplog.clear()
        end(private_timescale)
        worker = threading.Thread(target=lambda n=name, w=work: found.update({n: w()}))
        with caplog.at_level(logging.INFO, logger="adapters.timescale"):
            worker.start()
            worker.join(0.4)
            assert worker.is_alive(), name
            private_timescale.start()
            worker.join(30)
        levels = [record.levelname for record in caplog.records]
        assert levels == ["WARNING", "INFO"], name
    assert found == {"read": True, "small": True, "opened": None, "written": new.height}
    assert_frame_equal(store.scan(MINUTES), new)


def test_a_server_that_stays_away_is_an_error_in_time(
    private_timescale: TimescaleServer, caplog: pytest.LogCaptureFixture
):
    settings = TimescaleSettings(url=private_timescale.url, retry_seconds=1)
    connections = open_connections(settings)
    store = open_store(connections)
    store.version(MINUTES)
    private_timescale.stop()
    for work in (lambda: store.scan(MINUTES), lambda: store.version(MINUTES)):
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="is it running"):
            work()
        assert time.monotonic() - began < 3
    assert len(caplog.records) == 1
    private_timescale.start()
    assert store.scan(MINUTES).is_empty()
    connections.close()


def test_a_server_that_is_starting_is_waited_for_even_at_first(
    private_timescale: TimescaleServer,
):
    """A server that recovers from a crash says so to whoever comes too early."""
    connections = Connections(TimescaleSettings(url=private_timescale.url))
    early = iter([psycopg.OperationalError("FATAL:  the database system is starting up"), None])

    def work() -> str:
        with connections.small():
            if error := next(early):
                raise error
            return "done"

    assert connections.opening(work) == "done"
    connections.close()
