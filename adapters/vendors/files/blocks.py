"""Unpacked bytes to blocks of whole lines in UTF-8.

What belongs here: line ends, encodings, block size. What does not: what a line means.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapters.vendors.files.source import BrokenStreamError
from market_data.errors import ConfigurationError, MalformedAnswerError

BLOCK = 16 * 1024 * 1024
"""Bytes of one block: some 300,000 rows of bars."""

LONGEST_LINE = 1024 * 1024
REPLACEMENT = "\ufffd"
"""Stands in a line where its bytes are not of the promised encoding."""

_BOM = codecs.BOM_UTF8
_BYTEWISE = {"utf-8", "ascii"}


@dataclass(frozen=True)
class Block:
    """Whole lines, each ended by a line feed.

    Attributes:
        data: the lines.
        line: number of the first one in its text, from 1.
    """

    data: bytes
    line: int


def line_blocks(
    chunks: Iterable[bytes], label: str, *, encoding: str = "utf-8", size: int = BLOCK
) -> Iterator[Block]:
    """Cut a stream into blocks of whole lines.

    The last line may lack its line feed. Bytes that are not of the encoding become U+FFFD.

    Args:
        chunks: the bytes in order.
        label: the text's name, for errors.
        encoding: of the bytes.
        size: bytes after which a block is closed.

    Raises:
        BrokenStreamError: the stream breaks; whole lines before that are yielded first.
        MalformedAnswerError: a line has no end, as in a binary file.
        ConfigurationError: there is no such encoding.
    """
    held = bytearray()
    line = 1
    broken: BrokenStreamError | None = None
    stream = iter(_decoded(chunks, encoding))
    while True:
        try:
            chunk = next(stream)
        except StopIteration:
            break
        except BrokenStreamError as error:
            broken = error
            break
        held += chunk
        cut = held.rfind(b"\n") + 1
        if len(held) - cut > LONGEST_LINE:
            raise MalformedAnswerError(
                f"{label}: line {line:,} has no end; this is no text of rows"
            )
        if cut and len(held) >= size:
            block = _block(bytes(held[:cut]), line, encoding)
            del held[:cut]
            yield block
            line += block.data.count(b"\n")
    if broken is not None:
        # The line that was cut may read as a whole one with a shorter last price.
        del held[held.rfind(b"\n") + 1 :]
    if held:
        block = _block(bytes(held), line, encoding)
        yield block
        line += block.data.count(b"\n")
    if broken is not None:
        raise BrokenStreamError(f"{broken}; the last whole line is {line - 1:,}") from broken


def _block(data: bytes, line: int, encoding: str) -> Block:
    if line == 1 and data.startswith(_BOM):
        data = data[len(_BOM) :]
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    if not data.endswith(b"\n"):
        data += b"\n"
    if _name(encoding) in _BYTEWISE and not data.isascii():
        data = data.decode(encoding, errors="replace").encode()
    return Block(data, line)


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Bytes as UTF-8; UTF-8 itself passes as it is and is looked at line by line."""
    if _name(encoding) in _BYTEWISE:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def _name(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise ConfigurationError(f"there is no encoding {encoding!r}") from error
