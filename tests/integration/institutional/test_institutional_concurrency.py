"""Two ingests at once, and one that is killed while it holds locks: the rows of one undisturbed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import polars as pl
import psycopg
import pytest

from adapters.stores.locks import NamedLocks
from tests.support.institution import Institution, institution
from tests.support.stored_rows import assert_same_rows, stored_rows

INGEST = ["ingest", "--vendor", "sample_a", "--start"]
WHOLE = [*INGEST, "2024-02-05", "--end", "2024-03-15"]
EARLY = [*INGEST, "2024-02-05", "--end", "2024-03-08"]
LATE = [*INGEST, "2024-02-19", "--end", "2024-03-15"]
LOCKS_HELD = """
select count(*) from pg_locks where locktype = 'advisory' and granted and database =
(select oid from pg_database where datname = current_database())
"""
LOCKS_AWAITED = LOCKS_HELD.replace("granted", "not granted")
# What the writer of TimescaleDB takes first, for the first month of the range.
OUR_LOCK = """
select pg_advisory_xact_lock(hashtextextended('emp curated/bars_1d 2024-02-01', 0))
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """The rows of one ingest of the whole range."""
    with institution(tmp_path_factory.mktemp("undisturbed")) as house:
        assert house.run("migrate").returncode == 0
        assert house.run(*WHOLE).returncode == 0
        rows = stored_rows(house.environment, tmp_path_factory.mktemp("expected"))
    assert rows["curated"].height > 100
    return rows


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Institution]:
    with institution(tmp_path / "data") as made:
        assert made.run("migrate").returncode == 0
        yield made


def count(url: str, statement: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def await_count(url: str, statement: str, wanted: bool, seconds: float) -> float:
    """Wait until there is something to count, or nothing; returns how long it took."""
    started = time.monotonic()
    while bool(count(url, statement)) != wanted:
        assert time.monotonic() - started < seconds, f"still {not wanted}: {statement}"
        time.sleep(0.05)
    return time.monotonic() - started


@pytest.mark.slow
def test_two_ingests_at_once_over_overlapping_sessions(
    house: Institution, undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    runs = []
    operations = house.environment["EMP_OPERATIONS_URL"]
    # One has asked and may not append yet; the other waits for it, and asks for the rest alone.
    with NamedLocks(tmp_path / "data/lake/.locks/raw/sample_a_bars_1d").hold_every():
        racing = [house.start(*command) for command in (EARLY, LATE)]
        await_count(operations, LOCKS_AWAITED, True, 120)
    for process in racing:
        told, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        runs.append(json.loads(told))
    assert [run["status"] for run in runs] == ["success", "success"]
    asked = [run["received_rows"] for run in runs]
    # They share half of their sessions; the vendor may tell single bars twice.
    assert sum(asked) < 1.1 * undisturbed["raw"].height, "they asked for the same sessions"
    assert sum(run["new_rows"] for run in runs) == undisturbed["raw"].height
    found = stored_rows(house.environment, tmp_path / "rows")
    for name, key in (
        ("curated", ["symbol", "ts"]),
        ("scores", ["dataset", "symbol", "session"]),
        ("ledger", ["vendor", "timeframe", "symbol", "session"]),
    ):
        assert found[name].select(key).is_unique().all(), name
    assert_same_rows(found, undisturbed)
    # Both were answered, whoever asked: nothing is left to ask.
    again = house.run(*WHOLE)
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert (summary["received_rows"], summary["new_rows"]) == (0, 0)
    assert not any(o["asked"] for o in summary["outcomes"].values())
    assert_same_rows(stored_rows(house.environment, tmp_path / "again"), undisturbed)


@pytest.mark.slow
def test_an_ingest_that_is_killed_while_it_holds_locks(
    house: Institution, undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    """Killed while it curates: it holds the slice's lock, and waits for that of the table."""
    operations = house.environment["EMP_OPERATIONS_URL"]
    timescale = house.environment["TIMESCALEDB_URL"]
    with psycopg.connect(timescale) as ours:
        ours.execute(OUR_LOCK)
        doomed = house.start(*WHOLE)
        await_count(timescale, LOCKS_AWAITED, True, 120)
        assert count(operations, LOCKS_HELD) >= 1
        doomed.send_signal(SIGKILL)
        assert doomed.wait() == -SIGKILL
        # The death of the process frees what it held, while we still hold up the table.
        assert await_count(operations, LOCKS_HELD, False, 10) < 10
        assert stored_rows(house.environment, tmp_path / "died")["curated"].is_empty()
    begun = time.monotonic()
    done = house.run(*WHOLE)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun < 60
    assert_same_rows(stored_rows(house.environment, tmp_path / "rows"), undisturbed)


@pytest.mark.slow
def test_an_ingest_that_is_killed_while_it_writes_the_table(
    house: Institution, undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    """Killed inside the writer's transaction: nothing of it stays, its locks go."""
    timescale = house.environment["TIMESCALEDB_URL"]
    half = [*INGEST, "2024-02-05", "--end", "2024-02-16"]
    assert house.run(*half).returncode == 0
    before = house.run("bars", "DEMO-BTC", "--start", "2024-02-05").stdout
    with psycopg.connect(timescale) as ours:
        # Readers may go on; whoever changes a row of it waits.
        ours.execute("lock table curated.bars_1d in exclusive mode")
        doomed = house.start(*WHOLE)
        awaited = (
            "select count(*) from pg_locks where not granted and database = "
            "(select oid from pg_database where datname = current_database())"
        )
        await_count(timescale, awaited, True, 120)
        assert count(timescale, LOCKS_HELD) >= 1
        doomed.send_signal(SIGKILL)
        assert doomed.wait() == -SIGKILL
        assert house.run("bars", "DEMO-BTC", "--start", "2024-02-05").stdout == before
    await_count(timescale, LOCKS_HELD, False, 20)
    begun = time.monotonic()
    done = house.run(*WHOLE)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun < 60
    assert_same_rows(stored_rows(house.environment, tmp_path / "rows"), undisturbed)
