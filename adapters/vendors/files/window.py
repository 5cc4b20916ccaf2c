"""The range of a question, held against what files hold.

What belongs here: which files and rows a question is about, which rows nobody can have asked for,
and where the files begin.
What does not: reading (parse.py), outcomes (vendor.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from adapters.vendors.files.discovery import FoundFile
from market_data.ports import FetchRequest, FetchResult
from market_data.schemas import REJECTED_ROWS

EARLIEST = datetime(1700, 1, 1, tzinfo=UTC)
"""Before any exchange that files speak of."""


def outside(found: FoundFile, request: FetchRequest) -> bool:
    """Whether a file of one day lies outside the range, with a day to spare for its zone."""
    if found.day is None:
        return False
    spare = timedelta(days=1)
    return midnight(found) + 2 * spare <= request.start or midnight(found) - spare >= request.end


def midnight(found: FoundFile) -> datetime:
    """The beginning of a file's one day."""
    return datetime.combine(found.day or date.max, time(), UTC)


def in_range(result: FetchResult, request: FetchRequest, earliest: datetime) -> FetchResult:
    """Without the rows that were not asked for.

    Rejected rows without a time stay. A bar that nobody can have (`future`, `too_early`) is not
    left out but rejected: a wrong time may have taken it out of the range.
    """
    ts = pl.col("ts")
    inside = (ts >= request.start) & (ts < request.end)
    impossible = ~inside & ((ts > request.now) | (ts < earliest))
    refused = result.frame.filter(impossible)
    rejected = result.rejected.filter(inside | ts.is_null())
    if not refused.is_empty():
        reasons = pl.when(ts < earliest).then(pl.lit("too_early")).otherwise(pl.lit("future"))
        row = pl.struct(pl.exclude("symbol")).struct.json_encode()
        told = REJECTED_ROWS.conform(refused.with_columns(reasons=reasons, row=row))
        rejected = pl.concat([rejected, told])
    return replace(result, frame=result.frame.filter(inside), rejected=rejected)


class Begins:
    """Start of the first bar of each symbol, over everything that was looked at.

    Attributes:
        starts: platform symbol to that instant.
    """

    def __init__(self, earliest: datetime) -> None:
        self._earliest = earliest
        self.starts: dict[str, datetime] = {}

    def see(self, frame: pl.DataFrame) -> None:
        """Bars of a file, asked for or not."""
        possible = frame.filter(pl.col("ts") >= self._earliest)
        self.add(dict(possible.group_by("symbol").agg(pl.col("ts").min()).iter_rows()))

    def add(self, starts: Mapping[str, datetime]) -> None:
        """Instants from which on there are bars."""
        for symbol, start in starts.items():
            self.starts[symbol] = min(start, self.starts.get(symbol, start))
