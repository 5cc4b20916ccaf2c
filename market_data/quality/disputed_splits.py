"""Bars that a split may have divided or not: told of, with what settles them.

What belongs here: the finding. What does not: which bars these are
(market_data/corporate_actions/worked_in.py), what curation does with them.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.basis import SPLITS_DISPUTED
from market_data.quality.findings import KEY, SAMPLE_ROWS, WARN, CheckOutcome, findings


def check_disputed_splits(
    bars: pl.DataFrame, *, check: str, dataset: str, sessions: tuple[date, date]
) -> CheckOutcome:
    """Report sessions whose bars are left out since nobody can say what they are divided by.

    Args:
        bars: rows of CURATED_BARS: symbol, session, source and flags.
        check: name of the check.
        dataset: name of the dataset.
        sessions: first and last session that is judged.

    Returns:
        Findings splits_disputed (warn), one per symbol and session; `rows` counts the bars.
    """
    disputed = bars.filter(
        pl.col("session").is_between(*sessions),
        pl.col("flags").str.contains(SPLITS_DISPUTED, literal=True),
    )
    told = disputed.group_by(KEY).agg(source=pl.col("source").min(), rows=pl.len().cast(pl.Int64))
    sentence = pl.format(
        "{} may have divided these prices by a split or not: one is on record that it had not "
        "told, that came to light since, or of which its prices do not show it; 'emp ingest "
        "--vendor {} --symbols {} --refetch' from here to the ex-date settles it, and where {} "
        "tells no splits: asking a vendor that does about these sessions, or 'emp actions import' "
        "of all actions of the symbol, first",
        "source",
        "source",
        "symbol",
        "source",
    )
    judged = told.with_columns(
        code=pl.lit(SPLITS_DISPUTED),
        severity=pl.lit(WARN),
        value=pl.col("rows").cast(pl.Float64),
        threshold=pl.lit(0.0),
        detail=sentence,
    )
    return CheckOutcome(
        findings(judged, check=check, dataset=dataset),
        disputed.select(*KEY, "source", "flags").head(SAMPLE_ROWS),
    )
