"""One server and one backfill for all end-to-end tests: they are what costs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.dagster_server import DagsterServer, dagster_server
from tests.support.ui_backfill import backfill


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterServer]:
    """Webserver and daemon over an empty data folder."""
    with dagster_server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def backfilled(server: DagsterServer) -> DagsterServer:
    """The server after a backfill of sixty sessions."""
    backfill(server)
    return server
