"""Databases for the tests of the operations ports: SQLite always, PostgreSQL where a server is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.operations import open_database

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty operations database, once per engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new folder/operations.sqlite"
    return request.getfixturevalue("empty_postgres_url")


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """An open operations database."""
    engine = open_database(url)
    yield engine
    engine.dispose()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python processes on a piece of code; kills what is left of them."""
    processes: list[subprocess.Popen[str]] = []

    def _start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield _start
    for process in processes:
        process.kill()
        process.communicate()
