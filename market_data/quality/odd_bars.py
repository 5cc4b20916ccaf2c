"""Odd bars: what the rules for prices that were not traded have in common.

What belongs here: what is usual around a bar, and telling of single bars that are far from it. What
does not: the rules (false_ticks.py, wicks.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from market_data.price_steps import price_step
from market_data.quality.findings import KEY, SAMPLE_ROWS, WARN, CheckOutcome, findings
from market_data.timeframes import Timeframe

CHECK = "false_ticks"
WINDOW = 60
"""Bars of an hour or longer that tell what is usual; at least MIN_BARS of them."""
MIN_BARS = 15
_LONG = timedelta(hours=1)
_FINEST = 1e-5
"""Least granularity, as a fraction of the price: prices that stand still have no usual size."""


def usual_at(
    bars: pl.DataFrame, rows: pl.DataFrame, size: pl.Expr, timeframe: Timeframe
) -> pl.DataFrame:
    """The usual size at some bars, a median.

    That is of the session for bars of minutes, of the WINDOW bars before for those of an hour and
    longer, which a session has too few of; the first ones of a series have none before them, and
    those that follow must do.

    Args:
        bars: symbol, session, row, sorted by (symbol, ts), and what `size` is made of.
        rows: symbol, session, row of those that are asked for.
        size: of a bar: at least 0, or null.
        timeframe: of the bars.

    Returns:
        row, usual (null where nothing tells it), in no order.
    """
    if timeframe.duration < _LONG:
        sessions = bars.join(rows, on=KEY, how="semi").group_by(KEY).agg(usual=size.median())
        return rows.select("row", *KEY).join(sessions, on=KEY).select("row", "usual")
    before = size.rolling_median(WINDOW, min_samples=MIN_BARS).shift()
    usual = before.fill_null(strategy="backward").fill_null(size.median())
    return (
        bars.join(rows, on="symbol", how="semi", maintain_order="left")
        .select("row", usual=usual.over("symbol"))
        .join(rows, on="row", how="semi")
    )


def granularity_at(
    bars: pl.DataFrame, rows: pl.DataFrame, columns: Sequence[str], timeframe: Timeframe
) -> pl.DataFrame:
    """How coarse prices are at some bars: the step of their decimals, as a fraction of the price.

    No size below it is usual: a share at twenty cents that has not moved all day, and now by one,
    has moved by 5 %, and by the least that it can. The floor of Brownlees and Gallo's rule (2006).

    Args:
        bars: symbol, session, row and the prices, sorted by (symbol, ts).
        rows: symbol, session, row of those that are asked for.
        columns: of the prices; the last one is that of which the step is a fraction.
        timeframe: of the bars; the step is that of the session for minutes, else of the symbol.

    Returns:
        row, grain, in no order.
    """
    of = KEY if timeframe.duration < _LONG else ["symbol"]
    known = bars.join(rows.select(of).unique(), on=of, how="semi", maintain_order="left")
    steps = known.group_by(of).agg(_step=price_step(columns))
    at = known.join(rows.select("row"), on="row", how="semi").join(steps, on=of)
    return at.select("row", grain=(pl.col("_step") / columns[-1]).clip(lower_bound=_FINEST))


def tell(
    bars: pl.DataFrame, *, code: str, detail: pl.Expr, dataset: str, sessions: tuple[date, date]
) -> CheckOutcome:
    """Report odd bars of some sessions.

    Args:
        bars: symbol, session, z (how far off, in usual sizes), threshold (the limit of it), and
            what `detail` is made of.
        code: of the findings.
        detail: the sentence about the worst bar of a session, of which `rows` are odd.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings (warn), one per symbol-session: `value` is the largest `z`.
    """
    found = bars.filter(pl.col("session").is_between(*sessions))
    judged = (
        found.sort("z", descending=True)
        .group_by(KEY, maintain_order=True)
        .agg(pl.exclude(KEY).first(), rows=pl.len().cast(pl.Int64))
        .with_columns(code=pl.lit(code), severity=pl.lit(WARN), value="z", detail=detail)
    )
    return CheckOutcome(
        findings(judged, check=CHECK, dataset=dataset),
        found.head(SAMPLE_ROWS),
        judged.select(*KEY, "rows"),
    )
