"""A migrated database of the test module, a store on it, and what the server itself says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from adapters.timescale.bar_store import TimescaleStore
from adapters.timescale.connection import Connections
from adapters.timescale.factory import open_connections
from adapters.timescale.settings import TimescaleSettings


@pytest.fixture(scope="module")
def connections(timescale_url: str) -> Iterator[Connections]:
    """Connections of this process, with the settings of production."""
    opened = open_connections(TimescaleSettings(url=timescale_url))
    yield opened
    opened.close()


@pytest.fixture
def sql(timescale_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection that goes past the platform."""
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def store(connections: Connections, sql: psycopg.Connection[Any]) -> TimescaleStore:
    """An empty store."""
    sql.execute("truncate curated.bars_1m, curated.bars_1d, quality.scores")
    sql.execute("truncate emp.months, emp.receipts")
    return TimescaleStore(connections)
