"""Where the rows of a feature frame come from: the store, or what was known at a moment.

What belongs here: the rows of one group of a range, as a frame asks for them. What does not:
putting groups side by side (feature_reader.py), what bars were restated (known_features.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Protocol

import polars as pl

from market_data.datasets import FEATURES
from market_data.features.registry import FEATURE_TIMEFRAMES, FeatureGroup, Kind, group_for
from market_data.pipeline.feature_context import (
    around_confluence,
    confluence_of,
    macro_context_now,
)
from market_data.pipeline.features import features_now
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

_Span = tuple[date, date]


def were_asked(platform: Platform, timeframe: Timeframe, symbols: Sequence[str]) -> bool:
    """Whether anybody was ever asked for such bars of some symbols, or for minutes to make them."""
    asked = (platform.ledger.spans(timeframe=t) for t in {timeframe, Timeframe.M1})
    return any(spans["symbol"].is_in(list(symbols)).any() for spans in asked)


class FeatureSource(Protocol):
    """Gives the rows of feature groups."""

    def rows(self, group: FeatureGroup, symbols: Sequence[str], sessions: _Span) -> pl.DataFrame:
        """The rows of a group, columns of its schema, sorted by (symbol, ts)."""
        ...


class StoredFeatures:
    """Rows as they are stored.

    Args:
        platform: whose store.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def rows(self, group: FeatureGroup, symbols: Sequence[str], sessions: _Span) -> pl.DataFrame:
        """The stored rows of a group."""
        return self._platform.store.scan(FEATURES[group.key], symbols=symbols, sessions=sessions)


class FeaturesAsOf:
    """Rows as they would have been made of what was known at a moment; no stored row has a part.

    Bars are curated anew from the raw logs, by the revisions, corporate actions and decisions of
    people that were known then; the macro calendar is that of the moment. Features of several
    groups of a timeframe are made together, of bars that are read once.

    Args:
        platform: where raw logs, actions and decisions are.
        groups: that rows may be asked of, the labels among them.
        moment: UTC.
    """

    def __init__(
        self, platform: Platform, groups: Sequence[FeatureGroup], moment: datetime
    ) -> None:
        self._platform, self._moment = platform, moment
        self._groups = tuple(dict.fromkeys(groups))
        self._made: dict[tuple[Timeframe, tuple[str, ...], _Span], dict[Kind, pl.DataFrame]] = {}

    def rows(self, group: FeatureGroup, symbols: Sequence[str], sessions: _Span) -> pl.DataFrame:
        """The rows of a group, of bars that had ended by the moment.

        Raises:
            ConfigurationError: a symbol is not in the universe.
        """
        known = pl.col("available_at") <= self._moment
        return self._rows(group, tuple(symbols), sessions).filter(known)

    def _rows(self, group: FeatureGroup, symbols: tuple[str, ...], span: _Span) -> pl.DataFrame:
        if group.kind is Kind.MACRO_CONTEXT:
            return macro_context_now(self._platform, symbols, span, self._moment)
        if group.timeframe is None:
            around = around_confluence(span)
            regimes = {
                t: self._rows(group_for(Kind.REGIME, t), symbols, around)
                for t in FEATURE_TIMEFRAMES
            }
            return confluence_of(self._platform, symbols, span, regimes)
        made = self._made.setdefault((group.timeframe, symbols, span), {})
        if group.kind not in made:
            beside = [g for g in self._groups if g.timeframe is group.timeframe]
            made |= self._of_bars({*beside, group}, group.timeframe, symbols, span)
        return made[group.kind]

    def _of_bars(
        self,
        groups: Collection[FeatureGroup],
        timeframe: Timeframe,
        symbols: tuple[str, ...],
        span: _Span,
    ) -> dict[Kind, pl.DataFrame]:
        if not were_asked(self._platform, timeframe, symbols):
            return {g.kind: FEATURES[g.key].schema.empty() for g in groups}
        return features_now(self._platform, [*groups], symbols, *span, self._moment)
