"""A disk that takes no more, in the platform's words.

What belongs here: telling that a failure is the disk's, whichever library reports it, and the typed
error that names the folder and the cure.
What does not: other trouble of a store; servers, whose disks are theirs.

Polars and Delta Lake put the system's number into the text of their errors, SQLite has numbers of
its own, and only Python's errors have it as a field.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from market_data.errors import StorageError

_MEANINGS = {
    errno.ENOSPC: "has no room left: make room on its disk",
    errno.EDQUOT: "has no room left for this user: raise the quota",
    errno.EFBIG: "takes no file of this size: raise the limit of this process",
    errno.EROFS: "can only be read: mount it for writing",
    errno.EACCES: "is closed to this user: grant access",
    errno.EPERM: "is closed to this user: grant access",
    errno.EIO: "is on a disk that fails: replace it",
}
_SQLITE = {
    3: errno.EACCES,
    8: errno.EROFS,
    10: errno.EIO,
    13: errno.ENOSPC,
    14: errno.EACCES,
}
"""Primary result codes of SQLite: PERM, READONLY, IOERR, FULL, CANTOPEN."""
_IN_TEXT = re.compile(r"\(os error (\d+)\)|\bOs { code: (\d+)")


@contextmanager
def writing_to(folder: Path | str, *kinds: type[Exception]) -> Iterator[None]:
    """Turns what the disk refuses into a typed error; any other error passes.

    Args:
        folder: what is written to, as the message calls it.
        kinds: further errors that may come from the disk, those of a database.

    Raises:
        StorageError: the disk is full, can only be read, or fails.
    """
    reported: tuple[type[Exception], ...] = (OSError, pl.exceptions.PolarsError, *kinds)
    try:
        yield
    except reported as error:
        told = refusal(error, folder)
        if told is None:
            raise
        # Not chained: whoever shows the first cause shows this one.
        raise StorageError(told) from None


def refusal(error: BaseException, folder: Path | str) -> str | None:
    """What it means that the disk of a folder refused a write; None where it was not the disk."""
    meaning = _meaning(error)
    return None if meaning is None else f"{folder} {meaning}, or name another in EMP_DATA_DIR"


def told_of_a_disk(error: BaseException) -> str | None:
    """The same of an error that came from anywhere, and of those that led to it."""
    cause: BaseException | None = error
    while cause is not None:
        meaning = _meaning(cause)
        if meaning is not None:
            file = getattr(cause, "filename", None) or "a file below EMP_DATA_DIR or DAGSTER_HOME"
            return f"{file} {meaning}"
        cause = cause.__cause__ or cause.__context__
    return None


def _meaning(error: BaseException) -> str | None:
    return _MEANINGS.get(_number(error) or 0)


def _number(error: BaseException) -> int | None:
    """The system's number of an error."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF)
    found = _IN_TEXT.search(str(error))
    return int(found[1] or found[2]) if found else None
