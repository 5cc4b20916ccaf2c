"""The cut of a dataset into the slices that a copy moves one by one.

What belongs here: months, years, and parts of the symbols, from counts of rows.
What does not: reading and writing them (copying.py).

A slice is a month of all symbols, a year where the stores keep years together, and of a large
universe a part of the symbols.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import cast
from zlib import crc32

import polars as pl

from market_data.datasets import Dataset, Layout


@dataclass(frozen=True)
class Slice:
    """What is copied in one step.

    Attributes:
        label: for people: 2024-02, 2024, or 2024-02 part 3 of 8.
        sessions: first and last.
        symbols: those that either side holds.
        months: first day, rows of the source and rows of the target, as they were counted.
    """

    label: str
    sessions: tuple[date, date]
    symbols: tuple[str, ...]
    months: tuple[tuple[date, int, int], ...]

    @property
    def in_target(self) -> int:
        """Rows of the target, as they were counted."""
        return sum(target for _, _, target in self.months)


def cut(
    dataset: Dataset, source: pl.DataFrame, target: pl.DataFrame, rows_at_once: int
) -> Iterator[Slice]:
    """The slices of a dataset, oldest first.

    Args:
        dataset: its layout says what its stores keep together.
        source: `counts` of the source.
        target: `counts` of the target.
        rows_at_once: more rows than that make two, four, eight ... parts.
    """
    both = [
        side.select("symbol", "month", **{name: "rows"})
        for side, name in ((source, "source"), (target, "target"))
    ]
    held = (
        pl.concat(both, how="diagonal")
        .group_by("symbol", "month")
        .agg(pl.col("source", "target").sum())
        .sort("month", "symbol")
    )
    yearly = dataset.layout is Layout.YEAR
    period = pl.col("month").dt.truncate("1y" if yearly else "1mo")
    for whole in held.with_columns(period=period).partition_by("period", maintain_order=True):
        first = cast("date", whole["period"][0])
        parts = _parts(whole, rows_at_once)
        label = f"{first:%Y}" if yearly else f"{first:%Y-%m}"
        for number, piece in sorted(_parted(whole, parts).items()):
            yield Slice(
                label if parts == 1 else f"{label} part {number + 1} of {parts}",
                (first, _last_day(first, yearly=yearly)),
                tuple(piece["symbol"].unique().sort()),
                tuple(
                    piece.group_by("month")
                    .agg(pl.col("source", "target").sum())
                    .sort("month")
                    .rows()
                ),
            )


def _parts(whole: pl.DataFrame, rows_at_once: int) -> int:
    rows = max(int(whole["source"].sum()), int(whole["target"].sum()), 1)
    return 1 << ((rows - 1) // rows_at_once).bit_length()


def _parted(whole: pl.DataFrame, parts: int) -> dict[int, pl.DataFrame]:
    """By a number that a symbol has for ever, so that the next copy cuts in the same places."""
    numbers = {symbol: crc32(symbol.encode()) % parts for symbol in whole["symbol"].unique()}
    part = pl.col("symbol").replace_strict(numbers, return_dtype=pl.UInt32).alias("part")
    pieces = whole.with_columns(part).partition_by("part", as_dict=True)
    return {int(cast("int", key[0])): piece for key, piece in pieces.items()}


def _last_day(first: date, *, yearly: bool) -> date:
    if yearly:
        return date(first.year, 12, 31)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return date.fromordinal(following.toordinal() - 1)
