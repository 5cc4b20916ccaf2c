"""Planted faults of prices and volumes.

What belongs here: the ways in which a series of bars is spoilt. What does not: the series
(planted.py), faults of whole sessions (trials_of_sessions.py), what finds them
(trials_of_prices.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from benchmarks.planted import Kind, Spoilt, limits_of
from market_data.schemas import PRICES

FAULTS = 10
"""Spikes, or odd volumes, per series."""

Plant = Callable[[pl.DataFrame, Kind, np.random.Generator], Spoilt]


def spikes(longest: int) -> Plant:
    """Closes that were not traded, up to `longest` in a row, and the openings between them."""

    def plant(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Spoilt:
        close, opening = bars["close"].to_numpy().copy(), bars["open"].to_numpy().copy()
        planted: set[int] = set()
        for at in places(bars, chance, longest + 7):
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
        wrong_bars = places(bars, chance, 8)
        for at in wrong_bars:
            name = str(chance.choice(["open", "high", "low"]))
            up = name == "high" or (name == "open" and chance.random() < 0.5)
            prices[name][at] *= factor if up else 1 / factor
        wrong = bars.with_columns(pl.Series(name, of) for name, of in prices.items())
        enclosed = wrong.with_columns(
            high=pl.max_horizontal("open", "high"), low=pl.min_horizontal("open", "low")
        )
        return Spoilt(enclosed, frozenset(wrong_bars))

    return plant


def nothing(bars: pl.DataFrame, _kind: Kind, _chance: np.random.Generator) -> Spoilt:
    """Sound bars."""
    return Spoilt(bars, frozenset())


def split(bars: pl.DataFrame, _kind: Kind, chance: np.random.Generator) -> Spoilt:
    """A split that was reported: nothing is wrong."""
    ratio = float(chance.choice([2, 3, 5, 10, 0.1]))
    at = _session_start(bars, places(bars, chance, 1)[0])
    told = {"symbol": "AAA", "ex_date": bars["session"][at], "kind": "split", "value": ratio}
    scaled = _scaled(bars, at, 1 / ratio, from_close=False)
    return Spoilt(scaled, frozenset(), pl.DataFrame([told]))


def cents(longest: int) -> Plant:
    """Prices in cents from one bar on, for one to `longest` bars, or for good where that is 0."""

    def plant(bars: pl.DataFrame, _kind: Kind, chance: np.random.Generator) -> Spoilt:
        at = places(bars, chance, 1)[0]
        changed = _scaled(bars, at, 100.0)
        if not longest:
            return Spoilt(changed, frozenset({at}))
        back = at + int(chance.integers(1, longest + 1))
        right = _scaled(changed, back, 0.01, from_close=False)
        return Spoilt(right, frozenset(range(at, back)))

    return plant


def steps(times: float) -> Plant:
    """A price that steps once, by a multiple of what is allowed between two bars, and stays.

    What the series itself steps further than is allowed counts as planted.
    """

    def plant(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Spoilt:
        allowed = float(limits_of(kind)["jump"][0])
        factor = (1 + times * allowed) ** chance.choice([-1, 1])
        stepped = _scaled(bars, places(bars, chance, 1)[0], factor)
        close = stepped["close"].to_numpy()
        far = np.flatnonzero(np.abs(close[1:] / close[:-1] - 1) > allowed) + 1
        return Spoilt(stepped, frozenset(map(int, far)))

    return plant


def repeated(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Spoilt:
    """A feed that repeats its last price until it has stood for twice as long as is allowed."""
    allowed = int(limits_of(kind)["flat_run_bars"][0])
    last = 2 * allowed - 1
    within = bars["session"].to_numpy()
    at = next(
        at
        for at in places(bars, chance, 1)
        if kind.daily or within[at - 1] == within[at + last + 1]
    )
    close = bars["close"].to_numpy().copy()
    close[at : at + last] = close[at - 1]
    first, end = at - 1, at + last
    # Prices that happen to stand where it begins or ends are a part of it.
    while close[first - 1] == close[at] and (kind.daily or within[first - 1] == within[at]):
        first -= 1
    while close[end] == close[at] and (kind.daily or within[end] == within[at]):
        end += 1
    # Days are told from the first one too many; of a day's bars, the last of the run.
    told = range(first + allowed - 1, end) if kind.daily else [end - 1]
    return Spoilt(bars.with_columns(close=close), frozenset(told))


def missing_splits(bars: pl.DataFrame, _kind: Kind, chance: np.random.Generator) -> Spoilt:
    """Splits of which nobody told: the price falls and the volume rises by their ratio."""
    starts = places(bars, chance, 150)[:3]
    for at in starts:
        ratio = float(chance.choice([2, 3, 4, 5, 10, 20, 1 / 5, 1 / 10]))
        bars = _scaled(bars, at, 1 / ratio, from_close=False)
        bars = bars.with_columns(volume=_from(at, pl.col("volume"), ratio))
    return Spoilt(bars, frozenset(starts))


def crashes(bars: pl.DataFrame, _kind: Kind, chance: np.random.Generator) -> Spoilt:
    """Openings at half the price on eight times the volume: news, no fault."""
    for at in places(bars, chance, 150)[:3]:
        bars = _scaled(bars, at, 0.5, from_close=False)
        traded = pl.when(pl.col("number") == at).then(pl.col("volume") * 8).otherwise("volume")
        bars = bars.with_columns(volume=traded)
    return Spoilt(bars, frozenset())


def bars_again(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Spoilt:
    """A feed that says a bar four times, volume and all, with another time each."""
    within = bars["session"].to_numpy()
    of = np.arange(bars.height)
    planted: set[int] = set()
    for at in places(bars, chance, 12):
        if kind.daily or within[at] == within[at + 3]:
            of[at + 1 : at + 4] = at
            planted |= {at + 1, at + 2, at + 3}
    said = bars.select(*PRICES, "volume")[of]
    return Spoilt(bars.with_columns(said.get_columns()), frozenset(planted))


def volumes(factor: float | None) -> Plant:
    """Sessions whose volume is a multiple of the true one, or not known where that is None."""

    def plant(bars: pl.DataFrame, kind: Kind, chance: np.random.Generator) -> Spoilt:
        if kind.daily:
            days = [bars["session"][at] for at in places(bars, chance, 30)]
        else:
            # The sessions before tell what is usual.
            days = chance.choice(bars["session"].unique().sort().to_list()[5:], 1).tolist()
        wrong = pl.col("session").is_in(days)
        volume = pl.when(wrong).then(pl.col("volume") * factor).otherwise("volume")
        numbers = bars.filter(wrong)["number"].to_list()
        return Spoilt(bars.with_columns(volume=volume), frozenset(numbers))

    return plant


def places(bars: pl.DataFrame, chance: np.random.Generator, apart: int) -> list[int]:
    """Bars in any order, so far from each other, and far from the ends."""
    slots = np.arange(70, bars.height - 80, apart)
    size = min(FAULTS, len(slots)) if apart > 1 else len(slots)
    return [int(n) for n in chance.choice(slots, size, replace=False)]


def _session_start(bars: pl.DataFrame, at: int) -> int:
    return int(bars.filter(pl.col("session") == bars["session"][at])["number"][0])


def _scaled(bars: pl.DataFrame, at: int, factor: float, *, from_close: bool = True) -> pl.DataFrame:
    """Prices from one bar on; its opening too, unless the change came within it."""
    within = [_from(at, pl.col(c), factor) for c in ("high", "low", "close")]
    return bars.with_columns(*within, open=_from(at + from_close, pl.col("open"), factor))


def _from(at: int, column: pl.Expr, factor: float) -> pl.Expr:
    return pl.when(pl.int_range(pl.len()) >= at).then(column * factor).otherwise(column)
