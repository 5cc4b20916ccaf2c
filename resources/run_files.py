"""The SQLite file that takes the events of a run, as a copy of an empty one.

What belongs here: making the empty file once in a folder, and copying it whole or not at all.
What does not: what Dagster puts into it, and what is stored (event_log.py).

Dagster makes the tables of each run's file one by one and asks Alembic for its newest revision: a
tenth of a second of processor time, and twenty waits for the disk. A copy waits for one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from dagster import __version__

EMPTY = f".empty-{__version__}"
"""Beside the files of the runs; another version of Dagster may make another one."""


def is_made(engine: sa.Engine, file: Path) -> bool:
    """Whether a file holds Dagster's tables: one whose maker was killed may hold some, or none."""
    if not file.exists():
        return False
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return False
        found = connection.exec_driver_sql("select version_num from alembic_version").scalar()
        return bool(found)


def copy_empty(file: Path, make: Callable[[sa.Engine], None]) -> None:
    """Begin the file of a run, unless another process has begun it by now, or it cannot be linked.

    Args:
        file: of the run, which is not there.
        make: makes Dagster's tables in an empty database.
    """
    empty = file.with_name(EMPTY)
    if not empty.exists():
        _make_empty(empty, make)
    descriptor, name = tempfile.mkstemp(prefix=f"{EMPTY}-", dir=file.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as copy:
            copy.write(empty.read_bytes())
            copy.flush()
            os.fsync(copy.fileno())
        # As SQLite would have made it; a temporary file is its owner's alone.
        draft.chmod(empty.stat().st_mode)
        # Who reads the run meanwhile finds a whole file or none, and who was faster keeps its own.
        # Where a file system knows no hard links there is none after this, and it is made anew.
        with suppress(OSError):
            os.link(draft, file)
    finally:
        draft.unlink()


def _make_empty(empty: Path, make: Callable[[sa.Engine], None]) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{EMPTY}-", dir=empty.parent) as folder:
        draft = Path(folder) / "new.db"
        engine = sa.create_engine(f"sqlite:///{draft}", poolclass=sa.pool.NullPool)
        # Its last connection takes the write-ahead log into the file, which is on the disk then.
        make(engine)
        draft.replace(empty)
