"""Digests of rows: of each row, of the bars of each symbol-session, of each month, of a frame.

What belongs here: a number that changes when any stored value of the rows changes. What does not:
who compares it (market_data/quality/score_checks.py, market_data/pipeline/copying.py).

The digest depends on the values alone: not on the order of rows, not on the version of a library.
Every cell becomes 64 bits (numbers and times as they are stored, texts by BLAKE2b), the cells of a
row are mixed one after the other by the finaliser of SplitMix64, rows are added modulo 2**64. Two
such sums with different seeds make 128 bits, written as 32 hexadecimal digits. It guards against
change, not against forgery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Lanes = NDArray[np.uint64]

_KEY = ["symbol", "session"]
_SEEDS = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
_NULL = 0xA0761D6478BD642F
_LANES = ("lane_0", "lane_1")


@dataclass(frozen=True)
class RowsDigest:
    """How many rows there are, and two sums over them; those of the parts add up to the whole's."""

    rows: int = 0
    low: int = 0
    high: int = 0

    def __add__(self, other: RowsDigest) -> RowsDigest:
        """The digest of the rows of both."""
        low, high = (self.low + other.low) % 2**64, (self.high + other.high) % 2**64
        return RowsDigest(self.rows + other.rows, low, high)

    def __str__(self) -> str:
        """32 hexadecimal digits."""
        return f"{self.low:016x}{self.high:016x}"


def rows_digest(frame: pl.DataFrame) -> RowsDigest:
    """Digest the rows of a frame, every column by its name."""
    if frame.is_empty():
        return RowsDigest()
    return RowsDigest(frame.height, *_with_lanes(frame, frame.columns).select(_LANES).sum().row(0))


def month_digests(frame: pl.DataFrame) -> dict[date, RowsDigest]:
    """Digest the rows of each month of `session`, named by its first day; every column counts."""
    if frame.is_empty():
        return {}
    sums = (
        _with_lanes(frame, frame.columns)
        .group_by(pl.col("session").dt.month_start())
        .agg(pl.len(), pl.col(_LANES).sum())
        .sort("session")
    )
    return {month: RowsDigest(*values) for month, *values in sums.iter_rows()}


def bars_digest(bars: pl.DataFrame) -> pl.DataFrame:
    """Digest the bars of each symbol-session.

    Args:
        bars: curated bars; every column but symbol, session and rule_version counts, by its name.

    Returns:
        symbol, session, bars_digest, sorted.
    """
    names = [c for c in bars.columns if c not in (*_KEY, "rule_version")]
    sums = _with_lanes(bars, names).group_by(_KEY).agg(pl.col(_LANES).sum()).sort(_KEY)
    return sums.select(*_KEY, bars_digest=pl.concat_str(*map(_hex, _LANES)))


def row_digests(frame: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """64 bits of each row (Int64) that change when a value of these columns does.

    They guard a few rows that have a key as well, and add up to those of a group modulo 2**64.
    Columns are numbers and times; an empty cell counts as one that is not a number.
    """
    import numpy as np

    cells = [_plain_bits(frame.get_column(name).to_physical()) for name in sorted(names)]
    return pl.Series("digest", _mixed(cells, frame.height, _SEEDS[0]).view(np.int64))


def _plain_bits(column: pl.Series) -> Lanes:
    import numpy as np

    values = column.to_numpy()
    if values.dtype.kind == "f":
        # -0.0 is 0.0, and one pattern stands for every NaN
        values = np.where(np.isnan(values), np.nan, values + 0.0)
    return values.view(np.uint64)


def _with_lanes(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The frame with two columns that hold the mixed cells of each row."""
    cells = [_bits(frame.get_column(name)) for name in sorted(names)]
    return frame.with_columns(
        pl.Series(lane, _mixed(cells, frame.height, seed))
        for lane, seed in zip(_LANES, _SEEDS, strict=True)
    )


def _bits(column: pl.Series) -> Lanes:
    """Each cell as 64 bits; null has its own, and -0.0 is 0.0."""
    import numpy as np

    if column.dtype == pl.String:
        texts = column.unique().drop_nulls().to_list()
        numbers = [
            int.from_bytes(hashlib.blake2b(t.encode(), digest_size=8).digest()) for t in texts
        ]
        coded = column.replace_strict(texts, numbers, default=None, return_dtype=pl.UInt64)
        return coded.fill_null(_NULL).to_numpy().astype(np.uint64)
    if column.dtype.is_float():
        # one pattern for every NaN, whatever made it
        plain = (column.cast(pl.Float64) + 0.0).fill_nan(float("nan"))
        bits = plain.fill_null(0.0).to_numpy().view(np.uint64)
    else:
        bits = column.to_physical().cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64)
    return np.where(column.is_null().to_numpy(), np.uint64(_NULL), bits)


def _mixed(cells: list[Lanes], height: int, seed: int) -> Lanes:
    import numpy as np

    state: Any = np.full(height, seed, dtype=np.uint64)
    for cell in cells:
        state = state + cell + np.uint64(_SEEDS[0])
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    mixed: Lanes = state
    return mixed


def _hex(column: str) -> pl.Expr:
    """A 64-bit number as 16 hexadecimal digits."""
    digits = [(pl.col(column) // 16**place % 16).cast(pl.UInt8) for place in range(15, -1, -1)]
    letters = {i: f"{i:x}" for i in range(16)}
    return pl.concat_str(d.replace_strict(letters, return_dtype=pl.String) for d in digits)
