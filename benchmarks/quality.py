"""All checks of five million one-minute bars, against pandas and against their curation.

What belongs here: speed. What does not: how well faults are found (detectors.py).

Every check has work, on both sides: a second vendor has the same minutes, a thousandth part dearer
now and then (drift), and the days that they lie within are judged beside them (daily against
intraday). Curation makes the bars of both vendors' rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from benchmarks.curation import FIRST, INSTRUMENTS, LAST, NOW, THRESHOLDS, raw_bars
from benchmarks.ratio import Ratio
from benchmarks.rounds import Times
from market_data.calendars import expected_bars
from market_data.curation import CurationInput, curate
from market_data.quality.checks import evaluate_bars
from market_data.quality.consistency import spans
from market_data.quality.false_ticks import find_false_ticks
from market_data.quality.view import BarsView, limits_of
from market_data.schemas import CURATED_BARS, PRICES
from market_data.timeframes import Timeframe
from market_data.universe import AssetClass

ROUNDS = 4
APPLIED = 20_000
"""Bars of the rolling apply, which takes half a minute for as many as the others judge in one."""
_WINDOW = 20


def calm(raw: pl.DataFrame) -> pl.DataFrame:
    """Prices that move by a cent from one bar to the next, up and down again."""
    number = pl.int_range(pl.len())
    price = 100 + (number % 10_000 - 5_000).abs() / 100
    wave = (pl.col("close") - pl.col("open")) / 20
    return raw.with_columns(open=price, high=price + 1, low=price - 1, close=price + wave)


def other_vendor(raw: pl.DataFrame) -> pl.DataFrame:
    """The same bars as another vendor has them."""
    off = 1 + (pl.int_range(pl.len()) % 500 == 0).cast(pl.Float64) / 1000
    return raw.with_columns(vendor=pl.lit("b"), close=pl.col("close") * off)


def curated_of(*logs: pl.DataFrame) -> pl.DataFrame:
    """The bars that curation makes of two vendors."""
    return curate(
        CurationInput(
            timeframe=Timeframe.M1,
            native=list(logs),
            instruments=INSTRUMENTS,
            order={AssetClass.EQUITY: ("a", "b")},
            thresholds=THRESHOLDS,
            now=NOW,
            rule_versions={AssetClass.EQUITY: "bench"},
        )
    ).bars


def peers_of(*logs: pl.DataFrame) -> pl.DataFrame:
    """What the vendors say of each bar, as `BarsView.peers` has it."""
    told = [
        log.unique(["symbol", "ts"], keep="first", maintain_order=True).select(
            "vendor", "symbol", "ts", "session", "close", basis_group=pl.lit("trade|USD")
        )
        for log in logs
    ]
    return pl.concat(told)


def days_of(bars: pl.DataFrame) -> pl.DataFrame:
    """Curated days over the same minutes."""
    return CURATED_BARS.conform(
        bars.group_by("symbol", "session", maintain_order=True).agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            pl.exclude("open", "high", "low", "close", "volume").first(),
        )
    )


def all_checks(bars: pl.DataFrame, days: pl.DataFrame, peers: pl.DataFrame) -> None:
    """The ten checks of the minutes with two vendors, and of the days that they lie within."""
    view = replace(view_of(bars), peers=peers)
    evaluate_bars(view, THRESHOLDS)
    daily = replace(
        view_of(days),
        dataset="curated/bars_1d",
        timeframe=Timeframe.D1,
        expected=expected_bars(INSTRUMENTS, Timeframe.D1, FIRST, LAST),
        within=spans(bars, view.expected),
    )
    evaluate_bars(daily, THRESHOLDS)


def view_of(bars: pl.DataFrame) -> BarsView:
    """The curated bars, and what should be there."""
    return BarsView(
        dataset="curated/bars_1m",
        kind="curated",
        timeframe=Timeframe.M1,
        instruments=INSTRUMENTS,
        bars=bars,
        expected=expected_bars(INSTRUMENTS, Timeframe.M1, FIRST, LAST),
        sessions=(FIRST, LAST),
        now=NOW,
    )


def in_pandas(bars: Any, expected: Any, days: Any, told: Any, others: Any) -> dict[str, Any]:
    """The same ten questions as a careful pandas user asks them: whole columns, no loop."""
    import pandas as pd

    keys = ["symbol", "session"]
    by_session, by_symbol = bars.groupby(keys, sort=False), bars.groupby("symbol", sort=False)
    counted = expected.merge(by_session.size().rename("observed").reset_index(), how="left")
    share = counted["observed"].fillna(0) / counted["expected"]
    newest = by_session["ts"].max().rename("newest").reset_index()
    lag = counted.merge(newest, how="left")
    late = lag["close"] - (lag["newest"] + pd.Timedelta(minutes=1)) > pd.Timedelta(minutes=15)
    prices = bars[list(PRICES)]
    broken = (
        (bars["high"] < prices.max(axis=1))
        | (bars["low"] > prices.min(axis=1))
        | (prices <= 0).any(axis=1)
        | ~np.isfinite(prices).all(axis=1)
    )
    before = by_symbol["close"].shift()
    step = np.log(bars["close"] / before).abs()
    scale = step.groupby([bars["symbol"], bars["session"]], sort=False).transform("median")
    after, opened = by_symbol["close"].shift(-1), by_symbol["open"].shift(-1)
    size = (bars["close"] - before).abs()
    false = (
        (step >= 6 * 1.4826 * scale)
        & (step >= np.log1p(0.005))
        & ((opened - before).abs() <= 0.35 * size)
        & ((after - before).abs() <= 0.5 * size)
    )
    changed = (bars["close"] != before) | (bars["session"] != by_symbol["session"].shift())
    runs = changed.cumsum()
    flat = runs.map(runs.value_counts()) >= 30
    volume = by_session["volume"].sum().rename("volume").reset_index()
    usual = volume.groupby("symbol")["volume"].transform(
        lambda v: v.rolling(_WINDOW, min_periods=5).median().shift()
    )
    both = told.merge(others, on=["symbol", "ts", "basis_group"], suffixes=("", "_other"))
    most = both[["close", "close_other"]].max(axis=1)
    drift = (most - both[["close", "close_other"]].min(axis=1)) / most
    drifting = drift.groupby([both["symbol"], both["session"]], sort=False).max()
    within = by_session.agg({"high": "max", "low": "min", "close": "last"}).reset_index()
    beside = days.merge(within, on=keys, suffixes=("", "_within"))
    off = [(beside[c] / beside[f"{c}_within"] - 1).abs() > 0.001 for c in ("high", "low", "close")]
    return {
        "drift": drifting[drifting > 0.01],
        "consistency": beside[np.logical_or.reduce(off)],
        "schema": bars.dtypes,
        "coverage": counted[share < 0.9],
        "staleness": lag[late],
        "duplicates": bars[bars.duplicated(["symbol", "ts"])],
        "ohlc": bars[broken],
        "jumps": bars[(bars["close"] / before - 1).abs() > 0.3],
        "flat": bars[flat],
        "false_ticks": bars[false],
        "volume": volume[(volume["volume"] == 0) | (volume["volume"] > 30 * usual)],
    }


def rolling_apply(bars: Any) -> Any:
    """False ticks by the documents' rule, window by window."""
    import pandas as pd

    def apart(window: Any) -> float:
        middle = np.median(window)
        mad = np.median(np.abs(window - middle))
        return float(abs(window[-1] - middle) / (1.4826 * mad)) if mad else 0.0

    rolled = [
        group["close"].rolling(_WINDOW, min_periods=_WINDOW // 2).apply(apart, raw=True)
        for _, group in bars.groupby("symbol", sort=False)
    ]
    return pd.concat(rolled) >= 6


def run() -> list[Ratio]:
    """Measure; about four minutes."""
    raw = calm(raw_bars())
    other = other_vendor(raw)
    bars = curated_of(raw, other)
    days, peers = days_of(bars), peers_of(raw, other)
    view = view_of(bars)
    limits = limits_of(INSTRUMENTS, Timeframe.M1, THRESHOLDS)
    pandas = [
        frame.to_pandas()
        for frame in (bars, view.expected, days, *peers.partition_by("vendor", maintain_order=True))
    ]
    few = bars.group_by("symbol", maintain_order=True).head(APPLIED // len(INSTRUMENTS))
    times = Times()
    steps: dict[str, Callable[[], object]] = {
        "checks": partial(all_checks, bars, days, peers),
        "pandas": partial(in_pandas, *pandas),
        "curation": partial(curated_of, raw, other),
        "false ticks": partial(find_false_ticks, bars, limits, timeframe=Timeframe.M1),
    }
    for turn in range(ROUNDS):
        times.turn(steps, backwards=turn % 2 == 1)
    times.turn({"rolling apply": partial(rolling_apply, few.to_pandas())})
    each_applied = times.shortest("rolling apply") / few.height
    each = times.shortest("false ticks") / bars.height
    return [
        Ratio(
            "all checks of 5M 1m bars, speed of pandas",
            times.ratio("pandas", "checks"),
            3.0,
            detail=times.told("checks", "pandas"),
        ),
        Ratio(
            "all checks of 5M 1m bars, share of curating them",
            times.ratio("checks", "curation"),
            1.5,
            higher_is_better=False,
            detail=times.told("checks", "curation"),
        ),
        Ratio(
            "false ticks, speed of a rolling apply per symbol",
            each_applied / each,
            30.0,
            detail=f"{each * 1e9:.3g} against {each_applied * 1e9:.3g} ns a bar",
        ),
    ]
