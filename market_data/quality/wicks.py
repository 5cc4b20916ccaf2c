"""Wicks: an open, high or low that lies where nothing else says that anything was traded.

What belongs here: finding them. What does not: wrong closes (false_ticks.py), prices that
contradict their own bar (ohlc.py), what becomes of a flagged bar (market_data/curation).

The rule: how far the price lies outside of the closes and openings around it, as a log return. A
high is held against the highest, a low against the lowest of the close before, the bar's own open
and close and the next opening; an open against the close before, the bar's own close and the next
opening. It is flagged at `wick_z` times the usual range of a bar and `wick_move`. So an opening
that gaps is none while the bar closes there, nor is a split: the bar's own prices agree. A price
that the next bar opens at was traded.

The usual range is the median of the log of high through low: of the session for bars of minutes, of
the 60 bars before for those of an hour and longer (odd_bars.py). Where both neighbours of a bar
have a wider one, it is the less wide of theirs: a market in turmoil is so for more than one bar,
and one wrong neighbour hides nothing.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.quality.findings import CheckOutcome
from market_data.quality.odd_bars import granularity_at, tell, usual_at
from market_data.schemas import PRICES, UTC
from market_data.timeframes import Timeframe

WICK = "wick"
WICKS = {
    "symbol": pl.String(),
    "session": pl.Date(),
    "ts": UTC,
    "price": pl.String(),
    "at": pl.Float64(),
    "beyond": pl.Float64(),
    "z": pl.Float64(),
    "threshold": pl.Float64(),
}
"""A bar with a wrong price: which one (`open`, `high` or `low`; of several the farthest), where it
is `at`, how far `beyond` the prices around it as a fraction, `z` in usual ranges, and the limit."""


def check_wicks(wicks: pl.DataFrame, *, dataset: str, sessions: tuple[date, date]) -> CheckOutcome:
    """Report the wicks of some sessions.

    Args:
        wicks: of `find_wicks`.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings wick (warn), one per symbol-session: `value` is the largest `z`.
    """
    return tell(wicks, code=WICK, detail=_sentence(), dataset=dataset, sessions=sessions)


def find_wicks(bars: pl.DataFrame, limits: pl.DataFrame, *, timeframe: Timeframe) -> pl.DataFrame:
    """Find bars whose open, high or low was never traded.

    Args:
        bars: symbol, session, ts, open, high, low, close (positive), sorted by (symbol, ts). The
            last bar of a series is judged without a next opening.
        limits: see `BarsView.limits`.
        timeframe: of the bars.

    Returns:
        Rows of WICKS sorted by (symbol, ts), one for each such bar.
    """
    rows = _long(bars, limits)
    if rows.is_empty():
        return pl.DataFrame(schema=WICKS)
    known = limits.select("symbol", "wick_z", "wick_move")
    beyond = _beyond(bars, rows).join(known, on="symbol", maintain_order="left")
    far = beyond.filter(pl.col("beyond") >= pl.col("wick_move").log1p())
    if far.is_empty():
        return pl.DataFrame(schema=WICKS)
    numbered = bars.with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
    usual = usual_at(numbered, far, (pl.col("high") / pl.col("low")).log(), timeframe)
    grain = granularity_at(numbered, far, PRICES, timeframe)
    return (
        far.join(usual, on="row", maintain_order="left")
        .join(grain, on="row", maintain_order="left")
        .with_columns(z=pl.col("beyond") / pl.max_horizontal("usual", _turmoil(), "grain"))
        .filter(pl.col("z") >= pl.col("wick_z"))
        .with_columns(beyond=pl.col("beyond").exp() - 1, threshold="wick_z")
        .select(list(WICKS))
    )


def _turmoil() -> pl.Expr:
    """The less wide range of both neighbours; null where there is one alone."""
    both = pl.col("range_before").is_not_null() & pl.col("range_after").is_not_null()
    return pl.when(both).then(pl.min_horizontal("range_before", "range_after"))


def _long(bars: pl.DataFrame, limits: pl.DataFrame) -> pl.Series:
    """Numbers of the bars whose own prices lie far enough apart for some symbol.

    They are few, and whatever else is looked at, is looked at for them alone.
    """
    if limits.is_empty():
        return pl.Series(dtype=pl.UInt32)
    least = 1 + limits.select(pl.col("wick_move").min()).item()
    # Each of the three faults stretches its own bar.
    return bars.select((pl.col("high") >= pl.col("low") * least).arg_true()).to_series()


def _beyond(bars: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """How far the farthest price of some bars lies beyond those around it: its name and place."""
    own = bars[rows].select("symbol", "session", "ts", "open", "high", "low", "close")
    last = bars.height - 1
    before = bars.select("symbol", "high", "low", "close")[(rows.cast(pl.Int64) - 1).clip(0)]
    after = bars.select("symbol", "high", "low", "open")[(rows + 1).clip(upper_bound=last)]
    preceded = (before["symbol"] == own["symbol"]) & (rows > 0)
    followed = (after["symbol"] == own["symbol"]) & (rows < last)
    beside = own.with_columns(
        row=rows,
        before=pl.when(preceded).then(before["close"]),
        after=pl.when(followed).then(after["open"]),
        range_before=pl.when(preceded).then((before["high"] / before["low"]).log()),
        range_after=pl.when(followed).then((after["high"] / after["low"]).log()),
    )
    around = ("before", "close", "after")
    top, bottom = pl.max_horizontal(around), pl.min_horizontal(around)
    opened = pl.max_horizontal(pl.col("open") / top, bottom / pl.col("open"))
    high = pl.col("high") / pl.max_horizontal(top, "open")
    low = pl.min_horizontal(bottom, "open") / pl.col("low")
    farthest = pl.max_horizontal(opened, high, low)
    # Nothing but the bar itself is no witness.
    alone = pl.col("before").is_null() & pl.col("after").is_null()
    name = (
        pl.when(high == farthest)
        .then(pl.lit("high"))
        .when(low == farthest)
        .then(pl.lit("low"))
        .otherwise(pl.lit("open"))
    )
    return (
        beside.filter(~alone)
        .with_columns(price=name, beyond=farthest.log())
        .with_columns(
            at=pl.when(pl.col("price") == "high")
            .then("high")
            .when(pl.col("price") == "low")
            .then("low")
            .otherwise("open")
        )
    )


def _sentence() -> pl.Expr:
    return pl.format(
        "{} bars with a price that was not traded: at {} the {} is {} % beyond what was traded "
        "around it, {} usual ranges",
        "rows",
        pl.col("ts").dt.strftime("%Y-%m-%d %H:%M"),
        "price",
        (pl.col("beyond") * 100).round(2),
        pl.col("z").round(1),
    )
