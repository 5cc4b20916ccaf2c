"""From a series of bars to the rows of feature groups.

What belongs here: which columns a group takes from which function, and putting prices back on the
basis of their own session. What does not: the arithmetic (the modules beside this one), which bars
there are (market_data/pipeline/features.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from market_data.features.definitions import PRICE, UNITS, Feature
from market_data.features.labels import with_labels
from market_data.features.regimes import MADE_OF, WORDS, regimes
from market_data.features.registry import FeatureGroup, Kind

if TYPE_CHECKING:
    from market_data.features.arrays import Bars, Values

_TOGETHER = 1 << 16
"""Rows of whole symbols that are computed at once: few columns of them fit the processor's cache,
and each step is long beside the time that one thread needs to wake another."""
_ROW = ("symbol", "ts", "session", "available_at")


def compute(
    series: pl.DataFrame,
    groups: Iterable[FeatureGroup],
    sessions: tuple[date, date] | None = None,
) -> dict[Kind, pl.DataFrame]:
    """The rows of some groups of one timeframe.

    Args:
        series: columns of `market_data.features.series.SERIES`, sorted by (symbol, ts): the bars
            that rows are wanted of, and those before them that their windows reach.
        groups: of one timeframe, see `market_data.features.registry.bar_groups`.
        sessions: first and last one that rows are wanted of; None for all of the series.

    Returns:
        By kind: columns of the group's schema, in the order of the series.
    """
    days = series["session"]
    inside = days.is_between(*sessions) if sessions is not None else days.is_not_null()
    wanted = {group.kind: group for group in groups}
    made = {}
    if labels := wanted.pop(Kind.LABELS, None):
        assert labels.timeframe is not None  # noqa: S101  labels are of bars
        told = with_labels(series, labels.timeframe).filter(inside)
        made[Kind.LABELS] = _rows(told, labels, told.select(labels.names))
    if wanted:
        rows = series.select(*_ROW, "factor").filter(inside)
        factor = None if (rows["factor"] == 1).all() else rows["factor"]
        cells = _cells(series, list(wanted.values()), inside)
        for kind, group in wanted.items():
            columns = [_column(f, cells[f.name], factor) for f in group.features]
            made[kind] = _rows(rows, group, pl.DataFrame(columns))
    return made


def _rows(rows: pl.DataFrame, group: FeatureGroup, cells: pl.DataFrame) -> pl.DataFrame:
    whole = rows.select(_ROW).hstack(cells)
    return whole.with_columns(definition=pl.lit(group.definition))


def _cells(
    series: pl.DataFrame, groups: Sequence[FeatureGroup], inside: pl.Series
) -> dict[str, Values]:
    """The columns of groups in some of the rows, on the basis of the series."""
    import numpy as np

    _keep_memory()
    wanted = inside.arg_true().to_numpy().astype(np.intp)
    names = [name for group in groups for name in group.names]
    # One piece of memory for a group: the system gives large ones in large pages.
    tables = [np.empty((len(group.names), len(wanted))) for group in groups]
    cells = dict(zip(names, (row for table in tables for row in table), strict=True))
    kinds = {group.kind for group in groups}

    # What has nothing below its line is no value, and no warning.
    with np.errstate(divide="ignore", invalid="ignore"):
        for first, bars in _together(series):
            start, stop = np.searchsorted(wanted, (first, first + bars.bounds[-1])).tolist()
            own = wanted[start:stop] - first
            for found in _computed(bars, kinds) if start < stop else ():
                for name in cells.keys() & found.keys():
                    # Each is within; only so it is not looked for, and all copied once more.
                    np.take(found[name], own, out=cells[name][start:stop], mode="clip")
    return cells


@cache
def _keep_memory() -> None:
    """Have the C library keep what is let go: new pages would cost a third of all the time.

    glibc gives back what it has in excess of a limit, at first 128 KiB, and raises the limit to
    twice the largest block that was let go, of up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD). So one
    such block is taken, never written, and let go.
    """
    import numpy as np

    np.empty((1 << 25) - (1 << 13), dtype=np.uint8)


def _together(series: pl.DataFrame) -> Iterator[tuple[int, Bars]]:
    """The bars of a few symbols at a time, and the number of their first row."""
    import numpy as np

    from market_data.features.arrays import Bars

    names = ("high", "low", "close", "volume", "missing")
    columns = {name: series[name].cast(pl.Float64).to_numpy() for name in names}
    ends = np.cumsum(series["symbol"].rle().struct.field("len").to_numpy()).tolist()
    bounds = [0]
    for count, end in enumerate(ends, 1):
        bounds.append(end)
        if end - bounds[0] >= _TOGETHER or count == len(ends):
            first = bounds[0]
            some = {name: values[first:end] for name, values in columns.items()}
            yield first, Bars(**some, bounds=[bound - first for bound in bounds])
            bounds = [end]


def _computed(bars: Bars, kinds: set[Kind]) -> Iterator[dict[str, Values]]:
    """Columns of groups, and what these are made of, a few at a time: they take memory."""
    known: dict[str, Values] = {}
    for found in _before_regimes(bars, kinds):
        known |= {name: found[name] for name in MADE_OF if name in found}
        yield found
    if Kind.REGIME in kinds:
        yield regimes(bars, known)


def _before_regimes(bars: Bars, kinds: set[Kind]) -> Iterator[dict[str, Values]]:
    from market_data.features.indicators import indicators, momentum
    from market_data.features.prices import prices, volumes

    if Kind.VOLUME in kinds:
        yield volumes(bars)
    if kinds & {Kind.PRICE, Kind.REGIME}:
        yield prices(bars)
    if Kind.INDICATORS in kinds:
        yield from indicators(bars)
    elif Kind.REGIME in kinds:
        yield momentum(bars)


def _column(feature: Feature, cells: Values, factor: pl.Series | None) -> pl.Series:
    """The cells of a feature, each on the basis of its own session."""
    import numpy as np
    import pyarrow as pa

    words = WORDS.get(feature.name)
    if np.isnan(np.min(cells, initial=0.0)):
        column = pl.Series(feature.name, cells, nan_to_null=True)
    elif words or feature.dtype.is_integer():
        # NumPy casts them several times as fast.
        column = pl.Series(feature.name, cells.astype(np.int64))
    else:
        # As Arrow it is taken over, and not copied.
        column = pl.Series(feature.name, pa.array(cells))
    if words:
        return pl.Series(feature.name, words).gather(column.cast(pl.UInt32))
    if factor is not None and feature.unit == PRICE:
        return column / factor
    if factor is not None and feature.unit == UNITS:
        return column * factor
    return column.cast(feature.dtype)
