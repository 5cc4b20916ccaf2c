"""One server and one backfill for all end-to-end tests: they are what costs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.dagster_server import DagsterServer, dagster_server
from tests.support.ui_backfill import backfill

HERE = Path(__file__).parent
RUNNING = ExitStack()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> DagsterServer:
    """Webserver and daemon over an empty data folder."""
    return RUNNING.enter_context(dagster_server(tmp_path_factory.mktemp("server") / "data"))


@pytest.fixture(scope="session")
def backfilled(server: DagsterServer) -> DagsterServer:
    """The server after a backfill of sixty sessions."""
    backfill(server)
    return server


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """The server ends with the last test of this folder, not with all tests: idle, it costs too."""
    if nextitem is None or HERE not in nextitem.path.parents:
        RUNNING.close()
