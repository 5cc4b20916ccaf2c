"""TimescaleStore keeps the promises of a BarStore, and those of its own engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl
import psycopg
import pytest
from bar_store_suite import (
    ALL,
    D1,
    DAY_BEFORE,
    M1,
    SESSIONS,
    SYMBOLS,
    BarStoreSuite,
    bars,
    grid,
    put,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from adapters.stores.delta_bar_store import DeltaBarStore
from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.errors import LostConnectionError
from adapters.timescale.factory import open_connections
from adapters.timescale.settings import TimescaleSettings
from market_data.datasets import FEATURES, PREDICTIONS_DATASET, Dataset, Layout
from market_data.errors import (
    ConfigurationError,
    SchemaError,
    SliceChangedError,
    UnsupportedOperationError,
)
from market_data.ports import BarStore
from market_data.schemas import CURATED_BARS

Slice = dict[str, Any]
TABLES = "curated.bars_1m, curated.bars_1d, quality.scores, emp.months, emp.receipts"


@pytest.fixture(scope="module")
def connections(timescale_url: str) -> Iterator[Connections]:
    opened = open_connections(TimescaleSettings(url=timescale_url))
    yield opened
    opened.close()


@pytest.fixture
def sql(timescale_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def new_store(connections: Connections, timescale_url: str) -> Callable[[], TimescaleStore]:
    def empty() -> TimescaleStore:
        with psycopg.connect(timescale_url, autocommit=True) as connection:
            connection.execute(f"truncate {TABLES}")
        return TimescaleStore(connections)

    return empty


@pytest.fixture
def store(new_store: Callable[[], TimescaleStore]) -> TimescaleStore:
    return new_store()


class TestTimescaleStore(BarStoreSuite):
    """The promises of the port."""


def places(sql: psycopg.Connection) -> dict[tuple[str, datetime], str]:
    """Where each row lies: a row that is written again lies elsewhere."""
    found = sql.execute("select symbol, ts, tableoid::text || ctid::text from curated.bars_1m")
    return {(symbol, ts): place for symbol, ts, place in found}


def test_an_unchanged_slice_is_not_touched(store: TimescaleStore, sql: psycopg.Connection) -> None:
    put(store, grid())
    before, version = places(sql), store.version(M1)
    put(store, grid().reverse())
    assert (places(sql), store.version(M1)) == (before, version)
    # Without the receipt the rows are compared, and stay where they are all the same.
    sql.execute("delete from emp.receipts")
    put(store, grid())
    assert (places(sql), store.version(M1)) == (before, version)


def test_only_rows_that_differ_are_written(store: TimescaleStore, sql: psycopg.Connection) -> None:
    put(store, grid())
    before = places(sql)
    changed = grid().with_columns(
        close=pl.when((pl.col("symbol") == "AAPL") & (pl.col("session") == SESSIONS[2]))
        .then(None if False else 9.0)
        .otherwise("close")
    )
    put(store, changed)
    after = places(sql)
    assert {key[0] for key in after if after[key] != before[key]} == {"AAPL"}
    assert sum(after[key] != before[key] for key in after) == 2
    assert_frame_equal(store.scan(M1), changed.sort("symbol", "ts"))


def test_a_receipt_never_outlives_its_rows(store: TimescaleStore) -> None:
    day = SESSIONS[1]
    put(store, grid())
    other = bars({("AAPL", day, 0): 5.0})
    store.replace(M1, other, sessions=(day, day), symbols=["AAPL"])
    put(store, grid())
    assert_frame_equal(store.scan(M1), grid().sort("symbol", "ts"))
    store.replace(M1, other, sessions=(day, day), symbols=["AAPL"])
    assert store.scan(M1, symbols=["AAPL"], sessions=(day, day))["close"].to_list() == [5.0]


@pytest.mark.parametrize(
    "vanish",
    [
        "truncate curated.bars_1m",
        "select drop_chunks('curated.bars_1m', older_than => timestamptz '2024-01-15')",
        "delete from curated.bars_1m where ctid in (select ctid from curated.bars_1m limit 1)",
    ],
    ids=["truncate", "drop_chunks", "delete"],
)
def test_rows_that_vanished_beside_the_books_come_back(
    store: TimescaleStore, sql: psycopg.Connection, vanish: str
) -> None:
    put(store, grid())
    version = store.version(M1)
    sql.execute(vanish)
    assert store.scan(M1).height < grid().height
    put(store, grid())
    assert_frame_equal(store.scan(M1), grid().sort("symbol", "ts"))
    assert store.version(M1) != version
    before, version = places(sql), store.version(M1)
    put(store, grid())
    assert (places(sql), store.version(M1)) == (before, version)


def test_a_version_changes_with_its_months_alone(store: TimescaleStore) -> None:
    put(store, grid())
    january, february = (date(2024, 1, 1), date(2024, 1, 31)), (date(2024, 2, 1), date(2024, 2, 2))
    seen = {span: store.version(M1, sessions=span) for span in (january, february)}
    whole, days = store.version(M1), store.version(D1)
    store.replace(
        M1,
        bars({("AAPL", SESSIONS[3], 0): 3.0}),
        sessions=(SESSIONS[3], SESSIONS[3]),
        symbols=["AAPL"],
    )
    assert store.version(M1, sessions=january) == seen[january]
    assert store.version(M1, sessions=february) != seen[february]
    assert store.version(M1) != whole
    assert store.version(D1) == days


def test_a_condition_is_looked_at_when_the_months_are_locked(
    store: TimescaleStore, sql: psycopg.Connection, timescale_url: str
) -> None:
    """The version is that of before until the other writer, who holds the month, commits."""
    day = SESSIONS[1]
    slice_: Slice = {"sessions": (day, day), "symbols": ["AAPL"]}
    put(store, grid())
    seen, bar = store.version(M1, **slice_), bars({("AAPL", day, 0): 9.0})
    waiting = (
        "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = "
        "(select oid from pg_database where datname = current_database())"
    )
    with ThreadPoolExecutor(1) as pool, psycopg.connect(timescale_url) as other:
        other.execute(
            "select pg_advisory_xact_lock(hashtextextended('emp curated/bars_1m 2024-01-01', 0))"
        )
        other.execute(
            "update emp.months set revision = nextval('emp.revisions') where month = '2024-01-01'"
        )
        written = pool.submit(store.replace, M1, bar, **slice_, unless_changed_since=seen)
        end = time.monotonic() + 10
        while sql.execute(waiting).fetchone() == (0,) and time.monotonic() < end:
            time.sleep(0.01)
        other.commit()
        with pytest.raises(SliceChangedError, match="read them again"):
            written.result(30)
    assert_frame_equal(store.scan(M1), grid().sort("symbol", "ts"))


def test_a_commit_that_the_server_could_not_tell_of_is_no_foreign_one(
    store: TimescaleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt of a conditional replace finds what the first has written."""
    day = SESSIONS[1]
    slice_: Slice = {"sessions": (day, day), "symbols": ["AAPL"]}
    put(store, grid())
    original, attempts = Connections.arrow, []

    @contextmanager
    def arrow(self: Connections, *, writing: bool) -> Iterator[Any]:
        with original(self, writing=writing) as cursor:
            yield cursor
        attempts.append(writing)
        if attempts == [True]:
            raise LostConnectionError("the answer was lost")

    monkeypatch.setattr(Connections, "arrow", arrow)
    bar, seen = bars({("AAPL", day, 0): 9.0}), store.version(M1, **slice_)
    assert store.replace(M1, bar, **slice_, unless_changed_since=seen) == 1
    assert attempts == [True, True]
    assert_frame_equal(store.scan(M1, **slice_), bar)


@pytest.mark.parametrize("operation", ["history", "compact", "vacuum", "table"])
def test_what_the_engine_has_not_is_refused(store: TimescaleStore, operation: str) -> None:
    with pytest.raises(UnsupportedOperationError):
        getattr(store, operation)(M1)


@pytest.mark.parametrize(
    "name",
    ["curated/bars_1m; drop table curated.bars_1m", 'curated/bars_1m"', "pg_catalog/pg_class"],
)
def test_a_table_of_another_name_is_refused(
    store: TimescaleStore, sql: psycopg.Connection, name: str
) -> None:
    put(store, grid())
    evil = Dataset(name, CURATED_BARS, ("symbol", "ts"), Layout.YEAR)
    for attempt in (
        lambda: store.scan(evil),
        lambda: store.latest(evil),
        lambda: store.version(evil),
        lambda: store.replace(evil, grid(), sessions=ALL, symbols=SYMBOLS),
    ):
        with pytest.raises(ConfigurationError, match="keeps no dataset"):
            attempt()
    assert sql.execute("select count(*) from curated.bars_1m").fetchone() == (32,)


def test_a_symbol_is_a_value_whatever_it_says(store: TimescaleStore) -> None:
    evil = "x'; drop table curated.bars_1m; --"
    frame = bars({(evil, SESSIONS[1], 0): 1.0, ("AAPL", SESSIONS[1], 0): 2.0})
    store.replace(M1, frame, sessions=ALL, symbols=[evil, "AAPL"])
    assert_frame_equal(store.scan(M1), frame.sort("symbol", "ts"))
    assert store.scan(M1, symbols=[evil])["symbol"].to_list() == [evil]
    assert store.latest(M1, symbols=[evil, "AAPL"]).height == 2
    with pytest.raises(SchemaError, match="control character"):
        store.scan(M1, symbols=["a\x1fb", "c"])
    with pytest.raises(SchemaError, match="no column"):
        store.scan(M1, columns=["close, (select 1)"])


def test_hypertables_have_one_index_and_the_chunks_of_their_timeframe(
    store: TimescaleStore, sql: psycopg.Connection
) -> None:
    put(store, grid())
    found = sql.execute(
        "select hypertable_schema || '.' || hypertable_name, time_interval::text "
        "from timescaledb_information.dimensions order by 1"
    ).fetchall()
    assert [name for name, _ in found] == [
        *(f"curated.bars_{t}" for t in ("15m", "1d", "1h", "1m", "30m", "4h", "5m")),
        "curated.macro_calendar",
        *sorted(d.name.replace("/", ".") for d in (*FEATURES.values(), PREDICTIONS_DATASET)),
        "marts.regime_stats",
        "quality.bar_flags",
        "quality.scores",
    ]
    assert dict(found)["curated.bars_1m"] == "7 days"
    assert dict(found)["features.price_1m_v1"] == "7 days"
    indexes = sql.execute(
        "select tablename, indexdef from pg_indexes "
        "where schemaname in ('curated', 'quality', 'features', 'marts')"
    ).fetchall()
    assert len(indexes) == 10 + len(FEATURES) + 2
    assert all("UNIQUE" in definition for _, definition in indexes)


def outcome(store: BarStore, dataset: Dataset, frame: pl.DataFrame, slice_: Slice) -> object:
    """What a replace returns or refuses, in its words."""
    try:
        return store.replace(dataset, frame, **slice_)
    except SchemaError as refused:
        return type(refused), str(refused)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_both_stores_tell_the_same_after_any_history(
    new_store: Callable[[], TimescaleStore], tmp_path: Path, data: st.DataObject
) -> None:
    ours, theirs = new_store(), DeltaBarStore(mkdtemp(dir=tmp_path))
    dataset = data.draw(st.sampled_from([M1, D1]))
    prices = st.floats(allow_nan=True, allow_infinity=True)
    for _ in range(data.draw(st.integers(1, 4))):
        first, last = sorted(data.draw(st.tuples(*[st.sampled_from(SESSIONS)] * 2)))
        symbols = data.draw(st.lists(st.sampled_from(SYMBOLS), unique=True))
        # The last two sessions follow each other: a bar may be one of either.
        minutes = {SESSIONS[2]: (0, 1, -DAY_BEFORE), SESSIONS[3]: (0, 1, DAY_BEFORE)}
        days = [day for day in SESSIONS if first <= day <= last]
        inside = [(s, d, m) for s in symbols for d in days for m in minutes.get(d, (0, 1))]
        chosen = data.draw(st.lists(st.sampled_from(inside), unique=True)) if inside else []
        frame = bars({key: data.draw(prices) for key in chosen}, dataset)
        slice_: Slice = {"sessions": (first, last), "symbols": symbols}
        results = [outcome(store, dataset, frame, slice_) for store in (ours, theirs)]
        assert results[0] == results[1]
        assert_frame_equal(ours.scan(dataset), theirs.scan(dataset), check_exact=True)
    start = datetime.combine(data.draw(st.sampled_from(SESSIONS)), datetime.min.time(), UTC)
    asked = data.draw(st.none() | st.lists(st.sampled_from(SYMBOLS), unique=True))
    columns = data.draw(st.none() | st.just(["close", "symbol", "flags"]))
    for found in (
        lambda s: s.scan(dataset, symbols=asked, start=start, columns=columns),
        lambda s: s.scan(dataset, symbols=asked, sessions=(SESSIONS[1], SESSIONS[2])),
        lambda s: s.latest(dataset, symbols=asked, rows=2),
    ):
        assert_frame_equal(found(ours), found(theirs), check_exact=True)
