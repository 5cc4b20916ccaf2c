"""Longer bars from one-minute bars, bucket by bucket of the trading session.

What belongs here: the grouping of minutes into the bars of a session's grid. What does not: which
vendor's minutes (each vendor is resampled alone, before stitching), the grid (market_data/
calendars).
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.calendars import trading_sessions, with_bar_end
from market_data.ordering import sort_if_needed
from market_data.timeframes import Timeframe

_CARRIED = ("vendor", "basis")
_MARKS = ("deadjusted", "disputed")
_SEEN = ("fetched_at", "asked_at")
_SUMMED = ("volume", "trades")


def resample(
    bars: pl.DataFrame, calendar: str, timeframe: Timeframe, now: datetime
) -> pl.DataFrame:
    """Bars of a longer timeframe.

    Buckets are anchored at the session's open in UTC instants, so that a change of the clocks
    moves them with the exchange, and again after a lunch break; a daily bar is the whole session.
    Open is the first minute's, close the last one's, high and low the extremes, volume and trades
    the sums of what is known (null where nothing is), vwap the mean weighted by volume (null where
    a minute that traded has none).

    Args:
        bars: one-minute bars inside their sessions: symbol, ts (UTC), session, open, high, low,
            close, volume, vwap, trades; where present, vendor and basis keep bars apart and a
            Boolean `deadjusted` or `disputed` is true where any minute's is.
        calendar: calendar code of all of them.
        timeframe: longer than a minute.
        now: a bar whose end lies after it is not final, nor one that ends after the newest fetch
            of its session: `fetched_at` of the minutes, or `asked_at` (when an answer last said
            that there is nothing else), where those columns are there.

    Returns:
        The same columns (no others), bar_end (UTC), final, and parts: how many minutes each bar
        was made of. Sorted by (symbol, ts).
    """
    rows = sort_if_needed(bars)
    apart = [c for c in _CARRIED if c in rows.columns and rows.get_column(c).n_unique() > 1]
    single = [c for c in _CARRIED if c in rows.columns and c not in apart]
    traded = pl.col("volume") > 0
    turnover = (pl.col("vwap") * pl.col("volume")).filter(traded)
    weighted = pl.when(turnover.null_count() == 0, turnover.len() > 0).then(
        turnover.sum() / pl.col("volume").filter(traded).sum()
    )
    optional = [pl.col(c).any() for c in _MARKS if c in rows.columns]
    optional += [pl.col(c).max() for c in _SEEN if c in rows.columns]
    grouped = (
        rows.with_columns(ts=_bucket(rows, calendar, timeframe))
        .group_by("symbol", "ts", *apart, maintain_order=True)
        .agg(
            pl.col("session", *single).first(),
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            *optional,
            *(pl.when(pl.col(c).count() > 0).then(pl.col(c).sum()) for c in _SUMMED),
            vwap=weighted,
            parts=pl.len(),
        )
    )
    return (
        with_bar_end(grouped, calendar, timeframe)
        .with_columns(final=pl.col("bar_end") <= _until(grouped, now))
        .drop(_SEEN, strict=False)
        .sort("symbol", "ts", *apart)
    )


def _until(grouped: pl.DataFrame, now: datetime) -> pl.Expr:
    """Up to when the minutes of a bar's session are known: its newest fetch, at most now.

    A day of minutes that was fetched before its close and never again is not a whole day.
    """
    seen = [pl.col(c).max().over("symbol", "session") for c in _SEEN if c in grouped.columns]
    if not seen:
        return pl.lit(now)
    return pl.min_horizontal(pl.max_horizontal(seen), pl.lit(now))


def _bucket(rows: pl.DataFrame, calendar: str, timeframe: Timeframe) -> pl.Series:
    """The start of the bar that each minute belongs to."""
    if rows.is_empty():
        return rows.get_column("ts")
    first, last = rows.select(first=pl.col("session").min(), last=pl.col("session").max()).row(0)
    sessions = trading_sessions(calendar, first, last).select("session", "open", "break_end")
    placed = rows.select("ts", "session").join(
        sessions, on="session", how="left", maintain_order="left"
    )
    if not timeframe.is_intraday:
        return placed.get_column("open").alias("ts")
    after_break = (pl.col("ts") >= pl.col("break_end")).fill_null(value=False)
    anchor = pl.when(after_break).then("break_end").otherwise("open")
    step = timeframe.minutes * 60_000_000
    since = (pl.col("ts") - anchor).dt.total_microseconds()
    return placed.select(ts=pl.col("ts") - pl.duration(microseconds=since % step)).to_series()
