"""Databases for the tests of the operations ports: SQLite always, PostgreSQL where one is given.

EMP_TEST_POSTGRES holds the URL of a PostgreSQL database in which schemas may be made and dropped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.operations import open_database

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL URL whose search path is a schema of its own."""
    server = os.environ.get("EMP_TEST_POSTGRES")
    if not server:
        pytest.skip("no PostgreSQL server: set EMP_TEST_POSTGRES to the URL of a database")
    admin = sa.create_engine(server)
    schema = f"test_{uuid.uuid4().hex}"
    with admin.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    url = sa.make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with admin.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty operations database, once per engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new folder/operations.sqlite"
    return request.getfixturevalue("postgres_url")


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
