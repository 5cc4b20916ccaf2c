"""Fetch times: raw bars that were fetched in the future.

What belongs here: telling that a machine's clock was ahead when it asked a vendor. What does not:
which answer is the later one all the same (market_data/overtaking.py), how far the newest bar lags
(staleness.py).
"""

from __future__ import annotations

import polars as pl

from market_data.overtaking import CLOCKS_APART
from market_data.quality.findings import ERROR, KEY, SAMPLE_ROWS, CheckOutcome, findings
from market_data.quality.view import BarsView

CHECK = "staleness"


def check_fetch_times(view: BarsView) -> CheckOutcome:
    """Report symbol-sessions of which bars were fetched after now (code fetched_in_future, error).

    What such bars are divided by, and whether they are whole, is judged by that time.

    Args:
        view: a slice of a raw dataset; others hold no such times.

    Returns:
        An outcome without `measured`, whose value and threshold are seconds.
    """
    if view.kind != "raw":
        return CheckOutcome()
    ahead = view.bars.filter(pl.col("fetched_at") > view.now + CLOCKS_APART)
    judged = (
        ahead.group_by(KEY)
        .agg(last=pl.col("fetched_at").max(), rows=pl.len().cast(pl.Int64))
        .sort("session", "symbol")
        .with_columns(
            code=pl.lit("fetched_in_future"),
            severity=pl.lit(ERROR),
            value=(pl.col("last") - view.now).dt.total_microseconds() / 1e6,
            threshold=pl.lit(CLOCKS_APART.total_seconds()),
            detail=pl.format(
                "{} bar(s) were fetched at {} UTC, which is still to come: a clock was ahead; set "
                "it right and ask again with 'emp ingest --refetch'",
                "rows",
                pl.col("last").dt.strftime("%Y-%m-%d %H:%M"),
            ),
        )
    )
    sample = ahead.select(*KEY, "ts", "fetched_at", "fetch_id").head(SAMPLE_ROWS)
    return CheckOutcome(findings(judged, check=CHECK, dataset=view.dataset), sample)
