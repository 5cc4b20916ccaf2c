"""The port of answers' shapes: what vendors' last good answers looked like, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

import polars as pl

from market_data.answer_shapes import Shape, ShapeChange, ToldChange
from market_data.timeframes import Timeframe

CHANGES = {
    "symbol": pl.String,
    "session": pl.Date,
    "path": pl.String,
    "change": pl.String,
    "read": pl.Boolean,
    "detail": pl.String,
    "fetch_id": pl.String,
}
"""Columns of changes: symbol (empty where an answer was about several), session that they are told
under, path, change (gone, new, type), whether bars are made of the field, the change in a sentence,
fetch_id of the answer that showed it first."""


class AnswerShapes(Protocol):
    """Remembers shapes per vendor, timeframe and symbol, and each change once."""

    def known(
        self, vendor: str, timeframe: Timeframe, symbols: Sequence[str]
    ) -> Mapping[str, Shape]:
        """The shapes of the last good answers about some symbols; those without one left out."""
        ...

    def told(
        self, vendor: str, timeframe: Timeframe, *, only_open: bool = False
    ) -> list[ToldChange]:
        """Changes of a vendor's answers that were told, oldest first.

        Args:
            vendor: whose.
            timeframe: of the bars asked for.
            only_open: those alone whose old form has not come back since.
        """
        ...

    def learn(
        self,
        vendor: str,
        timeframe: Timeframe,
        *,
        shapes: Mapping[str, Shape],
        changes: Sequence[tuple[str, date, ShapeChange]] = (),
        mended: Sequence[int] = (),
        fetch_id: str,
        now: datetime,
    ) -> None:
        """Keep all that one question showed, or nothing of it.

        Args:
            vendor: who answered.
            timeframe: of the bars asked for.
            shapes: by symbol, what is expected of its next answer.
            changes: symbol, session and change, of those to be told.
            mended: numbers of told changes that are over.
            fetch_id: of the question.
            now: when, aware.
        """
        ...

    def changes(
        self, vendor: str, timeframe: Timeframe, sessions: tuple[date, date]
    ) -> pl.DataFrame:
        """Rows of CHANGES of a range of sessions that are not over, sorted by (session, path)."""
        ...
