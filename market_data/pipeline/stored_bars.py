"""Stored bars: curated bars of a range, marked by checks and people, nothing of them left out.

What belongs here: reading them from the store, or curating them again as of a moment, and putting
on flags and decisions. What does not: what a reader gets of them (read.py), finding flags
(flagging.py, kept_flags.py), decisions (decisions.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from market_data.datasets import curated_bars
from market_data.errors import StoreAwayWarning, StoreUnavailableError
from market_data.pipeline.curated_again import between, curated_again, sessions_between
from market_data.pipeline.decisions import masked
from market_data.pipeline.flagging import COMPARED, flags_now, with_flags
from market_data.pipeline.imputing import Range
from market_data.pipeline.kept_flags import with_kept_flags
from market_data.pipeline.platform import Platform
from market_data.pipeline.surroundings import (
    beside,
    closes_around,
    judged_beside,
    volumes_before,
)
from market_data.ports import Annotation
from market_data.schemas import CURATED_BARS
from market_data.timeframes import Timeframe


@dataclass(frozen=True)
class StoredBars:
    """Bars of a timeframe as they are stored, or as they would have been curated at a moment.

    Attributes:
        platform: where from.
        timeframe: of the bars.
        as_of: the moment; None for what is stored.
        checked: flag single bars as their neighbours have it.
    """

    platform: Platform
    timeframe: Timeframe
    as_of: datetime | None
    checked: bool

    def marked(
        self, symbols: Sequence[str], span: Range, decided: list[Annotation]
    ) -> pl.DataFrame:
        """Every bar of a range, marked by the checks of single bars and by people's decisions.

        Args:
            symbols: whose.
            span: the range.
            decided: decisions about all of it.
        """
        if not symbols:
            return CURATED_BARS.empty()
        bars = self._checked(symbols, span, decided) if self.checked else self._read(symbols, span)
        bars = self._with_kept(symbols, bars, span, decided)
        return masked(bars, decided, self.timeframe)

    def _with_kept(
        self,
        symbols: Sequence[str],
        bars: pl.DataFrame,
        span: Range,
        decided: list[Annotation],
    ) -> pl.DataFrame:
        """The bars with the flags that were found when they were scored."""
        whole_days = span.start is None and span.end is None
        try:
            return with_kept_flags(
                self.platform,
                symbols,
                self.timeframe,
                bars,
                decided,
                as_of=self.as_of,
                sessions_of=None if whole_days else self._sessions,
                only=COMPARED if self.checked else None,
            )
        except StoreUnavailableError as error:
            # What was known at a moment is read from the lake, without the store that is away.
            if self.as_of is None:
                raise
            text = f"the bars are without the flags that are kept of them: {error}"
            warnings.warn(text, StoreAwayWarning, stacklevel=5)
            return bars

    def _checked(
        self, symbols: Sequence[str], span: Range, decided: list[Annotation]
    ) -> pl.DataFrame:
        """Every bar of a range, with the flags that the checks of single bars find now."""

        def read(
            of: Sequence[str], sessions: tuple[date, date], columns: Sequence[str]
        ) -> pl.DataFrame:
            return self._read(of, Range(sessions=sessions), columns)

        wide = span.widened(*judged_beside(self.timeframe))
        series = self._read(symbols, wide)
        bars = series.filter(span.holds())
        if bars.is_empty():
            return bars
        first = span.days[0]
        volumes = volumes_before(self.platform, self.timeframe, symbols, first, read)
        held = bars.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
        closes = closes_around(self.timeframe, symbols, held[0], held[1], read)
        if closes is not None:
            reached = beside(closes, *held)
            first_beside = min([wide.days[0], *reached["before"]])
            last_beside = max([wide.days[1], *reached["after"]])
            if (first_beside, last_beside) != wide.days:
                # Holidays of more than a week, or a hole.
                series = self._read(symbols, Range(sessions=(first_beside, last_beside)))
        flags = flags_now(
            self.platform, self.timeframe, series, volumes, first, self.as_of, closes=closes
        )
        return with_flags(bars, flags, decided, self.timeframe)

    def _sessions(self, symbols: Sequence[str], sessions: tuple[date, date]) -> pl.DataFrame:
        return self._read(symbols, Range(sessions=sessions))

    def _read(
        self, symbols: Sequence[str], span: Range, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        start, end, sessions = span.start, span.end, span.sessions
        if self.as_of is not None:
            first, last = sessions_between(start, end) if sessions is None else sessions
            known = curated_again(
                self.platform, symbols, self.timeframe, first, last, as_of=self.as_of
            )
            known = between(known, "ts", start, end)
            return known if columns is None else known.select(columns)
        return self.platform.store.scan(
            curated_bars(self.timeframe),
            symbols=symbols,
            start=start,
            end=end,
            sessions=sessions,
            columns=columns,
        )
