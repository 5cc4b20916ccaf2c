"""The payload archive as files: the bytes of every answer, once per content, compressed.

What belongs here: addresses, atomic writing, reading back.
What does not: which fetch an answer belongs to (the journal keeps the addresses).

A file lies at root/ab/cd/<sha-256>.zst, after the first four digits of its address. It is written
under another name in the same folder and renamed, so that a name is only ever a whole file.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from uuid import uuid4

from adapters.disk import writing_to
from market_data.errors import MarketDataError
from market_data.ports import Payload

CHUNK = 1 << 20
_ADDRESS = re.compile(r"[0-9a-f]{64}")


class PayloadFiles:
    """Keeps payloads below a local folder.

    Args:
        root: the folder; made when the first payload comes.
        level: zstd level; answers are text, which shrinks well at low levels.
    """

    def __init__(self, root: Path | str, level: int = 3) -> None:
        self._root = Path(root)
        self._level = level

    def put(self, payload: Payload) -> str:
        """Keep a payload and return its address: the SHA-256 of its content, in hex.

        Content that is there already is not written again.

        Raises:
            StorageError: the disk takes no more.
        """
        content = memoryview(payload.content)
        address = hashlib.sha256(content).hexdigest()
        target = self._path(address)
        if not target.exists():
            with writing_to(self._root):
                self._write(target, content)
        return address

    def _write(self, target: Path, content: memoryview) -> None:
        import zstandard

        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{uuid4().hex}.tmp")
        try:
            with (
                unfinished.open("wb") as file,
                zstandard.ZstdCompressor(level=self._level, write_checksum=True).stream_writer(
                    file, size=len(content), closefd=False
                ) as writer,
            ):
                for start in range(0, len(content), CHUNK):
                    writer.write(content[start : start + CHUNK])
            _flush_to_disk(unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def get(self, address: str) -> bytes:
        """The content of an address.

        Raises:
            KeyError: nothing was kept under it, or it is no address.
            MarketDataError: the file is damaged; a payload never comes back changed or short.
        """
        import zstandard

        if not _ADDRESS.fullmatch(address):
            raise KeyError(address)
        path = self._path(address)
        try:
            with path.open("rb") as file:
                content = zstandard.ZstdDecompressor().stream_reader(file).read()
        except FileNotFoundError as error:
            raise KeyError(address) from error
        except zstandard.ZstdError as error:
            raise MarketDataError(f"payload {path} is damaged: {error}") from error
        if hashlib.sha256(content).hexdigest() != address:
            raise MarketDataError(f"payload {path} is damaged: its content has another digest")
        return content

    def _path(self, address: str) -> Path:
        return self._root / address[:2] / address[2:4] / f"{address}.zst"


def _flush_to_disk(path: Path) -> None:
    """What a journal row points to shall outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
