"""Sessions that somebody marked unusable, among the sessions that are judged.

What belongs here: what the mark does to a session's status. What does not: which sessions are
marked (market_data/pipeline/decisions.py), the other reasons for a status (health.py).
"""

from __future__ import annotations

import polars as pl

from market_data.quality.annotations import UNUSABLE
from market_data.quality.findings import KEY
from market_data.quality.health import JUDGED
from market_data.quality.score import RED


def with_unusable(judged: pl.DataFrame, unusable: pl.DataFrame) -> pl.DataFrame:
    """Sessions whose bars readers do not get, as RED with the code `unusable`, whatever was found.

    Args:
        judged: rows of JUDGED.
        unusable: symbol, session: those that somebody marked; others than judged ones are left out.

    Returns:
        Rows of JUDGED in the same order.
    """
    if unusable.is_empty():
        return judged
    given = unusable.select(*KEY, marked=True).unique(KEY)
    rows = judged.join(given, on=KEY, how="left", maintain_order="left")
    return _red_where_marked(rows, "codes").select(list(JUDGED))


def decided_scores(scores: pl.DataFrame, unusable: pl.DataFrame) -> pl.DataFrame:
    """Scores of curated bars as a person is told them: what was measured, and what was decided.

    Args:
        scores: rows of SCORES, of one timeframe.
        unusable: symbol, session: those that somebody marked.

    Returns:
        Rows of SCORES in the same order; marked ones are RED, with `unusable` among the reasons.
    """
    if unusable.is_empty():
        return scores
    given = unusable.select(*KEY, marked=True).unique(KEY)
    rows = scores.join(given, on=KEY, how="left", maintain_order="left")
    return _red_where_marked(rows, "reasons").select(scores.columns)


def _red_where_marked(rows: pl.DataFrame, codes: str) -> pl.DataFrame:
    before = pl.col(codes).str.split(",").list.set_difference([""])
    named = pl.concat_list(before, pl.lit(UNUSABLE)).list.unique().list.sort().list.join(",")
    return rows.with_columns(
        pl.when("marked").then(named).otherwise(codes).alias(codes),
        status=pl.when("marked").then(pl.lit(RED)).otherwise("status"),
    )
