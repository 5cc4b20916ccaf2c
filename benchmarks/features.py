"""Features of five million one-minute bars against vectorised pandas, and of one session alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any

import polars as pl

from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from market_data.calendars import bar_starts
from market_data.features.registry import Kind, bar_groups
from market_data.features.series import series
from market_data.features.windows import LOOK_BACK, stretches, warm_up
from market_data.pipeline.features import Part, computed
from market_data.schemas import CORPORATE_ACTIONS
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass, Instrument

SYMBOLS, ROUNDS = 50, 3
M1 = Timeframe.M1
FIRST, LAST = date(2023, 12, 27), date(2025, 1, 3)
GROUPS = tuple(g for g in bar_groups(M1) if g.kind is not Kind.LABELS)


def bars_of(symbols: int) -> pl.DataFrame:
    """About 100 000 sorted bars a symbol, no two of them alike."""
    grid = bar_starts("XNYS", M1, FIRST, LAST).drop("bar_end")
    names = pl.DataFrame({"symbol": [f"S{i:03d}" for i in range(symbols)]})
    rows = names.join(grid, how="cross", maintain_order="left_right").with_row_index("n")
    noise = [(pl.col("n").hash(seed) % 100_000) / 100_000 for seed in range(4)]
    close = 100 + (pl.col("n") % 5000) / 100 + noise[0]
    return rows.select(
        "symbol",
        "ts",
        "session",
        high=close + noise[1],
        low=close - noise[2],
        close=close,
        volume=1.0 + 1000 * noise[3],
    )


class Kept:
    """Sorted bars of which ranges are read without a look at the others, as a store does it.

    Args:
        bars: of `bars_of`.
    """

    def __init__(self, bars: pl.DataFrame) -> None:
        runs = bars["symbol"].rle().struct.unnest()
        ends = runs["len"].cum_sum().to_list()
        self._bars, self._runs = bars, list(zip([0, *ends[:-1]], ends, strict=True))
        self.instruments = [
            Instrument(symbol=s, asset_class=AssetClass.EQUITY, calendar="XNYS")
            for s in runs["value"]
        ]

    def read(self, first: date, last: date) -> pl.DataFrame:
        """The bars of some sessions."""
        found = []
        for begin, end in self._runs:
            days = self._bars["session"][begin:end]
            start, stop = days.search_sorted(first), days.search_sorted(last, side="right")
            found.append(self._bars[begin + start : begin + stop])
        return pl.concat(found, rechunk=True)


def in_polars(
    kept: Kept, first: date = FIRST, last: date = LAST
) -> Iterator[dict[Kind, pl.DataFrame]]:
    """Features of a range as the platform makes them, which hands them on week by week."""
    return computed(parts_of(kept, first, last), GROUPS)


def parts_of(kept: Kept, first: date, last: date) -> Iterator[Part]:
    """The series of each week."""
    none = CORPORATE_ACTIONS.empty()
    for begin, start, end in stretches(M1, first, last):
        near = kept.read(begin - LOOK_BACK[M1], end)
        yield series(warm_up(near, begin), kept.instruments, M1, none), (start, end)


def made(weeks: Iterable[dict[Kind, pl.DataFrame]]) -> int:
    """How many rows of features there are; each week is let go, as when it is stored."""
    return sum(rows.height for week in weeks for rows in week.values())


def in_pandas(bars: Any) -> Any:  # noqa: PLR0915  one line per column
    """The same columns as a careful pandas user writes them: no loop over symbols or rows."""
    import numpy as np

    by = bars.groupby("symbol", sort=False)
    close, high, low, volume = (bars[c] for c in ("close", "high", "low", "volume"))

    def grouped(values: Any) -> Any:
        return values.groupby(bars["symbol"], sort=False)

    def rolled(values: Any, n: int, how: str, **options: Any) -> Any:
        made = getattr(grouped(values).rolling(n), how)(**options)
        return made.reset_index(level=0, drop=True)

    def smoothed(values: Any, **how: Any) -> Any:
        made = grouped(values).ewm(adjust=False, **how).mean()
        return made.reset_index(level=0, drop=True)

    out = bars[["symbol", "ts"]].copy()
    last = by["close"].shift(1)
    out["ret_1"] = close / last - 1
    for n in (5, 20):
        out[f"ret_{n}"] = close / by["close"].shift(n) - 1
        out[f"ma_{n}"] = rolled(close, n, "mean")
    out["vol_20"] = rolled(out["ret_1"], 20, "std")
    out["vol_ma_20"] = rolled(volume, 20, "mean")
    out["vol_zscore_20"] = (volume - out["vol_ma_20"]) / rolled(volume, 20, "std")
    out["vol_percentile_20"] = sum((by["volume"].shift(n) <= volume) for n in range(20)) / 20
    step = close - last
    wilder = {"alpha": 1 / 14, "min_periods": 14}
    gains, losses = (
        smoothed(step.clip(lower=0), **wilder),
        smoothed((-step).clip(lower=0), **wilder),
    )
    out["rsi_14"] = 100 * gains / (gains + losses)
    macd = smoothed(close, span=12, min_periods=26) - smoothed(close, span=26, min_periods=26)
    out["macd"], out["macd_signal"] = macd, smoothed(macd, span=9, min_periods=9)
    out["macd_hist"] = out["macd"] - out["macd_signal"]
    width = 2 * rolled(close, 20, "std", ddof=0)
    out["bb_middle"] = out["ma_20"]
    out["bb_upper"], out["bb_lower"] = out["ma_20"] + width, out["ma_20"] - width
    reach = np.maximum(high, last) - np.minimum(low, last)
    out["atr_14"] = smoothed(reach, **wilder)
    up, down = high - by["high"].shift(1), by["low"].shift(1) - low
    plus = smoothed(up.where((up > down) & (up > 0), 0.0), **wilder)
    minus = smoothed(down.where((down > up) & (down > 0), 0.0), **wilder)
    out["plus_di_14"], out["minus_di_14"] = 100 * plus / out["atr_14"], 100 * minus / out["atr_14"]
    out["adx_14"] = smoothed(100 * (plus - minus).abs() / (plus + minus), **wilder)
    highs = {n: rolled(high, n, "max") for n in (9, 14, 26, 52)}
    lows = {n: rolled(low, n, "min") for n in (9, 14, 26, 52)}
    out["stoch_k_14"] = 100 * (close - lows[14]) / (highs[14] - lows[14])
    out["stoch_d_3"] = rolled(out["stoch_k_14"], 3, "mean")
    out["williams_r_14"] = -100 * (highs[14] - close) / (highs[14] - lows[14])
    typical = (high + low + close) / 3
    mean = rolled(typical, 20, "mean")
    away = sum((grouped(typical).shift(n) - mean).abs() for n in range(20)) / 20
    out["cci_20"] = (typical - mean) / (0.015 * away)
    middle = {n: (highs[n] + lows[n]) / 2 for n in (9, 26, 52)}
    out["tenkan"], out["kijun"] = middle[9], middle[26]
    out["senkou_a"] = grouped((middle[9] + middle[26]) / 2).shift(26)
    out["senkou_b"] = grouped(middle[52]).shift(26)
    out["sma_50"] = rolled(close, 50, "mean")
    out["atr_ratio"] = out["atr_14"] / close
    trend, ratio = np.sign(out["ma_5"] - out["ma_20"]), out["atr_ratio"]
    trending = out["adx_14"] > 25
    out["regime"] = np.select(
        [trending & (trend > 0), trending & (trend < 0), ratio > 0.02],
        ["trending_up", "trending_down", "volatile_chop"],
        "quiet_range",
    )
    out["volatility"] = np.select([ratio < 0.01, ratio < 0.025], ["low", "medium"], "high")
    return out


def check(bars: pl.DataFrame) -> None:
    """Both ways say the same where averages no longer remember how they began."""
    few = bars.filter(pl.col("symbol") == "S000", pl.col("session") < FIRST + timedelta(days=20))
    last = few["session"].unique().sort()[-1]
    made = pl.concat([rows[Kind.INDICATORS] for rows in in_polars(Kept(few), last, last)])
    theirs = pl.from_pandas(in_pandas(few.to_pandas())).tail(made.height)
    for name in ("rsi_14", "macd_hist", "bb_upper", "atr_14", "adx_14", "cci_20", "stoch_d_3"):
        apart = (made[name] - theirs[name]).abs().max()
        if not isinstance(apart, float) or apart > 1e-6:
            raise AssertionError(f"{name} differs by {apart}")


def run(symbols: int = SYMBOLS, rounds: int = ROUNDS) -> list[Ratio]:
    """The ratio to pandas, and what one session costs of a year."""
    bars = bars_of(symbols)
    check(bars)
    kept, frame = Kept(bars), bars.to_pandas()
    sessions = bars["session"].unique().sort()
    middle = sessions[len(sessions) // 2]
    times = Times()
    for number in range(rounds):
        times.turn(
            {"polars": lambda: made(in_polars(kept)), "pandas": partial(in_pandas, frame)},
            backwards=bool(number % 2),
        )
    for _ in range(3):
        times.turn({"session": lambda: made(in_polars(kept, middle, middle))})
    return [
        Ratio(
            f"features of {bars.height / 1e6:.1f}M 1m bars, pandas / ours",
            times.ratio("pandas", "polars"),
            4.0,
            detail=times.told("polars", "pandas"),
        ),
        Ratio(
            f"features, all {len(sessions)} sessions / one session",
            times.ratio("polars", "session"),
            20.0,
            detail=times.told("session"),
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=SYMBOLS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    for ratio in run(asked.symbols, asked.rounds):
        print(ratio)
