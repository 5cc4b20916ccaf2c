"""The bars that both invented vendors agree on, before noise and planted errors.

What belongs here: daily bars as a closed form of the date, and the minutes of a session drawn so
that they add up to its daily bar exactly.
What does not: what a vendor makes of them (vendor.py, faults.py).

A day's close is the instrument's price times the exponential of a random walk over calendar days.
The minutes of a session are a Brownian bridge from open to close; what rises above the higher of
the two is scaled so that it tops at the day's high, and likewise below. Volumes are cut so that
they add up to the day's volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from adapters.vendors.sample.instruments import DemoInstrument
from adapters.vendors.sample.noise import Floats, normal, uniform
from market_data.calendars import bar_starts, trading_sessions
from market_data.schemas import UTC
from market_data.timeframes import Timeframe

_EPOCH = date(2024, 1, 1).toordinal()
_COUNTERS_PER_DAY = 4096
"""More than the minutes of any session."""
_CLOSED_DAY_NOISE = 0.3
"""News of a weekend day, as a share of a trading day's."""

TRUTH = {
    "session": pl.Date(),
    "ts": UTC,
    "begins": UTC,
    "position": pl.Int64(),
    "count": pl.Int64(),
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Float64(),
}
"""Columns of the frames below: `begins` is when the bar's first trade could happen, in UTC (a
daily bar's `ts` is its date at 00:00 UTC instead); `position` counts the session's
bars from 0, `count` is how many a complete session has."""


@dataclass(frozen=True)
class _Days:
    """Daily bars in logarithms of the price after all splits, one entry per day."""

    ordinals: npt.NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    shares: Floats
    """Product of the splits that are still ahead."""

    def prices(self, logs: Floats, decimals: int) -> Floats:
        """Prices as traded on their day."""
        result: Floats = np.round(np.exp(logs) * self.shares, decimals)
        return result


def daily_bars(instrument: DemoInstrument, seed: int, first: date, last: date) -> pl.DataFrame:
    """Daily bars of the sessions from first to last, both included.

    Returns:
        Columns of TRUTH, sorted by ts; `ts` is the session's date at 00:00 UTC. Prices are as
        traded, in the instrument's currency.
    """
    sessions = trading_sessions(instrument.calendar, first, last)
    if sessions.is_empty():
        return pl.DataFrame(schema=TRUTH)
    days = _days(instrument, seed, sessions["session"].to_list())
    return pl.DataFrame(
        {
            "session": sessions["session"],
            "ts": sessions["session"].cast(UTC),
            "begins": sessions["open"],
            "position": np.zeros(sessions.height, dtype=np.int64),
            "count": np.ones(sessions.height, dtype=np.int64),
            "open": days.prices(days.open, instrument.decimals),
            "high": days.prices(days.high, instrument.decimals),
            "low": days.prices(days.low, instrument.decimals),
            "close": days.prices(days.close, instrument.decimals),
            "volume": days.volume,
        },
        schema=TRUTH,
    )


def minute_bars(instrument: DemoInstrument, seed: int, first: date, last: date) -> pl.DataFrame:
    """One-minute bars of the sessions from first to last, both included.

    Returns:
        Columns of TRUTH, sorted by ts, on the grid of the instrument's calendar. Each session
        aggregates to its bar of `daily_bars`.
    """
    grid = bar_starts(instrument.calendar, Timeframe.M1, first, last).sort("session", "ts")
    if grid.is_empty():
        return pl.DataFrame(schema=TRUTH)
    counted = grid.group_by("session", maintain_order=True).len()
    days = _days(instrument, seed, counted["session"].to_list())
    parts = [
        _minutes(instrument, seed, days, row, count) for row, count in enumerate(counted["len"])
    ]
    columns = {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}
    return grid.select(
        "session",
        "ts",
        pl.col("ts").alias("begins"),
        pl.int_range(pl.len()).over("session").alias("position"),
        pl.len().over("session").cast(pl.Int64).alias("count"),
    ).with_columns(**{n: pl.Series(n, values) for n, values in columns.items()})


def _days(instrument: DemoInstrument, seed: int, sessions: list[date]) -> _Days:
    key = f"{seed}/{instrument.symbol}/day"
    ordinals = np.array([d.toordinal() for d in sessions], dtype=np.int64)
    walk = _walk(instrument, key, int(ordinals.max()))
    index = ordinals - _EPOCH
    sigma = instrument.volatility
    opening = walk[index - 1] + sigma * instrument.overnight * normal(key + "/open", ordinals)
    close = walk[index]
    top = np.maximum(opening, close)
    bottom = np.minimum(opening, close)
    shares = np.ones(len(ordinals))
    for split in instrument.splits:
        shares[ordinals < split.ex_date.toordinal()] *= split.value
    volume = instrument.volume * np.exp(0.25 * normal(key + "/volume", ordinals)) / shares
    return _Days(
        ordinals,
        opening,
        top + sigma * (0.03 + 0.09 * uniform(key + "/high", ordinals)),
        bottom - sigma * (0.03 + 0.09 * uniform(key + "/low", ordinals)),
        close,
        np.round(volume),
        shares,
    )


def _walk(instrument: DemoInstrument, key: str, last: int) -> Floats:
    """Log price at the end of each calendar day from the epoch to `last`."""
    ordinals = np.arange(_EPOCH, last + 1, dtype=np.int64)
    noise = normal(key + "/close", ordinals)
    if instrument.overnight:
        # Monday is 1 modulo 7 in the proleptic count of days.
        noise = np.where(ordinals % 7 % 6 == 0, _CLOSED_DAY_NOISE, 1.0) * noise
    result: Floats = np.log(instrument.price) + instrument.volatility * np.cumsum(noise)
    return result


def _minutes(
    instrument: DemoInstrument, seed: int, days: _Days, row: int, count: int
) -> dict[str, Floats]:
    """Open, high, low, close and volume of one session's minutes."""
    key = f"{seed}/{instrument.symbol}/minute"
    counters = days.ordinals[row] * _COUNTERS_PER_DAY + np.arange(count)
    step = 0.5 * instrument.volatility / np.sqrt(count)
    time = np.arange(count + 1) / count
    walk = np.concatenate([[0.0], np.cumsum(normal(key + "/step", counters))])
    bridge = step * (walk - time * walk[-1])
    edges = days.open[row] + (days.close[row] - days.open[row]) * time + bridge
    wick = step * (0.05 + 0.5 * uniform(key + "/wick", counters))
    tail = step * (0.05 + 0.5 * uniform(key + "/tail", counters))
    logs = {
        "open": edges[:-1],
        "high": np.maximum(edges[:-1], edges[1:]) + wick,
        "low": np.minimum(edges[:-1], edges[1:]) - tail,
        "close": edges[1:],
    }
    bars = {
        name: np.round(np.exp(_into_range(values, logs, days, row)) * days.shares[row], places)
        for places in [instrument.decimals]
        for name, values in logs.items()
    }
    return bars | {"volume": _volumes(key, counters, time, days.volume[row])}


def _into_range(values: Floats, logs: dict[str, Floats], days: _Days, row: int) -> Floats:
    """Scale what lies above open and close, and below, so that it ends at the high and low.

    The map never falls, so that a bar's high stays above its close; it leaves everything between
    the day's open and close where it is.
    """
    top = max(days.open[row], days.close[row])
    bottom = min(days.open[row], days.close[row])
    up = (days.high[row] - top) / (logs["high"].max() - top)
    down = (bottom - days.low[row]) / (bottom - logs["low"].min())
    result: Floats = np.where(
        values > top,
        top + (values - top) * up,
        np.where(values < bottom, bottom + (values - bottom) * down, values),
    )
    return result


def _volumes(key: str, counters: npt.NDArray[np.int64], time: Floats, total: float) -> Floats:
    """Whole units per minute that add up to the total, more at both ends of the session."""
    weights = np.exp(0.4 * normal(key + "/volume", counters)) * (
        1.0 + 1.5 * (2.0 * time[1:] - 1.0) ** 2
    )
    running = np.floor(np.cumsum(weights) / weights.sum() * total + 0.5)
    result: Floats = np.diff(running, prepend=0.0)
    return result
