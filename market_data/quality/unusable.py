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
    before = pl.col("codes").str.split(",").list.set_difference([""])
    codes = pl.concat_list(before, pl.lit(UNUSABLE)).list.unique().list.sort().list.join(",")
    return rows.with_columns(
        status=pl.when("marked").then(pl.lit(RED)).otherwise("status"),
        codes=pl.when("marked").then(codes).otherwise("codes"),
    ).select(list(JUDGED))
