"""Told again: sessions of which some vendor told a bar more than once.

What belongs here: how far back they are looked for, and whether minutes count. What does not: what
the bars were before (former_bars.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl

from market_data.datasets import curated_bars, raw_bars
from market_data.features.registry import WARM_UP
from market_data.features.windows import LOOK_BACK, stretch_of
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)
_KEY = ["symbol", "session"]
_NONE = pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})
_Span = tuple[date, date]


class ToldAgain:
    """Finds the sessions of which the raw logs hold a bar more than once; reads keys alone.

    Args:
        platform: where the raw logs are, and the curated bars.
        timeframe: of the bars.
        as_of: where no stored bar is to have a part in the answer; None for now.

    Attributes:
        recorded: whether the raw logs held any bar of what was asked so far.
    """

    def __init__(self, platform: Platform, timeframe: Timeframe, as_of: datetime | None) -> None:
        self._platform, self._timeframe, self._as_of = platform, timeframe, as_of
        self.recorded = False

    def sessions(self, symbols: Sequence[str], wanted: _Span) -> pl.DataFrame:
        """Sessions of a range, and of those before it that its features reach.

        Returns:
            symbol, session, minutes: whether the session's bars may be made of minutes that were
            told again.
        """
        floor = self._platform.universe.first_session
        begin = stretch_of(self._timeframe, wanted[0])[0]
        back = max(floor, begin - LOOK_BACK[self._timeframe])
        minutes = [] if self._timeframe is Timeframe.M1 else self._with_minutes(symbols)
        if self._as_of is not None:
            return self._among(symbols, (floor, wanted[1]), minutes, None)
        held = self._held(symbols, (back, wanted[1]), minutes)
        before = held.filter(pl.col("session") < begin).group_by("symbol").len()
        enough = before.filter(pl.col("len") >= WARM_UP)["symbol"].to_list()
        found = [self._among(symbols, (back, wanted[1]), minutes, held)]
        # Windows of symbols that lack bars reach further back.
        short = sorted(set(symbols) - set(enough))
        if short and back > floor:
            older = floor, back - _DAY
            own = [s for s in minutes if s in short]
            found.append(self._among(short, older, own, self._held(short, older, own)))
        return pl.concat(found)

    def _with_minutes(self, symbols: Sequence[str]) -> list[str]:
        asked = self._platform.ledger.spans(timeframe=Timeframe.M1)["symbol"].unique()
        return sorted(set(symbols) & set(asked))

    def _held(self, symbols: Sequence[str], span: _Span, minutes: Sequence[str]) -> pl.DataFrame:
        columns = [*_KEY, "source", "filled"] if minutes else _KEY
        dataset = curated_bars(self._timeframe)
        return self._platform.store.scan(dataset, symbols=symbols, sessions=span, columns=columns)

    def _among(
        self,
        symbols: Sequence[str],
        span: _Span,
        minutes: Sequence[str],
        held: pl.DataFrame | None,
    ) -> pl.DataFrame:
        """The sessions of a part of the range; `held` are the curated bars, None if not read."""
        native = self._again(self._timeframe, symbols, span).with_columns(
            minutes=pl.lit(value=False)
        )
        made = self._of_minutes(minutes, span, held).with_columns(minutes=pl.lit(value=True))
        return pl.concat([native.join(made, on=_KEY, how="anti"), made])

    def _of_minutes(
        self, symbols: Sequence[str], span: _Span, held: pl.DataFrame | None
    ) -> pl.DataFrame:
        """Those of which minutes were told again that their bars are made of."""
        if not symbols:
            return _NONE
        made = None
        if held is not None:
            of = f"@{Timeframe.M1}"
            told = pl.any_horizontal(
                pl.col(c).str.contains(of, literal=True) for c in ("source", "filled")
            )
            made = held.filter(told).select(_KEY).unique()
            if made.is_empty():
                return _NONE
            span = made.select(a=pl.col("session").min(), b=pl.col("session").max()).row(0)
        again = self._again(Timeframe.M1, symbols, span)
        return again if made is None else again.join(made, on=_KEY, how="semi")

    def _again(self, source: Timeframe, symbols: Sequence[str], span: _Span) -> pl.DataFrame:
        """symbol, session: sessions of which a vendor told some bar of a timeframe again."""
        found = [_NONE]
        for vendor in self._platform.universe.vendors_of(source):
            counted = self._platform.raw_log.told_again(
                raw_bars(vendor.name, source), symbols=symbols, sessions=span
            )
            self.recorded |= counted.height > 0
            found.append(counted.filter(pl.col("again") > 0).select(_KEY))
        return pl.concat(found).unique()
