"""Quality of late: from scores to a grade with reasons.

What belongs here: shares of GREEN, YELLOW and RED over the newest sessions of each symbol.
What does not: how a score is made (market_data/quality/score.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from market_data.operations.grades import Grade, Reason
from market_data.operations.newest_scores import newest_scores
from market_data.operations.readiness import Section

SESSIONS = 5
"""How many of the newest scored sessions of each symbol count."""
RED_FAIL = 0.25
"""Share of RED symbol-sessions from which on quality fails; below, any warns."""


def evaluate_quality(scores: pl.DataFrame) -> Section:
    """The grade of the newest scores.

    Args:
        scores: rows of SCORES of some weeks.
    """
    newest = (
        newest_scores(scores, SESSIONS)
        .group_by("dataset")
        .agg(
            pl.len().alias("scored"),
            (pl.col("status") == "RED").sum().alias("red"),
            (pl.col("status") == "YELLOW").sum().alias("yellow"),
            pl.col("score").mean().alias("mean"),
            pl.col("session").max().alias("newest"),
        )
        .sort("dataset")
    )
    facts = {
        "symbol_sessions": int(newest["scored"].sum()),
        "red": int(newest["red"].sum()),
        "yellow": int(newest["yellow"].sum()),
        "newest": str(newest["newest"].max()) if newest.height else None,
    }
    return Section.of("quality", _reasons(newest), facts)


def _reasons(newest: pl.DataFrame) -> Iterator[Reason]:
    if newest.is_empty():
        yield Reason(Grade.WARN, "nothing was scored lately: materialise quality/scores")
    for row in newest.filter(pl.col("red") > 0).iter_rows(named=True):
        share = row["red"] / row["scored"]
        grade = Grade.FAIL if share >= RED_FAIL else Grade.WARN
        yield Reason(
            grade,
            f"{row['dataset']}: {row['red']} of {row['scored']} symbol-sessions are RED; "
            "'emp quality' says why",
        )
