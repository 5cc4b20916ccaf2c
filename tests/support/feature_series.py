"""Small series of bars for tests of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from market_data.calendars import bar_starts
from market_data.features.series import series
from market_data.schemas import CORPORATE_ACTIONS, CURATED_BARS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

NO_ACTIONS = CORPORATE_ACTIONS.empty()
Prices = tuple[np.ndarray, np.ndarray, np.ndarray]
"""High, low and close."""


def walk(seed: int, bars: int, start: float = 100.0, step: float = 0.01) -> Prices:
    """A random walk, with a range around each close."""
    random = np.random.default_rng(seed)
    close = start * np.exp(np.cumsum(random.standard_t(4, bars) * step))
    high = close * (1 + np.abs(random.normal(0, step, bars)))
    low = close * (1 - np.abs(random.normal(0, step, bars)))
    return high, low, close


def bars_of(
    prices: Mapping[str, Prices],
    timeframe: Timeframe = Timeframe.D1,
    first: date = date(2015, 1, 1),
    volumes: Sequence[float | None] | None = None,
) -> pl.DataFrame:
    """Bars on the grid of a calendar that never closes."""
    frames = []
    for symbol, (high, low, close) in prices.items():
        grid = bar_starts("24/7", timeframe, first, date(2026, 1, 1)).head(len(close))
        volume = volumes if volumes is not None else np.arange(len(close)) * 7.0 % 13
        frames.append(
            grid.select(
                "ts",
                "session",
                symbol=pl.lit(symbol),
                high=pl.Series(high),
                low=pl.Series(low),
                close=pl.Series(close),
                volume=pl.Series(volume, dtype=pl.Float64),
                flags=pl.lit(""),
            )
        )
    return pl.concat(frames).sort("symbol", "ts")


def instruments_of(bars: pl.DataFrame, calendar: str = "24/7") -> list[Instrument]:
    return [
        Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar=calendar)
        for s in bars["symbol"].unique().sort()
    ]


def series_of(
    bars: pl.DataFrame,
    actions: pl.DataFrame = NO_ACTIONS,
    timeframe: Timeframe = Timeframe.D1,
    calendar: str = "24/7",
) -> pl.DataFrame:
    return series(bars, instruments_of(bars, calendar), timeframe, actions)


def curated(bars: pl.DataFrame) -> pl.DataFrame:
    """The same as rows of curated bars, trusted and over."""
    text, given = pl.lit(""), bars.columns
    filler = {
        "source": pl.lit("x"), "filled": text, "flags": text, "rule_version": text,
        "final": pl.lit(value=True), "dq_status": pl.lit("ok"),
    }  # fmt: skip
    return CURATED_BARS.conform(
        bars.with_columns(**{name: value for name, value in filler.items() if name not in given})
    )
