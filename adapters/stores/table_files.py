"""The data files of one table: written whole or not at all, and removed again.

What belongs here: Parquet files below a local folder or an object store.
What does not: which of them count (delta_table.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

ROW_GROUP = 16_384


class TableFiles:
    """Files of one table.

    Args:
        local: folder of the table; None on an object store.
        uri: where the table lies.
        storage_options: credentials and settings of an object store.
    """

    def __init__(
        self, local: Path | None, uri: str, storage_options: Mapping[str, str] | None = None
    ) -> None:
        self._local = local
        self._uri = uri
        self._options = storage_options
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
        self._object_store().open_output_stream(path).write(buffer.getvalue())
        return buffer.tell()

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files that no version names, or that were never finished."""
        for path in paths:
            if self._local is not None:
                (self._local / path).unlink(missing_ok=True)
            else:
                self._object_store().delete_file(path)

    @contextmanager
    def removed_on_error(self) -> Iterator[None]:
        """What this thread writes within is removed when an error ends it.

        A disk that is full must not be filled further by every attempt.
        """
        paths: list[str] = []
        self._drafts.paths = paths
        try:
            yield
        except BaseException:
            # A disk that can only be read refuses this as well; what ended the work counts.
            with suppress(OSError):
                self.remove(paths if self._local is not None else ())
            raise
        finally:
            self._drafts.paths = None

    def _object_store(self) -> Any:
        from deltalake.fs import DeltaStorageHandler

        return DeltaStorageHandler(self._uri, options=dict(self._options or {}) or None)
