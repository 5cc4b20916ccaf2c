"""The bytes of one file: opened once, kept as the payload, unpacked as a stream.

What belongs here: reading, hashing, gzip and zip, and every error that they meet.
What does not: text and lines (blocks.py).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

from adapters.vendors.files.spec import FormatSpec
from market_data.errors import MalformedAnswerError, VendorError, VendorUnavailableError
from market_data.ports import Payload

PAYLOAD_LIMIT = 64 * 1024 * 1024
"""Bytes up to which a file is archived whole; of a longer one its digest is."""

CHUNK = 1024 * 1024
_GZIP, _ZIP = b"\x1f\x8b", b"PK"
_MEDIA = {"gzip": "application/gzip", "zip": "application/zip", "none": "text/csv"}


class BrokenStreamError(MalformedAnswerError):
    """The file ends or breaks in the middle; what came before it stands."""


@dataclass(frozen=True)
class Source:
    """One file and how it is packed."""

    path: Path
    compression: str
    size: int
    content: bytes | None
    """The whole file where it is short enough to be archived, so that rows and payload are of one
    read."""

    @classmethod
    def of(cls, path: Path, spec: FormatSpec) -> Source:
        """Look at a file.

        Raises:
            VendorUnavailableError: it cannot be read.
        """
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                content = file.read() if size <= PAYLOAD_LIMIT else None
                file.seek(0)
                start = file.read(2)
        except OSError as error:
            raise VendorUnavailableError(f"cannot read {path}: {error.strerror}") from error
        compression: str = spec.compression
        if compression == "auto":
            compression = _guess(path, start)
        return cls(path, compression, size, content)

    @classmethod
    def archived(cls, content: bytes, spec: FormatSpec) -> Source:
        """The bytes of an archived file.

        Raises:
            VendorError: the archive kept a note of a long file instead of the file.
        """
        path = Path("archived payload")
        if content.startswith(b'{"path"') and b'"sha256"' in content:
            raise VendorError("the file was too long to be archived; read it from where it lies")
        compression: str = spec.compression
        if compression == "auto":
            compression = _guess(path, content[:2])
        return cls(path, compression, len(content), content)

    def payload(self) -> Payload:
        """The file's bytes; for a file above 64 MB a JSON note of its path, size and SHA-256."""
        if self.content is not None:
            return Payload(self.content, str(self.path), _MEDIA[self.compression])
        digest = hashlib.sha256()
        with self._open() as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        note = {"path": str(self.path), "size": self.size, "sha256": digest.hexdigest()}
        return Payload(json.dumps(note).encode(), str(self.path), "application/json")

    def chunks(self, spec: FormatSpec) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each text inside the file: its name and its unpacked bytes in chunks of about 1 MB.

        Raises:
            MalformedAnswerError: the file is not what its compression says, or holds more than
                one text while the rows do not name their symbol.
            BrokenStreamError: while a text is read, it ends or breaks in the middle.
        """
        with self._open() as file:
            if self.size == 0:
                return
            if self.compression == "zip":
                yield from self._members(file, spec)
            elif self.compression == "gzip":
                yield str(self.path), _gunzip(file, str(self.path))
            else:
                yield str(self.path), iter(lambda: file.read(CHUNK), b"")

    def _open(self) -> BinaryIO:
        return self.path.open("rb") if self.content is None else io.BytesIO(self.content)

    def _members(self, file: BinaryIO, spec: FormatSpec) -> Iterator[tuple[str, Iterator[bytes]]]:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise MalformedAnswerError(f"{self.path} is not a whole zip: {error}") from error
        with archive:
            names = [n for n in archive.namelist() if _is_text(n, spec.member)]
            if not names:
                raise MalformedAnswerError(f"{self.path} holds no file named {spec.member}")
            if len(names) > 1 and spec.symbol_from != "column":
                raise MalformedAnswerError(
                    f"{self.path} holds {len(names)} files ({', '.join(names[:5])} ...); "
                    "say which one with `member` in the format"
                )
            for name in names:
                label = f"{self.path}!{name}"
                yield label, _unzip(archive, name, label)


def _guess(path: Path, start: bytes) -> str:
    suffix = path.suffix.lower()
    if start == _ZIP or suffix == ".zip":
        return "zip"
    return "gzip" if start == _GZIP or suffix == ".gz" else "none"


def _is_text(name: str, pattern: str) -> bool:
    base = name.rpartition("/")[2]
    hidden = not base or base.startswith(".") or name.startswith("__MACOSX/")
    return not hidden and fnmatch(base.lower(), pattern.lower())


def _unzip(archive: zipfile.ZipFile, name: str, label: str) -> Iterator[bytes]:
    done = 0
    try:
        with archive.open(name) as member:
            while chunk := member.read(CHUNK):
                done += len(chunk)
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise BrokenStreamError(f"{label} breaks after byte {done:,}: {error}") from error


def _gunzip(file: BinaryIO, label: str) -> Iterator[bytes]:
    """Unpack a gzip of one or more members, down to the last byte before a break.

    The standard reader loses what it has already unpacked when the file ends early.
    """
    unpacker = zlib.decompressobj(wbits=31)
    done = 0
    rest = b""
    try:
        while packed := rest or file.read(CHUNK):
            chunk = unpacker.decompress(packed, CHUNK)
            done += len(chunk)
            if chunk:
                yield chunk
            rest = unpacker.unconsumed_tail
            if unpacker.eof:
                # Another member may follow, after zeros that pad the file to a block.
                rest = unpacker.unused_data.lstrip(b"\0") or file.read(CHUNK).lstrip(b"\0")
                if rest:
                    unpacker = zlib.decompressobj(wbits=31)
        if tail := unpacker.flush():
            done += len(tail)
            yield tail
    except zlib.error as error:
        raise BrokenStreamError(f"{label} breaks after byte {done:,}: {error}") from error
    if not unpacker.eof:
        raise BrokenStreamError(f"{label} ends early, after byte {done:,}: it was cut off")
