"""Wrong beginnings: series whose first few bars are far from all that come after them.

What belongs here: finding these bars. What does not: steps of a price (jumps.py), stretches between
two changes of the unit (unit_stretches.py), single false prices (false_ticks.py).

A step says that one side of it is wrong, not which. Where one side is a bar or two, and all of the
series that there is, the many bars of the other side say it. The newest bars need no such rule: the
first bar after a step is the one that is told of.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from market_data.quality.findings import KEY

ABSURD = 10.0
"""A price that steps up or down by so much, right after a series begins, was wrong before."""
EDGE_BARS = 5
"""First bars of a series that may be wrong; more than twice as many others have to say so."""
LONGEST_EDGE = timedelta(days=8)
"""From the first bar to the first right one."""
SETTLED = timedelta(days=35)
"""After such a step no other comes in this time; else it is a stretch, or two changes."""
SEEN_AFTER = LONGEST_EDGE + SETTLED
"""Time after a bar in which steps count for it where a series begins."""


def wrong_beginnings(steps: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The series that begin with a few bars that are far from all others.

    Where a price steps ABSURD times up or down, and one side of the step has EDGE_BARS at most, all
    of the series that there is, and the other more than twice as many, the few are wrong, unless
    another such step comes soon.

    Args:
        steps: symbol, ts, close, at (the factor of the price), jump (the limit of a step), since
            (null but for changes of the unit): every step beyond the limit that nothing explains.
        bars: symbol, ts of the series.

    Returns:
        symbol, until (`ts` of the first right bar), before (its close), jump, other (whether the
        step is a change of the unit).
    """
    columns = ["symbol", "until", "before", "jump", "other"]
    absurd = steps.filter(pl.col("at").log().abs() >= pl.lit(ABSURD).log()).sort("symbol", "ts")
    first = (
        absurd.with_columns(next=pl.col("ts").shift(-1).over("symbol"))
        .group_by("symbol", maintain_order=True)
        .first()
        .filter((pl.col("next") - pl.col("ts") > SETTLED).fill_null(value=True))
    )
    if first.is_empty():
        return first.select("symbol", until="ts", before="close", jump="jump", other=pl.lit(0) > 1)
    counted = (
        bars.select("symbol", "ts")
        .join(first.select("symbol", "next", since_="ts"), on="symbol")
        .group_by("symbol")
        .agg(
            begun=pl.col("ts").min(),
            few=(pl.col("ts") < pl.col("since_")).sum(),
            others=(
                (pl.col("ts") >= pl.col("since_"))
                & (pl.col("ts") < pl.col("next")).fill_null(value=True)
            ).sum(),
        )
    )
    return (
        first.join(counted, on="symbol")
        .filter(
            pl.col("few") <= EDGE_BARS,
            pl.col("others") > 2 * EDGE_BARS,
            pl.col("ts") - pl.col("begun") <= LONGEST_EDGE,
        )
        .select("symbol", "jump", until="ts", before="close", other=pl.col("since").is_not_null())
        .select(columns)
    )


def bars_before(edges: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """The bars of a series before the first right one.

    Args:
        edges: of `wrong_beginnings`.
        bars: symbol, session, ts, close.

    Returns:
        symbol, session, ts, close, before, at (close over before), jump, since (`ts` of the first
        one where they are in another unit, else null), until.
    """
    return (
        bars.filter(pl.col("symbol").is_in(edges.get_column("symbol").implode()))
        .select(*KEY, "ts", "close")
        .join(edges, on="symbol")
        .filter(pl.col("ts") < pl.col("until"))
        .with_columns(
            at=pl.col("close") / pl.col("before"),
            since=pl.when("other").then(pl.col("ts").min().over("symbol")),
        )
    )
