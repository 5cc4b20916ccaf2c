"""Invented series with planted faults: what the detectors are measured on.

What belongs here: series, and the ways in which they are spoilt. What does not: counting what a
detector finds (detectors.py).

Two kinds of series: the sample vendor's (normal returns, sessions, openings that gap), and returns
of Student's t with three degrees of freedom (fat tails) at the volatilities and spike sizes that
are usual in comparisons of outlier rules; there highs and lows reach as fat-tailed beyond open and
close, at half the volatility.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from adapters.vendors.sample.instruments import INSTRUMENTS
from adapters.vendors.sample.truth import daily_bars, minute_bars
from market_data.schemas import CORPORATE_ACTIONS, PRICES
from market_data.timeframes import Timeframe

FAULTS = 10
"""Spikes, or odd volumes, per series."""
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
    """

    asset_class: str
    timeframe: Timeframe
    spike: float
    symbol: str = ""
    volatility: float = 0.0

    @property
    def daily(self) -> bool:
        """Whether a bar is a session."""
        return not self.timeframe.is_intraday

    @property
    def name(self) -> str:
        """For a table."""
        return f"{self.asset_class} {self.timeframe}, {'sample' if self.symbol else 'fat tails'}"


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


Plant = Callable[[pl.DataFrame, Kind, np.random.Generator], Spoilt]


def series(kind: Kind, seed: int) -> pl.DataFrame:
    """Sound bars of a kind: number, symbol, session, ts, open, high, low, close, volume."""
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


def spikes(longest: int) -> Plant:
    """Closes that were not traded, up to `longest` in a row, and the openings between them."""

    def plant(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Spoilt:
        close, opening = bars["close"].to_numpy().copy(), bars["open"].to_numpy().copy()
        planted: set[int] = set()
        for at in _places(bars, chance, longest + 7):
            length = int(chance.integers(1, longest + 1))
            factor = (1 + kind.spike) ** chance.choice([-1, 1])
            close[at : at + length] *= factor
            opening[at + 1 : at + length] *= factor
            planted |= set(range(at, at + length))
        return Spoilt(bars.with_columns(close=close, open=opening), frozenset(planted))

    return plant


def wicks(times: float) -> Plant:
    """Opens, highs and lows that were not traded, by a multiple of the usual spike.

    A wrong high lies above the right one and a wrong low below it; bars enclose their openings.
    """

    def plant(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Spoilt:
        prices = {name: bars[name].to_numpy().copy() for name in PRICES}
        factor = 1 + times * kind.spike
        places = _places(bars, chance, 8)
        for at in places:
            name = str(chance.choice(["open", "high", "low"]))
            up = name == "high" or (name == "open" and chance.random() < 0.5)
            prices[name][at] *= factor if up else 1 / factor
        wrong = bars.with_columns(pl.Series(name, of) for name, of in prices.items())
        enclosed = wrong.with_columns(
            high=pl.max_horizontal("open", "high"), low=pl.min_horizontal("open", "low")
        )
        return Spoilt(enclosed, frozenset(places))

    return plant


def split(bars: pl.DataFrame, _kind: Kind, chance: np.random.Generator) -> Spoilt:
    """A split that was reported: nothing is wrong."""
    ratio = float(chance.choice([2, 3, 5, 10, 0.1]))
    at = _session_start(bars, _places(bars, chance, 1)[0])
    told = {"symbol": "AAA", "ex_date": bars["session"][at], "kind": "split", "value": ratio}
    return Spoilt(_scaled(bars, at, 1 / ratio), frozenset(), pl.DataFrame([told]))


def cents(bars: pl.DataFrame, _kind: Kind, chance: np.random.Generator) -> Spoilt:
    """Prices in cents from one bar on."""
    at = _places(bars, chance, 1)[0]
    return Spoilt(_scaled(bars, at, 100.0), frozenset({at}))


def repeated(allowed: int) -> Plant:
    """A feed that repeats its last price until it has stood for twice as long as is allowed."""

    def plant(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Spoilt:
        last = 2 * allowed - 1
        starts = [
            at
            for at in _places(bars, chance, 1)
            if kind.daily or bars["session"][at - 1] == bars["session"][at + last]
        ]
        at = starts[0]
        close = bars["close"].to_numpy().copy()
        close[at : at + last] = close[at - 1]
        # Days are told from the first one too many; of a day's bars, the last of the run.
        told = range(at + allowed - 2, at + last) if kind.daily else [at + last - 1]
        return Spoilt(bars.with_columns(close=close), frozenset(told))

    return plant


def volumes(factor: float) -> Plant:
    """Days whose volume is a multiple of the true one."""

    def plant(bars: pl.DataFrame, _kind: Kind, chance: np.random.Generator) -> Spoilt:
        volume = bars["volume"].to_numpy().copy()
        places = _places(bars, chance, 30)
        volume[places] *= factor
        return Spoilt(bars.with_columns(volume=volume), frozenset(places))

    return plant


def _places(bars: pl.DataFrame, chance: np.random.Generator, apart: int) -> list[int]:
    """Bars in any order, so far from each other, and far from the ends."""
    slots = np.arange(70, bars.height - 80, apart)
    size = min(FAULTS, len(slots)) if apart > 1 else len(slots)
    return [int(n) for n in chance.choice(slots, size, replace=False)]


def _session_start(bars: pl.DataFrame, at: int) -> int:
    return int(bars.filter(pl.col("session") == bars["session"][at])["number"][0])


def _scaled(bars: pl.DataFrame, at: int, factor: float) -> pl.DataFrame:
    after = pl.int_range(pl.len()) >= at
    opens = after & (pl.int_range(pl.len()) > at) if factor > 1 else after
    scaled = bars.with_columns(
        pl.when(after).then(pl.col(c) * factor).otherwise(c).alias(c)
        for c in ("high", "low", "close")
    )
    return scaled.with_columns(open=pl.when(opens).then(pl.col("open") * factor).otherwise("open"))
