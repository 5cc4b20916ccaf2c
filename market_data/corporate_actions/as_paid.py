"""Dividends of a file, which are divided by splits like its prices, as they were paid.

What belongs here: that arithmetic, and under whose name files speak. What does not: reading files
(the vendors' adapters), undoing splits of prices (undoing.py).
"""

from __future__ import annotations

import polars as pl

from market_data.corporate_actions.plausible import MOST_SPLIT

OF_FILE = ":file"
"""Ends the source of what was told beside a file's prices. A file tells what came before its last
bar: unlike a list that a person brings, it does not answer for there being no others since."""


def as_paid(dividends: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Dividends on the shares of the session before their ex-date.

    Args:
        dividends: symbol, ex_date, value and more: cash per share of the day of the adjustment.
        splits: symbol, ex_date, value: all that the dividends are divided by. One of the ex-date
            itself is among them: the share that is entitled is that of the session before.

    Returns:
        The rows in their order. The value is null where a later split cannot be, or has two values:
        nobody can say what the dividend was divided by.
    """
    told = (
        splits.group_by("symbol", "ex_date")
        .agg(_ratio=pl.col("value").first(), _values=pl.col("value").n_unique())
        .with_columns(
            _sound=(pl.col("_values") == 1)
            & pl.col("_ratio").is_between(1 / MOST_SPLIT, MOST_SPLIT).fill_null(value=False)
        )
        .select("symbol", "_ratio", "_sound", _split="ex_date")
    )
    numbered = dividends.with_row_index("_place")
    later = (
        numbered.select("_place", "symbol", "ex_date")
        .join(told, on="symbol")
        .filter(pl.col("_split") >= pl.col("ex_date"))
        .group_by("_place")
        .agg(pl.col("_ratio").product(), pl.col("_sound").all())
    )
    known = pl.col("_sound").fill_null(value=True)
    return (
        numbered.join(later, on="_place", how="left", maintain_order="left")
        .with_columns(value=pl.when(known).then(pl.col("value") * pl.col("_ratio").fill_null(1.0)))
        .select(dividends.columns)
    )
