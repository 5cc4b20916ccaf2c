"""What a Parquet file of an export holds, read from the disk.

What belongs here: rows, bytes, checksum and digest of one file, of many at once.
What does not: which files there are (store.py), what they should hold (verifying.py).

Executors of a Spark cluster call `facts` as well: it takes and returns what can be sent to them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from market_data.exports.digest import ContentDigest, content_digest
from market_data.exports.manifest import total

BATCH = 1 << 16
"""Rows that are looked at together: they fit the processor's cache."""
READERS = 2
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Facts:
    """A file.

    Attributes:
        path: of the file.
        rows: how many.
        bytes: how long.
        sha256: of its bytes.
        digest: of its rows.
        schema: its columns with their types, as Arrow names them.
    """

    path: str
    rows: int
    bytes: int
    sha256: str
    digest: str
    schema: tuple[tuple[str, str], ...]


def facts(path: str) -> Facts:
    """Read a file once for its checksum and once for its rows.

    Raises:
        OSError: it cannot be read.
        ArrowInvalid: it is no Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    checksum, length = hashlib.sha256(), 0
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum.update(chunk)
            length += len(chunk)
    shape = pq.read_schema(path)
    texts = [
        f.name for f in shape if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)
    ]
    with pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False) as file:
        # One processor each: files are read side by side.
        found = total(
            content_digest(batch)
            for batch in file.iter_batches(batch_size=BATCH, use_threads=False)
        )
    columns = tuple((field.name, _plain(field.type)) for field in shape)
    return Facts(path, found.rows, length, checksum.hexdigest(), str(found), columns)


def all_facts(paths: Sequence[str]) -> list[Facts]:
    """The facts of many files, in the same order."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(facts, paths))


def digest_of(facts_of_files: Sequence[Facts]) -> ContentDigest:
    """The digest of the rows of several files."""
    return total(ContentDigest.read(f.rows, f.digest) for f in facts_of_files)


def _plain(kind: object) -> str:
    """The type as a user means it: engines differ in how they lay out texts."""
    return str(kind).replace("large_string", "string").replace("string_view", "string")
