"""The form in which rows travel: one Arrow IPC stream, zstd-compressed, per message.

What belongs here: frames to messages and back, and the headers that say what a message holds.
What does not: where rows come from (replay.py) and go to (reader.py).

A message of a replay has these headers, all of them UTF-8 text:

    kind        "rows", or "end" for the last message of a replay, whose value is JSON
    replay_id   names the replay
    message_id  names the message once, however often it was sent
    dataset     "curated/bars_1m"
    symbol      of all rows; also the message's key
    slice       "2024-03" or "2024"; rows of one slice lie in one partition, in order
    sessions    "2024-03-01/2024-03-31": first and last session that the slice was read for
    part        "1/2": a slice that is too large for one message comes in several
    rows        number of rows
    format      "arrow-stream+zstd"

Any Arrow library reads the value: it is a complete stream with its schema; texts are dictionaries.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from adapters.kafka.delivery import Message
from market_data.errors import SchemaError

FORMAT = "arrow-stream+zstd"
ROWS = "rows"
END = "end"


@dataclass(frozen=True)
class Slice:
    """Where some rows belong.

    Attributes:
        replay_id: names the replay.
        dataset: of the rows.
        symbol: of all rows.
        name: 2024-03, or 2024.
        sessions: first and last session that were read.
    """

    replay_id: str
    dataset: str
    symbol: str
    name: str
    sessions: tuple[date, date]


@dataclass(frozen=True)
class Batch:
    """The rows of one message.

    Attributes:
        slice: where they belong.
        part: its number among the messages of the slice, from 1.
        parts: how many those are.
        message_id: names the message once.
        frame: the rows, in the order of the store.
    """

    slice: Slice
    part: int
    parts: int
    message_id: str
    frame: pl.DataFrame


def to_messages(frame: pl.DataFrame, of: Slice, topic: str, limit: int) -> list[Message]:
    """The rows of one slice as messages of at most `limit` bytes each.

    Raises:
        SchemaError: one row alone is larger than that.
    """
    parts = _encode(frame, limit)
    return [
        Message(
            topic,
            of.symbol.encode(),
            value,
            tuple(
                (name, text.encode())
                for name, text in {
                    "kind": ROWS,
                    "replay_id": of.replay_id,
                    "message_id": f"{of.replay_id}/{of.symbol}/{of.name}/{number}",
                    "dataset": of.dataset,
                    "symbol": of.symbol,
                    "slice": of.name,
                    "sessions": "/".join(day.isoformat() for day in of.sessions),
                    "part": f"{number}/{len(parts)}",
                    "rows": str(rows),
                    "format": FORMAT,
                }.items()
            ),
        )
        for number, (rows, value) in enumerate(parts, start=1)
    ]


def to_batch(value: bytes, headers: Sequence[tuple[str, bytes]]) -> Batch:
    """The rows of a message of kind "rows".

    Raises:
        SchemaError: the message is not of this form.
    """
    told = texts(headers)
    try:
        if told["format"] != FORMAT:
            raise SchemaError(f"replay: rows in the form {told['format']!r} cannot be read")
        first, last = (date.fromisoformat(day) for day in told["sessions"].split("/"))
        part, parts = (int(number) for number in told["part"].split("/"))
        of = Slice(told["replay_id"], told["dataset"], told["symbol"], told["slice"], (first, last))
        compact = pl.read_ipc_stream(io.BytesIO(value))
    except (KeyError, ValueError, pl.exceptions.PolarsError) as error:
        raise SchemaError(f"replay: not a message of rows ({type(error).__name__})") from error
    frame = compact.with_columns(pl.selectors.categorical().cast(pl.String))
    if frame.height != int(told["rows"]):
        raise SchemaError(f"replay: {frame.height} rows where {told['rows']} were announced")
    return Batch(of, part, parts, told["message_id"], frame)


def texts(headers: Sequence[tuple[str, bytes]]) -> Mapping[str, str]:
    """Headers as text; what is not UTF-8 is none of ours and left out."""
    found = {}
    for name, value in headers:
        try:
            found[name] = value.decode()
        except UnicodeDecodeError:
            continue
    return found


def _encode(frame: pl.DataFrame, limit: int) -> list[tuple[int, bytes]]:
    """Rows and bytes of each message, in order."""
    buffer = io.BytesIO()
    # Texts repeat themselves: as dictionaries they take a third less. In the oldest form, which
    # every Arrow library reads.
    compact = frame.with_columns(pl.selectors.string().cast(pl.Categorical))
    compact.write_ipc_stream(buffer, compression="zstd", compat_level=pl.CompatLevel.oldest())
    value = buffer.getvalue()
    if len(value) <= limit:
        return [(frame.height, value)]
    if frame.height == 1:
        raise SchemaError(f"one row takes {len(value)} bytes: raise KAFKA_MAX_MESSAGE_BYTES")
    # As many pieces as the size asks for; each is cut again where rows compress unevenly.
    pieces = min(frame.height, len(value) // limit + 1)
    rows = -(-frame.height // pieces)
    return [part for piece in frame.iter_slices(rows) for part in _encode(piece, limit)]
