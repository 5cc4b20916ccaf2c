"""The reference tables of the shipped configuration, the same in both modes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from adapters.configuration import load_universe
from adapters.settings import Settings
from adapters.stores.reference_tables import ReferenceStore, ReferenceTables
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_reference_tables
from market_data.reference.tables import instruments_table, sessions_table
from market_data.schemas import INSTRUMENTS, TRADING_SESSIONS

NEW_COLUMNS = ["expected_from", "expected_until", "changed"]


@pytest.fixture(params=["files", "server"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> ReferenceStore:
    if request.param == "server":
        connections: Connections = request.getfixturevalue("connections")
        return open_reference_tables(connections)
    return ReferenceTables(tmp_path)


def test_tables_come_back_as_they_were_put(tables: ReferenceStore) -> None:
    universe = load_universe(Settings())
    for name, schema, frame in (
        ("reference/instruments", INSTRUMENTS, instruments_table(universe)),
        (
            "reference/trading_sessions",
            TRADING_SESSIONS,
            sessions_table(universe, date(2016, 1, 1), date(2017, 12, 31)),
        ),
    ):
        assert tables.put(name, frame)
        assert_frame_equal(tables.get(name), frame)
        schema.check(tables.get(name))
        assert not tables.put(name, frame)


def test_a_table_of_an_older_release_takes_the_new_columns(tables: ReferenceStore) -> None:
    universe = load_universe(Settings())
    frame = sessions_table(universe, date(2016, 12, 1), date(2017, 1, 31))
    name = "reference/trading_sessions"
    tables.put(name, frame.drop(NEW_COLUMNS))
    old = TRADING_SESSIONS.conform(tables.get(name))
    assert old.select(pl.col(NEW_COLUMNS).null_count()).row(0) == (frame.height,) * 3
    assert tables.put(name, frame)
    assert_frame_equal(tables.get(name), frame)
