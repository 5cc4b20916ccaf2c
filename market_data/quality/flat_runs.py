"""Flat runs: one price, bar after bar, as a feed repeats that has died.

What belongs here: how long a close has not moved. What does not: bars that are missing
(coverage.py), a newest bar that is late (staleness.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.quality.findings import KEY, WARN, CheckOutcome, findings
from market_data.timeframes import Timeframe


def find_flat_runs(bars: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """The longest run of one close that reaches into each symbol-session, where one has two bars.

    Args:
        bars: symbol, session, ts, close, sorted by (symbol, ts). Runs of intraday bars begin anew
            with each session; those of daily bars go on, so give sessions before.
        timeframe: of the bars.

    Returns:
        symbol, session, run (bars up to the run's last one in the session), ts (of that bar),
        close; in the order of `bars`.
    """
    longest = pl.col("run").arg_max()
    return (
        repeats_of(["close"], bars, timeframe)
        .group_by(KEY, maintain_order=True)
        .agg(pl.col("run").max(), pl.col("ts", "close").get(longest))
        .select(*KEY, "run", "ts", "close")
    )


def find_flat_bars(bars: pl.DataFrame, limits: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """The bars of each symbol-session that lie in a run which is `flat_run_bars` long by its end.

    Of daily bars these are the ones from the `flat_run_bars`-th of a run on; within a day all
    bars of the run.

    Args:
        bars: as of `find_flat_runs`.
        limits: see `BarsView.limits`.
        timeframe: of the bars.

    Returns:
        symbol, session, ts; in the order of `bars`.
    """
    limit = limits.select("symbol", "flat_run_bars")
    repeats = repeats_of(["close"], bars, timeframe)
    if repeats.is_empty():
        return repeats.select(*KEY, "ts")
    flat = repeats.join(limit, on="symbol", maintain_order="left").filter(
        pl.col("run").max().over(*KEY, "begun") >= pl.col("flat_run_bars")
    )
    rows = flat.get_column("row")
    if timeframe.is_intraday:
        rows = pl.concat([rows, flat.get_column("begun") - 1]).unique().sort()
    return bars[rows].select(*KEY, "ts")


def repeats_of(columns: Sequence[str], bars: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """The bars whose cells are those of the bar before.

    Args:
        columns: the cells. Null is like nothing.
        bars: symbol, session, ts, close and the columns, sorted by (symbol, ts).
        timeframe: of the bars; within a day the first bar of a session has none before it.

    Returns:
        symbol, session, ts, close, row (the number in `bars`), begun (that of the first repeat of
        its run), run (bars of the run up to this one, the bar that is repeated included).
    """
    first, *others = columns
    values = bars.get_column(first)
    # Few bars repeat the one before: only those are looked at.
    rows = (values == values.shift()).arg_true()
    same = pl.lit(value=True)
    for column in [*others, *(KEY if timeframe.is_intraday else ["symbol"])]:
        values = bars.get_column(column)
        same = same & pl.lit(values[rows] == values[rows - 1])
    repeats = bars[rows].select(*KEY, "ts", "close", row=pl.Series(rows)).filter(same)
    apart = pl.col("row") != pl.col("row").shift() + 1
    begun = pl.when(apart.fill_null(value=True)).then("row").forward_fill()
    return repeats.with_columns(begun=begun).with_columns(
        run=(pl.col("row") - pl.col("begun") + 2).cast(pl.Int64)
    )


def check_flat_runs(
    runs: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    check: str,
    dataset: str,
    sessions: tuple[date, date],
) -> CheckOutcome:
    """Report runs of `flat_run_bars` bars or more.

    Args:
        runs: of `find_flat_runs`.
        limits: see `BarsView.limits`.
        check: name of the check that reports them.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings flat_run (warn), one per symbol-session: `value` and `rows` are the run's length.
    """
    flat = (
        runs.filter(pl.col("session").is_between(*sessions))
        .join(limits.select("symbol", "flat_run_bars"), on="symbol", maintain_order="left")
        .filter(pl.col("run") >= pl.col("flat_run_bars"))
    )
    judged = flat.with_columns(
        code=pl.lit("flat_run"),
        severity=pl.lit(WARN),
        value=pl.col("run").cast(pl.Float64),
        threshold=pl.col("flat_run_bars").cast(pl.Float64),
        rows="run",
        detail=pl.format(
            "{} bars in a row close at {}, up to {}",
            "run",
            "close",
            pl.col("ts").dt.strftime("%Y-%m-%d %H:%M"),
        ),
    )
    return CheckOutcome(
        findings(judged, check=check, dataset=dataset),
        flat.drop("flat_run_bars"),
        runs.filter(pl.col("session").is_between(*sessions)).select(*KEY, "run"),
    )
