"""The data files of one table: written whole or not at all, looked at, and removed again.

What belongs here: Parquet files below a local folder or an object store.
What does not: which of them count (delta_table.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import polars as pl

from adapters.stores.objects import Objects, Options
from market_data.errors import StoreUnavailableError

ROW_GROUP = 16_384
"""Rows: one symbol's year is a few groups, and a read skips the others by their statistics."""


class TableFiles:
    """Files of one table.

    Args:
        local: folder of the table; None on an object store.
        uri: where the table lies.
        options: credentials and settings of an object store.
    """

    def __init__(self, local: Path | None, uri: str, options: Options | None = None) -> None:
        self._local = local
        self._objects = None if local is not None else Objects(uri, options)
        self._drafts = threading.local()

    def write(self, path: str, frame: pl.DataFrame) -> int:
        """Write a new file; returns its bytes."""
        drafts: list[str] | None = getattr(self._drafts, "paths", None)
        if drafts is not None:
            drafts.append(path)
        if self._local is not None:
            target = self._local / path
            target.parent.mkdir(parents=True, exist_ok=True)
            frame.write_parquet(target, compression="zstd", row_group_size=ROW_GROUP)
            return target.stat().st_size
        buffer = BytesIO()
        frame.write_parquet(buffer, compression="zstd", row_group_size=ROW_GROUP)
        self._remote.put(path, buffer.getvalue())
        return buffer.tell()

    def read(self, path: str) -> BytesIO:
        """The bytes of a file.

        Raises:
            FileNotFoundError: there is none.
        """
        if self._local is not None:
            return BytesIO((self._local / path).read_bytes())
        return BytesIO(self._remote.get(path))

    def local_path(self, path: str) -> Path | None:
        """Where a file lies; None on an object store."""
        return None if self._local is None else self._local / path

    def size(self, path: str) -> int | None:
        """Bytes of a file; None where there is none."""
        if self._local is None:
            return self._remote.size(path)
        try:
            return (self._local / path).stat().st_size
        except FileNotFoundError:
            return None

    def written_at(self, path: str) -> datetime | None:
        """When a file was written, UTC; None where there is none."""
        if self._local is None:
            return self._remote.written_at(path)
        try:
            return datetime.fromtimestamp((self._local / path).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def stored(self) -> Mapping[str, int]:
        """Every data file that lies there, whether a version names it or not, and its bytes."""
        if self._local is None:
            return {
                found["path"]: found["size"]
                for found in self._remote.below()
                if _is_data(found["path"])
            }
        sizes: dict[str, int] = {}
        for file in self._local.rglob("*.parquet"):
            path = file.relative_to(self._local).as_posix()
            with suppress(FileNotFoundError):  # removed at this moment
                if _is_data(path):
                    sizes[path] = file.stat().st_size
        return sizes

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files that no version names, or that were never finished."""
        if self._local is None:
            self._remote.remove(paths)
            return
        for path in paths:
            (self._local / path).unlink(missing_ok=True)

    @contextmanager
    def removed_on_error(self) -> Iterator[list[str]]:
        """What this thread writes within is removed when an error ends it.

        A disk that is full must not be filled further by every attempt.

        Yields:
            Paths of what was written within.
        """
        paths: list[str] = []
        self._drafts.paths = paths
        try:
            yield paths
        except BaseException:
            # A place that can only be read refuses this as well; what ended the work counts.
            with suppress(OSError, StoreUnavailableError):
                self.remove(paths)
            raise
        finally:
            self._drafts.paths = None

    @property
    def _remote(self) -> Objects:
        if self._objects is None:
            raise TypeError("these files lie in a local folder")
        return self._objects


def _is_data(path: str) -> bool:
    """Parquet files but those of the log and of what was laid aside."""
    return path.endswith(".parquet") and not path.startswith(("_", "."))
