"""What a disk refuses, as each library reports it."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from adapters.disk import refusal, told_of_a_disk, writing_to
from adapters.operations.database import open_database, writing
from market_data.errors import StorageError, StoreConflictError

FULL = "has no room left: make room on its disk"
READ_ONLY = "can only be read: mount it for writing"


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), FULL),
        (OSError("Generic LocalFileSystem error\n No space left on device (os error 28)\n"), FULL),
        (pl.exceptions.ComputeError("parquet: No space left on device (os error 28)"), FULL),
        (OSError(errno.EROFS, "Read-only file system", "/lake/x"), READ_ONLY),
        (OSError('Os { code: 30, kind: ReadOnlyFilesystem, message: "..." }'), READ_ONLY),
        (PermissionError(errno.EACCES, "Permission denied"), "is closed to this user"),
    ],
)
def test_every_form_of_a_refusal_is_told_alike(error: Exception, meaning: str) -> None:
    with pytest.raises(StorageError) as raised, writing_to("/lake"):
        raise error
    assert str(raised.value).startswith(f"/lake {meaning}")
    assert "EMP_DATA_DIR" in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file"),
        OSError("Generic S3 error: Connection refused (os error 111)"),
        pl.exceptions.ComputeError("code: 28 rows"),
        StoreConflictError("others won"),
        ValueError("(os error 28)"),
    ],
)
def test_other_trouble_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, writing_to("/lake"):
        raise error
    assert raised.value is error


def test_a_database_file_that_takes_no_more(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/operations.sqlite")
    with pytest.raises(StorageError, match=f"{tmp_path}.*{FULL}"), writing(engine) as connection:
        # SQLite's own limit says the same as a disk that is full.
        pages = connection.scalar(sa.text("pragma page_count"))
        connection.execute(sa.text(f"pragma max_page_count = {pages}"))
        connection.execute(sa.text("create table filler as select randomblob(1000000) as x"))
    engine.dispose()


def test_a_cause_far_down_names_its_file() -> None:
    error = RuntimeError("a step failed")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/data/dagster/x")
    assert told_of_a_disk(error) == f"/data/dagster/x {FULL}"
    assert told_of_a_disk(RuntimeError("something else")) is None
    assert refusal(sqlite3.OperationalError("no such table"), "/data") is None
