"""Repeated bars: a feed that stalled and says the last bar again, volume and all.

What belongs here: bars whose four prices and volume are those of the bar before. What does not: one
close that stands (flat_runs.py), a bar given twice under one time (duplicates.py).

Only classes whose volume means traded units are judged. Days that say the same five numbers twice
do not occur; short bars do, now and then, where little is traded: one trade of the usual lot each.
So within a day more of them in a row are needed, and only bars with a range count. In a month of a
future's minutes (30,000 bars) two in a row are alike three times, three never.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.quality.findings import KEY, WARN, CheckOutcome, findings
from market_data.quality.flat_runs import repeats_of
from market_data.quality.volume import TRADED
from market_data.schemas import PRICES
from market_data.timeframes import Timeframe

REPEATED_BAR = "repeated_bar"
ALIKE_DAYS, ALIKE_WITHIN_A_DAY = 2, 3
"""Bars in a row, the first one included, from which on they are told of."""


def alike(timeframe: Timeframe) -> int:
    """How many bars in a row, the first one included, have to be alike."""
    return ALIKE_WITHIN_A_DAY if timeframe.is_intraday else ALIKE_DAYS


def find_repeated_bars(
    bars: pl.DataFrame, limits: pl.DataFrame, timeframe: Timeframe
) -> pl.DataFrame:
    """The bars that repeat the one before, in runs that are long enough.

    Args:
        bars: symbol, session, ts, open, high, low, close, volume (null where unknown), sorted by
            (symbol, ts). Runs of intraday bars begin anew with each session; those of daily bars
            go on, so give sessions before.
        limits: see `BarsView.limits`.
        timeframe: of the bars.

    Returns:
        symbol, session, ts, run (bars of the run up to this one); in the order of `bars`, without
        the first bar of a run, which repeats none.
    """
    repeats = repeats_of([*reversed(PRICES), "volume"], bars, timeframe)
    found = bars[repeats.get_column("row")].select("high", "low", "volume")
    counts = pl.lit(found.get_column("volume") > 0)
    if timeframe.is_intraday:
        counts = counts & pl.lit(found.get_column("high") > found.get_column("low"))
    traded = limits.filter(pl.col("asset_class").is_in([str(c) for c in TRADED]))
    return (
        repeats.filter(counts)
        .join(traded, on="symbol", how="semi", maintain_order="left")
        .filter(pl.col("run").max().over(*_whole_run(timeframe)) >= alike(timeframe))
        .select(*KEY, "ts", "run")
    )


def check_repeated_bars(
    repeated: pl.DataFrame,
    timeframe: Timeframe,
    *,
    check: str,
    dataset: str,
    sessions: tuple[date, date],
) -> CheckOutcome:
    """Report bars that repeat the one before.

    Args:
        repeated: of `find_repeated_bars`.
        timeframe: of the bars.
        check: name of the check that reports them.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings repeated_bar (warn), one per symbol-session: `value` is the longest run by then,
        `rows` are the bars that repeat another.
    """
    own = repeated.filter(pl.col("session").is_between(*sessions))
    longest = pl.col("run").arg_max()
    judged = (
        own.group_by(KEY, maintain_order=True)
        .agg(pl.col("run").max(), pl.col("ts").get(longest), rows=pl.len().cast(pl.Int64))
        .with_columns(
            code=pl.lit(REPEATED_BAR),
            severity=pl.lit(WARN),
            value=pl.col("run").cast(pl.Float64),
            threshold=pl.lit(float(alike(timeframe))),
            detail=pl.format(
                "{} bars in a row have the same prices and the same volume, up to {}",
                "run",
                pl.col("ts").dt.strftime("%Y-%m-%d %H:%M"),
            ),
        )
    )
    return CheckOutcome(findings(judged, check=check, dataset=dataset), own)


def _whole_run(timeframe: Timeframe) -> list[str]:
    return [*KEY, "begun"] if timeframe.is_intraday else ["symbol", "begun"]
