"""Processes that write, migrate or read at once: whole slices of one of them, and no error."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from polars.testing import assert_frame_equal

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_connections, open_reference_tables, open_store
from adapters.timescale.migration import HEAD, configuration
from adapters.timescale.settings import TimescaleSettings
from market_data.datasets import FEATURES, curated_bars
from market_data.errors import ConfigurationError
from market_data.timeframes import Timeframe
from tests.support.timescale_process import MINUTES, rows, workers

HALF_HOURS = curated_bars(Timeframe.M30)
ROUNDS = 15
OURS = ("2024-01-30", "2024-02-02", ["AAPL", "EURUSD", "MSFT"])
THEIRS = ("2024-02-01", "2024-03-01", ["EURUSD", "MSFT", "TSLA"])

Where = tuple[str, str, Sequence[str]]


def of(where: Where, value: float) -> pl.DataFrame:
    return rows(value, date.fromisoformat(where[0]), date.fromisoformat(where[1]), where[2])


def over(frame: pl.DataFrame, where: Where, value: float) -> pl.DataFrame:
    """What a frame holds after a slice of it is replaced."""
    first, last = date.fromisoformat(where[0]), date.fromisoformat(where[1])
    inside = pl.col("session").is_between(first, last) & pl.col("symbol").is_in(where[2])
    return pl.concat([frame.filter(~inside), of(where, value)]).sort("symbol", "ts")


def test_two_writers_of_overlapping_slices_leave_one_after_the_other(
    store: TimescaleStore, sql: psycopg.Connection[Any], timescale_url: str
):
    with workers(2) as both:
        for number in range(ROUNDS):
            if number % 3 == 0:
                # Also while the chunks themselves are made.
                sql.execute("truncate curated.bars_1m, emp.receipts, emp.months")
            before, ours, theirs = store.scan(MINUTES), number + 0.25, number + 0.5
            for worker, where, value in zip(both, (OURS, THEIRS), (ours, theirs), strict=True):
                first, last, symbols = where
                worker.ask(
                    "replace",
                    url=timescale_url,
                    value=value,
                    first=first,
                    last=last,
                    symbols=symbols,
                )
            for worker in both:
                worker.answer()
            found = store.scan(MINUTES)
            orders = (
                over(over(before, OURS, ours), THEIRS, theirs),
                over(over(before, THEIRS, theirs), OURS, ours),
            )
            assert any(found.equals(expected) for expected in orders), f"round {number}: {found}"
    # What the books say is right as well: both are done again, one after the other.
    for where, value in ((OURS, 1.0), (THEIRS, 2.0)):
        first, last = date.fromisoformat(where[0]), date.fromisoformat(where[1])
        store.replace(MINUTES, of(where, value), sessions=(first, last), symbols=where[2])
        assert_frame_equal(
            store.scan(MINUTES, symbols=where[2], sessions=(first, last)), of(where, value)
        )


def test_an_empty_database_is_migrated_once_by_many(empty_timescale_url: str):
    with workers(3) as all_of_them:
        for worker in all_of_them:
            worker.ask("migrate", url=empty_timescale_url)
        for worker in all_of_them:
            worker.answer()
    with psycopg.connect(empty_timescale_url) as connection:
        revisions = connection.execute("select version_num from emp.alembic_version").fetchall()
        tables = connection.execute(
            "select count(*) from timescaledb_information.hypertables"
        ).fetchone()
        stores = connection.execute("select count(*) from emp.identity").fetchone()
    # Bars of seven lengths, their flags, scores and macro events; features, predictions, regimes.
    assert (revisions, tables, stores) == ([(HEAD,)], (10 + len(FEATURES) + 2,), (1,))


def test_migrating_again_changes_nothing(timescale_url: str, store: TimescaleStore):
    frame = of(OURS, 1.0)
    first, last = date.fromisoformat(OURS[0]), date.fromisoformat(OURS[1])
    store.replace(MINUTES, frame, sessions=(first, last), symbols=OURS[2])
    version = store.version(MINUTES)
    again = open_connections(TimescaleSettings(url=timescale_url))
    assert open_store(again).version(MINUTES) == version
    assert_frame_equal(open_store(again).scan(MINUTES), frame)
    again.close()


def test_bars_of_an_older_version_are_read_after_its_upgrade(empty_timescale_url: str):
    settings = TimescaleSettings(url=empty_timescale_url)
    first, last = date.fromisoformat(OURS[0]), date.fromisoformat(OURS[1])
    before = open_connections(settings)
    open_store(before).replace(MINUTES, of(OURS, 1.0), sessions=(first, last), symbols=OURS[2])
    version = open_store(before).version(MINUTES)
    before.close()
    engine = sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(empty_timescale_url),
        poolclass=sa.NullPool,
    )
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "0002")
        there = sa.text("select to_regclass('curated.bars_30m')")
        assert connection.scalar(there) is None
    after = open_connections(settings)
    store = open_store(after)
    assert_frame_equal(store.scan(MINUTES), of(OURS, 1.0))
    assert store.version(MINUTES) == version
    halves = of(OURS, 2.0)
    store.replace(HALF_HOURS, halves, sessions=(first, last), symbols=OURS[2])
    assert_frame_equal(store.scan(HALF_HOURS), halves)
    after.close()


def test_a_database_newer_than_the_program_says_so(empty_timescale_url: str):
    settings = TimescaleSettings(url=empty_timescale_url)
    open_connections(settings).close()
    with psycopg.connect(empty_timescale_url) as connection:
        connection.execute("update emp.alembic_version set version_num = '9999'")
    with pytest.raises(ConfigurationError, match="revision 9999, which this program does not know"):
        open_connections(settings)
    with psycopg.connect(empty_timescale_url) as connection:
        found = connection.execute("select version_num from emp.alembic_version").fetchone()
    assert found == ("9999",)


def test_a_reader_of_a_reference_table_sees_it_whole(connections: Connections):
    """Also while its columns change, and many writers replace it."""
    tables, name, rounds = open_reference_tables(connections), "reference/instruments", 40

    def version(number: int) -> pl.DataFrame:
        frame = pl.DataFrame({"symbol": [f"S{n}" for n in range(200)]}).with_columns(
            number=pl.lit(number)
        )
        return frame.with_columns(extra=pl.lit("x")) if number % 2 else frame

    tables.put(name, version(0))
    seen: set[int] = set()
    over_now = threading.Event()

    def read() -> None:
        while not over_now.is_set():
            found = tables.get(name)
            assert_frame_equal(found, version(int(found["number"][0])))
            seen.add(int(found["number"][0]))

    with ThreadPoolExecutor(3) as readers, ThreadPoolExecutor(2) as writers:
        reading = [readers.submit(read) for _ in range(3)]
        try:
            written = list(writers.map(lambda n: tables.put(name, version(n)), range(1, rounds)))
        finally:
            over_now.set()
        for reader in reading:
            reader.result()
    assert all(written)
    assert len(seen) > 3
    last = tables.get(name)
    assert not tables.put(name, last), "the same rows again are no change"
    assert tables.put(name, last.head(0))
    assert_frame_equal(tables.get(name), last.head(0))


def test_a_reference_table_that_cannot_be_written_stays(
    connections: Connections, sql: psycopg.Connection[Any]
):
    tables, name = open_reference_tables(connections), "reference/trading_sessions"
    old = pl.DataFrame({"calendar": ["XNYS"], "open": [1]})
    tables.put(name, old)
    sql.execute("create view reference.depends as select * from reference.trading_sessions")
    with pytest.raises(Exception, match="TimescaleDB"):
        tables.put(name, old.with_columns(open=2))
    assert_frame_equal(tables.get(name), old)
    sql.execute("drop view reference.depends")
    tables.put(name, old.with_columns(open=2))
    assert tables.get(name)["open"].to_list() == [2]
