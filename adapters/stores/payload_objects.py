"""The payload archive on an object store: the bytes of every answer, once per content, compressed.

What belongs here: addresses, writing and reading back. What does not: the same in a folder
(payload_files.py).

An object lies at root/ab/cd/<sha-256>.zst, as the files of a folder do: one is copied into the
other as it is.
"""

from __future__ import annotations

import hashlib
import re

from adapters.stores.objects import Objects, Options
from market_data.errors import MarketDataError
from market_data.ports import Payload

_ADDRESS = re.compile(r"[0-9a-f]{64}")


class PayloadObjects:
    """Keeps payloads below a URI.

    Args:
        uri: s3://bucket/prefix.
        options: credentials and settings.
        level: zstd level; answers are text, which shrinks well at low levels.
    """

    def __init__(self, uri: str, options: Options | None = None, level: int = 3) -> None:
        self._objects = Objects(uri, options)
        self._level = level

    def put(self, payload: Payload) -> str:
        """Keep a payload and return its address: the SHA-256 of its content, in hex.

        Content that is there already is not written again.

        Raises:
            StoreUnavailableError: the store does not answer, or refuses.
        """
        import zstandard

        content = bytes(payload.content)
        address = hashlib.sha256(content).hexdigest()
        if self._objects.size(_path(address)) is None:
            packed = zstandard.ZstdCompressor(level=self._level, write_checksum=True)
            self._objects.put(_path(address), packed.compress(content))
        return address

    def get(self, address: str) -> bytes:
        """The content of an address.

        Raises:
            KeyError: nothing was kept under it, or it is no address.
            MarketDataError: the object is damaged; a payload never comes back changed or short.
            StoreUnavailableError: the store does not answer, or refuses.
        """
        import zstandard

        if not _ADDRESS.fullmatch(address):
            raise KeyError(address)
        place = f"payload {self._objects.uri}/{_path(address)}"
        try:
            packed = self._objects.get(_path(address))
        except FileNotFoundError as error:
            raise KeyError(address) from error
        try:
            content = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        except zstandard.ZstdError as error:
            raise MarketDataError(f"{place} is damaged: {error}") from error
        if hashlib.sha256(content).hexdigest() != address:
            raise MarketDataError(f"{place} is damaged: its content has another digest")
        return content


def _path(address: str) -> str:
    return f"{address[:2]}/{address[2:4]}/{address}.zst"
