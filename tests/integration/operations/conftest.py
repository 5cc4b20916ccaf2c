"""Databases for the tests of the operations ports: SQLite always, PostgreSQL where a server is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.operations_file import open_new
from tests.support.warm_python import StartedPython


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an operations database, once per engine; empty where no test has it opened."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new folder/operations.sqlite"
    opened = "engine" in request.fixturenames
    return request.getfixturevalue("operations_postgres_url" if opened else "empty_postgres_url")


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """An open operations database."""
    engine = open_new(url)
    yield engine
    engine.dispose()


@pytest.fixture
def start() -> Iterator[Callable[..., StartedPython]]:
    """Starts Python processes on a piece of code; kills what is left of them."""
    processes: list[StartedPython] = []

    def _start(code: str, *arguments: str) -> StartedPython:
        process = StartedPython(["-c", code, *arguments])
        processes.append(process)
        return process

    yield _start
    for process in processes:
        process.kill()
        process.communicate()
