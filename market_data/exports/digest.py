"""The digest of what an export holds: the same for the same rows, whoever wrote them.

What belongs here: a number that changes when any value of the rows changes, made from Arrow data at
the speed at which Parquet is read. What does not: reading files (adapters/exports/files.py);
digests of stored slices (market_data/quality/digest.py), which cost several times as much.

It depends on the values alone: not on the order of rows, their cut into files, the engine, or its
encoding of text. Every cell becomes 64 bits (numbers and times as they are stored, texts by
BLAKE2b), is folded and multiplied with an odd number that follows from the column's name; the sum
of a row goes through the finaliser of SplitMix64 twice, with different seeds, and rows are added
modulo 2**64. It guards against change, not against forgery.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]

_SEEDS = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
_NULL = 0xA0761D6478BD642F


@dataclass(frozen=True)
class ContentDigest:
    """How many rows there are, and two sums over them; those of parts add up to the whole's."""

    rows: int = 0
    low: int = 0
    high: int = 0

    def __add__(self, other: ContentDigest) -> ContentDigest:
        """The digest of the rows of both."""
        low, high = (self.low + other.low) % 2**64, (self.high + other.high) % 2**64
        return ContentDigest(self.rows + other.rows, low, high)

    def __str__(self) -> str:
        """32 hexadecimal digits."""
        return f"{self.low:016x}{self.high:016x}"

    @classmethod
    def read(cls, rows: int, text: str) -> ContentDigest:
        """From what `str` made of it.

        Raises:
            ValueError: it is no such text.
        """
        if len(text) != 32:
            raise ValueError(f"{text!r} is no digest")
        return cls(rows, int(text[:16], 16), int(text[16:], 16))


def content_digest(batch: pa.RecordBatch) -> ContentDigest:
    """Digest rows; every column counts, by its name.

    Args:
        batch: columns of numbers, times in any unit, days, truth values and texts; texts are
            cheapest as dictionaries.

    Raises:
        TypeError: a column is of another type.
    """
    import numpy as np

    if not batch.num_rows:
        return ContentDigest()
    state: Words = np.zeros(batch.num_rows, dtype=np.uint64)
    spare = np.empty_like(state)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        bits = _bits(column)
        # Folded: what differs in its topmost bits alone, a sign, differs in others as well.
        np.right_shift(bits, np.uint64(32), out=spare)
        np.bitwise_xor(spare, bits, out=spare)
        np.multiply(spare, np.uint64(_text_bits(name) | 1), out=spare)
        np.add(state, spare, out=state)
    low, high = (int(_finalised(state, seed).sum(dtype=np.uint64)) for seed in _SEEDS)
    return ContentDigest(batch.num_rows, low, high)


def _finalised(state: Words, seed: int) -> Words:
    import numpy as np

    mixed: Any = state + np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    found: Words = mixed
    return found


def _bits(column: pa.Array) -> Words:
    """Each cell as 64 bits; null has its own, -0.0 is 0.0, and one pattern stands for every NaN."""
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        words = _words(column.dictionary)
        codes = column.indices
        plain = codes.fill_null(0) if codes.null_count else codes
        if not len(words):
            return np.full(len(column), _NULL, dtype=np.uint64)
        return _without_nulls(words[plain.to_numpy()], codes)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        plain = column.cast(pa.large_string()) if pa.types.is_string_view(kind) else column
        return _bits(plain.dictionary_encode())
    if pa.types.is_floating(kind):
        values = _plain(column.cast(pa.float64()), 0.0) + 0.0
        odd = np.isnan(values)
        if odd.any():
            values[odd] = np.nan
        return _without_nulls(values.view(np.uint64), column)
    return _without_nulls(_plain(_whole(column), 0).view(np.uint64), column)


def _whole(column: pa.Array) -> pa.Array:
    """A column of times, days, truth values or whole numbers as 64-bit numbers."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    if pa.types.is_date(kind):
        return column.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
    if pa.types.is_boolean(kind):
        return column.cast(pa.uint8()).cast(pa.int64())
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    raise TypeError(f"no digest of a column of type {kind}")


def _plain(column: pa.Array, filling: float) -> Any:
    filled = column.fill_null(filling) if column.null_count else column
    return filled.to_numpy()


def _without_nulls(words: Words, column: pa.Array) -> Words:
    import numpy as np

    if not column.null_count:
        return words
    empty = column.is_null().to_numpy(zero_copy_only=False)
    return np.where(empty, np.uint64(_NULL), words)


def _words(texts: pa.Array) -> Words:
    import numpy as np

    found = [_NULL if t is None else _text_bits(t) for t in texts.to_pylist()]
    return np.array(found, dtype=np.uint64)


def _text_bits(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
