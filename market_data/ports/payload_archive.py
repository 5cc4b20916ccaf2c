"""The payload archive port: the bytes of every answer, kept once by content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Payload:
    """One answer as it came.

    Attributes:
        content: the bytes.
        source: address or path that it came from, without secrets.
        media_type: what the bytes are.
        symbol: the one symbol that it answers about; empty where it may be about several.
    """

    content: bytes
    source: str
    media_type: str = "application/octet-stream"
    symbol: str = ""


class PayloadArchive(Protocol):
    """Content-addressed and compressed."""

    def put(self, payload: Payload) -> str:
        """Keep a payload and return its address: the SHA-256 of its content, in hex."""
        ...

    def get(self, address: str) -> bytes:
        """The content of an address.

        Raises:
            KeyError: nothing was kept under it.
        """
        ...
