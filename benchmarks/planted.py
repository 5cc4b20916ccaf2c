"""Invented series: what the detectors are measured on.

What belongs here: series, their limits, the record of a spoilt one. What does not: the ways in
which they are spoilt (price_faults.py, trials_of_sessions.py, trials_of_actions.py), reading real
ones (real_series.py).

Two kinds of series: the sample vendor's (normal returns, sessions, openings that gap), and returns
of Student's t with three degrees of freedom (fat tails) at the volatilities and spike sizes that
are usual in comparisons of outlier rules; there highs and lows reach as fat-tailed beyond open and
close, at half the volatility.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl

from adapters.configuration import load_thresholds
from adapters.settings import Settings
from adapters.vendors.sample.instruments import INSTRUMENTS
from adapters.vendors.sample.truth import daily_bars, minute_bars
from benchmarks.real_series import real_bars
from market_data.quality.thresholds import Thresholds
from market_data.schemas import CORPORATE_ACTIONS, PRICES
from market_data.timeframes import Timeframe

FIRST, LAST = date(2024, 1, 2), date(2026, 6, 30)
MINUTES_LAST = date(2024, 1, 12)
_TAILED = 2_000
_NO_ACTIONS = CORPORATE_ACTIONS.empty().select("symbol", "ex_date", "kind", "value")


@dataclass(frozen=True)
class Kind:
    """A kind of series.

    Attributes:
        asset_class: decides the limits.
        timeframe: of the bars.
        spike: relative size of a planted spike.
        symbol: the sample vendor's instrument; empty for fat tails.
        volatility: of fat-tailed returns.
        real: a group of real_series.py; then the series are none that are invented.
        sessions_only: the series is that of another asset class, and stands for the sessions that
            such an instrument has; faults of prices are planted in the one of fat tails.
    """

    asset_class: str
    timeframe: Timeframe
    spike: float
    symbol: str = ""
    volatility: float = 0.0
    real: str = ""
    sessions_only: bool = False

    @property
    def daily(self) -> bool:
        """Whether a bar is a session."""
        return not self.timeframe.is_intraday

    @property
    def name(self) -> str:
        """For a table."""
        made = self.real or ("sample" if self.symbol else "fat tails")
        return f"{self.asset_class} {self.timeframe}, {made}"


KINDS = (
    Kind("equity", Timeframe.D1, 0.10, symbol="DEMO-ACME"),
    Kind("equity", Timeframe.D1, 0.10, volatility=0.015),
    Kind("fx", Timeframe.D1, 0.05, symbol="DEMO-EURUSD"),
    Kind("fx", Timeframe.D1, 0.05, volatility=0.005),
    Kind("crypto", Timeframe.D1, 0.20, symbol="DEMO-BTC"),
    Kind("crypto", Timeframe.D1, 0.20, volatility=0.04),
    Kind("equity", Timeframe.M1, 0.03, symbol="DEMO-ACME"),
    Kind("fx", Timeframe.M1, 0.03, symbol="DEMO-EURUSD"),
    Kind("fx", Timeframe.M1, 0.03, volatility=0.0002),
    Kind("crypto", Timeframe.M1, 0.03, symbol="DEMO-BTC"),
    Kind("index", Timeframe.D1, 0.10, volatility=0.01),
    Kind("index", Timeframe.M1, 0.03, volatility=0.0003),
    Kind("future", Timeframe.D1, 0.10, volatility=0.012),
    Kind("future", Timeframe.M1, 0.03, volatility=0.0003),
    # Sessions of New York, and of nearly the whole day.
    Kind("index", Timeframe.D1, 0.10, symbol="DEMO-ACME", sessions_only=True),
    Kind("index", Timeframe.M1, 0.03, symbol="DEMO-ACME", sessions_only=True),
    Kind("future", Timeframe.D1, 0.10, symbol="DEMO-EURUSD", sessions_only=True),
    Kind("future", Timeframe.M1, 0.03, symbol="DEMO-EURUSD", sessions_only=True),
)
REAL_KINDS = (
    Kind("equity", Timeframe.D1, 0.10, real="shares"),
    Kind("index", Timeframe.D1, 0.10, real="indices"),
    Kind("fx", Timeframe.D1, 0.05, real="EURUSD"),
    Kind("crypto", Timeframe.D1, 0.20, real="BTCUSD"),
    Kind("future", Timeframe.M1, 0.03, real="6E of January 2024"),
)


@dataclass(frozen=True)
class Spoilt:
    """A series with faults.

    Attributes:
        bars: number, symbol, session, ts, open, high, low, close, volume, sorted by ts.
        actions: symbol, ex_date, kind, value: what was reported along.
        planted: numbers of the bars that a detector should tell.
    """

    bars: pl.DataFrame
    planted: frozenset[int]
    actions: pl.DataFrame = field(default_factory=_NO_ACTIONS.clone)


@cache
def thresholds() -> Thresholds:
    """The limits that the repository ships."""
    return load_thresholds(Settings())


@cache
def limits_of(kind: Kind) -> pl.DataFrame:
    """The limits of a kind of series, see `BarsView.limits`."""
    rules = thresholds().rule(kind.asset_class, kind.timeframe).model_dump()
    return pl.DataFrame([{"symbol": "AAA", "asset_class": kind.asset_class, **rules}])


def series(kind: Kind, seed: int) -> pl.DataFrame:
    """Sound bars of a kind: number, symbol, session, ts, open, high, low, close, volume."""
    if kind.real:
        made = real_bars(kind.real, seed)
    else:
        made = _sample(kind, seed) if kind.symbol else _fat_tailed(kind, seed)
    return made.select(
        "session",
        "ts",
        *PRICES,
        "volume",
        symbol=pl.lit("AAA"),
        number=pl.int_range(pl.len()),
    )


def _sample(kind: Kind, seed: int) -> pl.DataFrame:
    demo = INSTRUMENTS[kind.symbol]
    if kind.daily:
        return daily_bars(demo, seed, FIRST, LAST)
    return minute_bars(demo, seed, FIRST, MINUTES_LAST)


def _fat_tailed(kind: Kind, seed: int) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    steps = chance.standard_t(3, _TAILED) / np.sqrt(3) * kind.volatility
    close = 100 * np.exp(np.cumsum(steps))
    apart = timedelta(days=1) if kind.daily else timedelta(minutes=1)
    start = datetime(2015, 1, 1, tzinfo=UTC)
    volume = 1e6 * np.exp(chance.normal(0, 0.4, _TAILED))
    beyond = np.abs(chance.standard_t(3, (2, _TAILED))) / np.sqrt(3) * kind.volatility / 2
    return pl.DataFrame(
        {
            "ts": pl.datetime_range(
                start, start + apart * (_TAILED - 1), apart, time_unit="us", eager=True
            ),
            "open": np.concatenate([[100.0], close[:-1]]),
            "close": close,
            "volume": volume,
        }
    ).with_columns(
        session=pl.col("ts").dt.date(),
        high=pl.max_horizontal("open", "close") * np.exp(beyond[0]),
        low=pl.min_horizontal("open", "close") / np.exp(beyond[1]),
    )
