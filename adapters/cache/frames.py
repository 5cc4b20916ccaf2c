"""Frames as bytes: raw Arrow IPC, and back.

What belongs here: the form of a cached answer. What does not: keys and versions (cached_store.py).

A text that is the same in every row (of one symbol, one vendor, one version of the rules) is kept
once and repeated on reading. In memory Arrow spends 16 bytes per row on it, which would be half of
an answer and of its way over the network.
"""

from __future__ import annotations

import io

import polars as pl

_LENGTH_BYTES = 8


def to_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as two pieces of Arrow IPC: the row of texts that repeat, then the other columns."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    # One column at least stays in the other piece: it knows how many rows there are.
    same = [name for name in texts if _repeats(frame[name])][: frame.width - 1]
    row = _ipc(frame.select(same).head(1))
    return b"".join((len(row).to_bytes(_LENGTH_BYTES, "big"), row, _ipc(frame.drop(same))))


def from_bytes(content: bytes, columns: list[str]) -> pl.DataFrame:
    """The frame, its columns in this order.

    Raises:
        polars.exceptions.PolarsError: these are no bytes of `to_bytes`, or of other columns.
    """
    view = memoryview(content)
    length = int.from_bytes(view[:_LENGTH_BYTES], "big")
    if length > len(view):
        raise pl.exceptions.ComputeError("the bytes end before their first piece does")
    row = pl.read_ipc(bytes(view[_LENGTH_BYTES : _LENGTH_BYTES + length]))
    rest = pl.read_ipc(bytes(view[_LENGTH_BYTES + length :]))
    repeated = [pl.lit(row[name].item(), pl.String).alias(name) for name in row.columns]
    return rest.with_columns(repeated).select(columns)


def _repeats(texts: pl.Series) -> bool:
    # All-null is left alone, and a column that varies usually does so early.
    if texts.len() < 2 or texts[0] is None or texts[0] != texts[-1]:
        return False
    return bool((texts == texts[0]).all(ignore_nulls=False))


def _ipc(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_ipc(content, compression="uncompressed")
    return content.getvalue()
