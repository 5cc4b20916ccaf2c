"""Statistics of regimes: how long markets were in each, and what the next bar brought.

What belongs here: the rows of marts/regime_stats, and summing them up. What does not: regimes
(regimes.py), labels (labels.py).
"""

from __future__ import annotations

import polars as pl

from market_data.features.registry import Kind, group_for
from market_data.features.schemas import REGIME_STATS
from market_data.timeframes import Timeframe

_BY = ["symbol", "session", "regime", "volatility"]


def definition_of(timeframe: Timeframe) -> str:
    """The definitions that the statistics of a timeframe rest on."""
    kinds = (Kind.REGIME, Kind.LABELS)
    return "+".join(group_for(kind, timeframe).definition for kind in kinds)


def regime_stats(regimes: pl.DataFrame, labels: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """Count the bars of each regime, session by session.

    Args:
        regimes: symbol, ts, session, regime, volatility, atr_ratio; bars without a regime do not
            count.
        labels: symbol, ts, fwd_ret_1.
        timeframe: of the bars.

    Returns:
        Rows of REGIME_STATS.
    """
    known = regimes.filter(pl.col("regime").is_not_null()).join(
        labels.select("symbol", "ts", "fwd_ret_1"), on=["symbol", "ts"], how="left"
    )
    ret = pl.col("fwd_ret_1")
    counted = (
        known.with_columns(pl.col("volatility").fill_null("unknown"))
        .sort("symbol", "ts")
        .group_by(_BY, maintain_order=True)
        .agg(
            bars=pl.len(),
            labelled=ret.count(),
            wins=(ret > 0).sum(),
            sum_return=ret.sum(),
            sum_square=(ret * ret).sum(),
            sum_atr_ratio=pl.col("atr_ratio").sum(),
        )
        .with_columns(timeframe=pl.lit(str(timeframe)), definition=pl.lit(definition_of(timeframe)))
    )
    return REGIME_STATS.conform(counted)


def summary(stats: pl.DataFrame, by: tuple[str, ...] = ("timeframe", "regime")) -> pl.DataFrame:
    """Sum statistics up.

    Args:
        stats: rows of REGIME_STATS.
        by: columns that tell apart what is summed up.

    Returns:
        The columns of `by`, bars, share (of all bars of the timeframe), win_rate, mean_return,
        deviation (population), mean_atr_ratio; empty cells where no next bar is known.
    """
    sums = stats.group_by(by).agg(pl.col(pl.Int64, pl.Float64).sum()).sort(by)
    known = pl.when(pl.col("labelled") > 0).then("labelled")
    mean = pl.col("sum_return") / known
    variance = (pl.col("sum_square") / known - mean**2).clip(lower_bound=0)
    whole = pl.col("bars").sum().over("timeframe") if "timeframe" in by else pl.col("bars").sum()
    return sums.select(
        *by,
        "bars",
        share=pl.col("bars") / whole,
        win_rate=pl.col("wins") / known,
        mean_return=mean,
        deviation=variance.sqrt(),
        mean_atr_ratio=pl.col("sum_atr_ratio") / pl.col("bars"),
    )
