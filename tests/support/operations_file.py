"""A new operations database without its migrations, for tests that make many installations.

What belongs here: the file, migrated once per process and copied from then on, and a loss of its
rows. What does not: tests of migrations, and of the first start of an installation; they begin with
nothing.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from adapters.operations import open_database
from adapters.settings import Settings


def give_operations(settings: Settings) -> None:
    """The file of an installation in bootstrap mode, where it has none."""
    _give(_file(settings.local_operations_url))


def open_new(url: str) -> sa.Engine:
    """An open operations database of a test's own; one in SQLite need not be there.

    Args:
        url: see `adapters.operations.open_database`.
    """
    if url.startswith("sqlite"):
        _give(_file(url))
    return open_database(url)


def emptied_quarantine(settings: Settings) -> None:
    """Lose every refused row, as an older copy of the file would."""
    with closing(sqlite3.connect(_file(settings.local_operations_url))) as connection, connection:
        connection.execute("DELETE FROM quarantine")


def _give(file: Path) -> None:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_migrated())


def _file(url: str) -> Path:
    return Path(url.partition("sqlite:///")[2])


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "operations.sqlite"
        # The last connection takes the write-ahead log into the file.
        open_database(f"sqlite:///{file}").dispose()
        return file.read_bytes()
