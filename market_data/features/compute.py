"""From a series of bars to the rows of feature groups.

What belongs here: which columns a group takes from which function, and putting prices back on the
basis of their own session. What does not: the arithmetic (the modules beside this one), which bars
there are (market_data/pipeline/features.py).
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from market_data.features.definitions import PRICE, UNITS
from market_data.features.grouping import highest, lowest, with_positions
from market_data.features.indicators import with_indicators
from market_data.features.labels import with_labels
from market_data.features.prices import with_prices, with_volumes
from market_data.features.regimes import with_regimes
from market_data.features.registry import FeatureGroup, Kind

_NEEDS_PRICES = {Kind.PRICE, Kind.REGIME}
_NEEDS_INDICATORS = {Kind.INDICATORS, Kind.REGIME}


def compute(series: pl.DataFrame, groups: Iterable[FeatureGroup]) -> dict[Kind, pl.DataFrame]:
    """The rows of some groups of one timeframe, for every bar of a series.

    Args:
        series: columns of `market_data.features.series.SERIES`, sorted by (symbol, ts): the bars
            that rows are wanted of, and those before them that their windows reach.
        groups: of one timeframe, see `market_data.features.registry.bar_groups`.

    Returns:
        By kind: columns of the group's schema, in the order of the series.
    """
    wanted = {group.kind: group for group in groups}
    frame = with_positions(series)
    if wanted.keys() & _NEEDS_PRICES:
        frame = with_prices(frame)
    if Kind.VOLUME in wanted:
        frame = with_volumes(frame)
    if wanted.keys() & _NEEDS_INDICATORS:
        frame = with_indicators(frame)
    if Kind.REGIME in wanted:
        frame = with_regimes(frame.with_columns(_still=highest("close", 20) == lowest("close", 20)))
    if Kind.LABELS in wanted:
        timeframe = wanted[Kind.LABELS].timeframe
        assert timeframe is not None  # noqa: S101  labels are of bars
        frame = with_labels(frame, timeframe)
    return {kind: _rows(frame, group) for kind, group in wanted.items()}


def _rows(frame: pl.DataFrame, group: FeatureGroup) -> pl.DataFrame:
    """The columns of a group, each on the basis of its own session."""
    factor = pl.col("factor")
    back = {PRICE: lambda c: c / factor, UNITS: lambda c: c * factor}
    cells = [
        back.get(f.unit, lambda c: c)(pl.col(f.name)).cast(f.dtype).alias(f.name)
        for f in group.features
    ]
    return frame.select(
        "symbol",
        "ts",
        "session",
        "available_at",
        *cells,
        definition=pl.lit(group.definition),
    )
