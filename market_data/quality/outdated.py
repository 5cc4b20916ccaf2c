"""Outdated bars: curated slices that are no longer what the raw logs say.

What belongs here: comparing stored bars with the same bars made anew. A run that never finished, a
revision, a split that became known later, a changed limit or priority: all show as a difference.
What does not: making them (market_data/curation), how far the newest bar lags (staleness.py).
"""

from __future__ import annotations

import polars as pl

from market_data.quality.digest import bars_digest
from market_data.quality.findings import KEY, SAMPLE_ROWS, WARN, CheckOutcome, findings
from market_data.quality.view import BarsView

CHECK = "staleness"


def check_outdated(view: BarsView, anew: pl.DataFrame) -> CheckOutcome:
    """Report symbol-sessions whose stored bars differ from those made anew (code outdated, warn).

    Args:
        view: a slice of a curated dataset.
        anew: rows of CURATED_BARS: what curation makes of the raw logs now.

    Returns:
        An outcome without `measured`; its rows say how many bars there are and would be.
    """
    differing = (
        _digests(view.bars, "stored")
        .join(_digests(anew, "anew"), on=KEY, how="full", coalesce=True)
        .with_columns(pl.col("stored_bars", "anew_bars").fill_null(0))
        .filter(pl.col("stored").ne_missing(pl.col("anew")))
        .sort("session", "symbol")
    )
    judged = differing.with_columns(
        code=pl.lit("outdated"),
        severity=pl.lit(WARN),
        rows=pl.col("stored_bars").cast(pl.Int64),
        detail=pl.format(
            "{} bar(s) are stored, curating now gives {}, and they differ: materialise again",
            "stored_bars",
            "anew_bars",
        ),
    )
    return CheckOutcome(
        findings(judged, check=CHECK, dataset=view.dataset),
        differing.select(*KEY, "stored_bars", "anew_bars").head(SAMPLE_ROWS),
    )


def _digests(bars: pl.DataFrame, name: str) -> pl.DataFrame:
    """Columns symbol, session, <name> (digest) and <name>_bars."""
    counts = bars.group_by(KEY).agg(pl.len().alias(f"{name}_bars"))
    return bars_digest(bars).rename({"bars_digest": name}).join(counts, on=KEY)
