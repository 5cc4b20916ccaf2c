"""Names and values that try to be SQL: names come from the registry alone, values stay values."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_reference_tables
from market_data.datasets import Dataset
from market_data.errors import ConfigurationError, SchemaError
from market_data.schemas import Column, FrameSchema
from tests.support.timescale_process import MINUTES, rows

FIRST, LAST = date(2024, 2, 1), date(2024, 2, 2)
SLICE: dict[str, Any] = {"sessions": (FIRST, LAST)}
DROP = "drop table curated.bars_1m cascade"
EVIL = [
    f"x'; {DROP}; --",
    f'x"; {DROP}; --',
    f"x\\'; {DROP}; --",
    f"$$; {DROP}; $$",
    "' or '1'='1",
    "$1",
    "%s",
    "%(symbol)s",
    "{}",
    ":symbol",
    "a,b",
    "é🎉",
]


@pytest.fixture(autouse=True)
def untouched(store: TimescaleStore, sql: psycopg.Connection[Any]) -> Any:
    """Somebody's rows, which are there afterwards."""
    theirs = rows(1.0, FIRST, LAST, ["THEIRS"])
    store.replace(MINUTES, theirs, symbols=["THEIRS"], **SLICE)
    yield
    assert_frame_equal(store.scan(MINUTES, symbols=["THEIRS"]), theirs)


@pytest.mark.parametrize("symbol", EVIL)
def test_a_symbol_round_trips_as_what_it_is(store: TimescaleStore, symbol: str):
    frame = rows(2.0, FIRST, LAST, [symbol])
    assert store.replace(MINUTES, frame, symbols=[symbol], **SLICE) == 2
    assert_frame_equal(store.scan(MINUTES, symbols=[symbol]), frame)
    assert_frame_equal(store.scan(MINUTES, symbols=[symbol, "NOBODY"], **SLICE), frame)
    assert_frame_equal(store.latest(MINUTES, symbols=[symbol], rows=9), frame)
    # The other branch of a write: something is there.
    store.replace(MINUTES, frame.head(1), symbols=[symbol, "NOBODY"], **SLICE)
    assert_frame_equal(store.scan(MINUTES, symbols=[symbol]), frame.head(1))


def test_a_value_round_trips_as_what_it_is(store: TimescaleStore):
    frame = rows(2.0, FIRST, LAST, ["A"]).with_columns(
        source=pl.lit(EVIL[0]), flags=pl.lit(EVIL[1]), rule_version=pl.lit(EVIL[2])
    )
    store.replace(MINUTES, frame, symbols=["A"], **SLICE)
    assert_frame_equal(store.scan(MINUTES, symbols=["A"]), frame)


@pytest.mark.parametrize("read", ["scan", "latest"])
def test_a_symbol_that_the_server_cannot_hold_is_refused(store: TimescaleStore, read: str):
    frame = rows(2.0, FIRST, LAST, ["a\0b"])
    with pytest.raises(SchemaError, match="control character"):
        store.replace(MINUTES, frame, symbols=["a\0b"], **SLICE)
    with pytest.raises(SchemaError, match="character 0"):
        getattr(store, read)(MINUTES, symbols=["a\0b"])


def test_an_empty_symbol_is_refused(store: TimescaleStore):
    with pytest.raises(SchemaError, match="is no symbol"):
        store.replace(MINUTES, rows(2.0, FIRST, LAST, [""]), symbols=[""], **SLICE)


def everything(store: TimescaleStore, dataset: Dataset) -> list[Any]:
    """All that can be asked of a dataset."""
    return [
        lambda: store.scan(dataset),
        lambda: store.latest(dataset),
        lambda: store.version(dataset),
        lambda: store.counts(dataset),
        lambda: store.replace(
            dataset, dataset.schema.empty(), sessions=(FIRST, LAST), symbols=["THEIRS"]
        ),
    ]


@pytest.mark.parametrize(
    "name", [f"curated/bars_1m; {DROP}", f'curated/bars_1m"; {DROP}; --', "emp/months", "x", ""]
)
def test_a_dataset_of_another_name_is_refused(store: TimescaleStore, name: str):
    for attempt in everything(store, replace(MINUTES, name=name)):
        with pytest.raises(ConfigurationError, match="keeps no dataset"):
            attempt()


def test_a_dataset_of_a_known_name_with_other_columns_is_refused(store: TimescaleStore):
    evil = Column(f'x" from curated.bars_1m; {DROP}; --', pl.String(), "evil")
    schema = FrameSchema("evil", (*MINUTES.schema.columns, evil))
    for dataset in (
        replace(MINUTES, schema=schema),
        replace(MINUTES, key=("symbol", 'ts", (select 1) as "x')),
    ):
        for attempt in everything(store, dataset):
            with pytest.raises(ConfigurationError, match="with other columns"):
                attempt()


@pytest.mark.parametrize("column", [f'close" from curated.bars_1m; {DROP}; --', "1; select 1", ""])
def test_a_column_that_is_not_one_is_refused(store: TimescaleStore, column: str):
    with pytest.raises(SchemaError, match="has no column"):
        store.scan(MINUTES, columns=[column])


def test_a_number_of_rows_is_a_number(store: TimescaleStore):
    with pytest.raises(TypeError, match="not supported between"):
        store.latest(MINUTES, rows=f"1; {DROP}")  # type: ignore[arg-type]


def test_reference_tables_are_those_of_the_platform(connections: Connections):
    tables = open_reference_tables(connections)
    for name in (f"reference/x; {DROP}", "curated/bars_1m", "instruments", ""):
        for attempt in (lambda n=name: tables.get(n), lambda n=name: tables.put(n, pl.DataFrame())):
            with pytest.raises(ConfigurationError, match="no reference table"):
                attempt()
    frame = pl.DataFrame({f'x"; {DROP}; --': [1, 2], "name": EVIL[:2]})
    tables.put("reference/instruments", frame)
    assert_frame_equal(tables.get("reference/instruments"), frame)
