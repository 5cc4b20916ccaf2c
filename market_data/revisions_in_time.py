"""Revisions in time: from when each revision of a bar counts for whoever looks back.

What belongs here: the pure rule for readers who ask what a bar said at each moment of the past.
What does not: which revision is the newest (revisions.py), reading the log
(market_data/pipeline/former_bars.py).

History that is fetched long after its time has one revision, and was known to everybody at its
time. So a bar's first revision counts from the bar's end, whenever it was fetched, and a later one
from its fetch. What was fetched while the bar was still running is no revision of it: readers never
got it as a bar.
"""

from __future__ import annotations

import polars as pl

from market_data.ordering import KEY, sort_if_needed
from market_data.overtaking import FETCH, without_overtaken


def with_since(revisions: pl.DataFrame) -> pl.DataFrame:
    """Revisions of bars with the time from which each counts.

    Args:
        revisions: rows of RAW_BARS of one vendor and timeframe with `bar_end` (UTC), in any order.

    Returns:
        Sorted by (symbol, ts, fetched_at, fetch_id), with `since` (UTC): null for the first
        revision of a bar, else when it was fetched. Rows of a bar that was still running are left
        out where the bar was fetched again after its end.
    """
    rows = sort_if_needed(without_overtaken(revisions), (*KEY, *FETCH))
    over = pl.col("fetched_at") >= pl.col("bar_end")
    whole = rows.filter(over | ~over.any().over(KEY))
    first = pl.all_horizontal(pl.col(n) == pl.col(n).first().over(KEY) for n in FETCH)
    return whole.with_columns(since=pl.when(~first).then("fetched_at"))


def counting_before(rows: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
    """Of each bar of some sessions the revision that counted just before a moment.

    Args:
        rows: of `with_since`.
        moments: symbol, session, until (UTC): the moment, one per session.

    Returns:
        The rows of these sessions, in their order; all rows of a fetch that contradicts itself.
    """
    timed = rows.join(moments, on=["symbol", "session"], how="inner", maintain_order="left")
    known = timed.filter(pl.col("since").is_null() | (pl.col("since") < pl.col("until")))
    last = pl.all_horizontal(pl.col(n) == pl.col(n).last().over(KEY) for n in FETCH)
    return known.filter(last).select(rows.columns)
