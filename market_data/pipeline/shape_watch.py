"""Watching the shape of a vendor's answers while they land.

What belongs here: which answers of a question are looked at, what they are compared with, and the
session that a change is told under.
What does not: what a shape is (market_data/answer_shapes.py), judging changes
(market_data/quality/shape_drift.py).

An answer with bars is compared with the last such answer about its symbol, and takes its place. One
that was no use is compared too, since that may be why, and takes the place of none. Answers without
bars that are well, and those of readers that declare no fields, are passed over. Some readers say
themselves what shape their answers have.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from market_data.answer_shapes import (
    AnswerFields,
    Shape,
    ShapeChange,
    differences,
    learnt,
    mended,
    news,
    shape_of,
)
from market_data.errors import MalformedAnswerError
from market_data.pipeline.asking import Asking
from market_data.ports import FetchResult, SymbolOutcome


class ShapeWatch:
    """The answers to one question."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._fields = asking.platform.vendors.fields(asking.request.vendor)
        self._good: dict[str, Shape] = {}
        self._odd: dict[str, Shape] = {}

    def look(self, result: FetchResult) -> None:
        """Take the shape of a slice's first answer about each symbol."""
        if self._fields is None:
            return
        is_good = not result.frame.is_empty()
        if self._fields.by_reader:
            for symbol, shape in result.shapes.items() if is_good else ():
                self._good.setdefault(symbol, shape)
            return
        shapes = self._good if is_good else self._odd
        for payload in result.payloads:
            if payload.symbol not in shapes or not is_good:
                found = shape_of(payload.content)
                if found is not None:
                    shapes[payload.symbol] = found

    def tell(self, outcomes: Mapping[str, SymbolOutcome]) -> None:
        """Compare with the answers before, and keep what there is to remember and to tell.

        Args:
            outcomes: of every symbol that was asked for.
        """
        if self._fields is None:
            return
        bad = {s for s, o in outcomes.items() if o.kind == MalformedAnswerError.kind}
        odd = {s: f for s, f in self._odd.items() if s in bad or (not s and bad)}
        if self._good or odd:
            self._compare(self._fields, odd)

    def _compare(self, fields: AnswerFields, odd: Mapping[str, Shape]) -> None:
        platform, request = self._asking.platform, self._asking.request
        place = request.vendor, request.timeframe
        known = platform.shapes.known(*place, sorted({*self._good, *odd}))
        compared = [
            (symbol, shape, differences(known[symbol], shape, fields) if symbol in known else [])
            for symbol, shape in [*odd.items(), *self._good.items()]
        ]
        changed = any(changes for _, _, changes in compared)
        # All that was ever told matters to changes alone; of the rest, what may be over.
        told = platform.shapes.told(*place, only_open=not changed)
        seen: dict[ShapeChange, str] = {}
        expected: dict[str, Shape] = {}
        over: set[int] = set()
        for symbol, shape, changes in compared:
            for change in news(changes, told):
                seen.setdefault(change, symbol)
            if self._good.get(symbol) is shape:
                over.update(mended(shape, symbol, told))
                before = known.get(symbol)
                after = learnt(before or {}, shape, changes)
                if after != before:
                    expected[symbol] = after
        if expected or seen or over:
            platform.shapes.learn(
                *place,
                shapes=expected,
                changes=[(symbol, self._session(symbol), c) for c, symbol in seen.items()],
                mended=sorted(over),
                fetch_id=self._asking.fetch_id,
                now=self._asking.started,
            )

    def _session(self, symbol: str) -> date:
        """The newest session that was asked for."""
        sessions = self._asking.expected
        if symbol:
            sessions = sessions.filter(pl.col("symbol") == symbol)
        newest = sessions["session"].max()
        return newest if isinstance(newest, date) else self._asking.fetch.last
