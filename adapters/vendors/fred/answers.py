"""Reading FRED's rows: days, and values that are text.

What belongs here: from the rows of an answer to frames.
What does not: asking (client.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from adapters.vendors.json_body import text_column
from market_data.errors import MalformedAnswerError

MISSING = "."
"""What FRED writes where there is no value."""
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_SHOWN = 200


def texts(rows: Sequence[dict[str, Any]], *names: str) -> pl.DataFrame:
    """Fields of rows as texts, null where a row has not the field."""
    return pl.DataFrame([text_column(name, [row.get(name) for row in rows]) for name in names])


def day(name: str) -> pl.Expr:
    """A text as a date; null where it is none."""
    text = pl.col(name)
    read = text.str.to_date("%Y-%m-%d", strict=False)
    return pl.when(text.str.contains(_DAY)).then(read)


def vintages(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Columns seen, period (Date), value of an answer with all of its vintages.

    Raises:
        MalformedAnswerError: a row tells no day, or a value that is no number.
    """
    told = texts(rows, "realtime_start", "date", "value")
    number = pl.col("value").cast(pl.Float64, strict=False)
    read = told.select(
        seen=day("realtime_start"),
        period=day("date"),
        value=pl.when(number.is_finite()).then(number),
        is_missing=pl.col("value").eq_missing(pl.lit(MISSING)),
    )
    wrong = pl.any_horizontal(pl.col("seen", "period").is_null()) | (
        pl.col("value").is_null() & ~pl.col("is_missing")
    )
    _refuse(rows, read.select(wrong).to_series(), "observations")
    return read.select("seen", "period", "value").unique(
        ["seen", "period"], keep="last", maintain_order=True
    )


def release_dates(rows: Sequence[dict[str, Any]], name: str | None = None) -> pl.DataFrame:
    """Columns release (Int64), name, session of an answer about dates, each date once.

    Args:
        rows: of the answer.
        name: the release's, where the rows do not tell it.

    Raises:
        MalformedAnswerError: a row tells no release or no day.
    """
    told = texts(rows, "release_id", "release_name", "date")
    read = told.select(
        release=pl.col("release_id").cast(pl.Int64, strict=False),
        name=pl.col("release_name") if name is None else pl.lit(name),
        session=day("date"),
    )
    wrong = pl.any_horizontal(pl.col("release", "name", "session").is_null())
    _refuse(rows, read.select(wrong).to_series(), "release dates")
    return read.unique(["release", "session"], keep="first", maintain_order=True)


def _refuse(rows: Sequence[dict[str, Any]], wrong: pl.Series, what: str) -> None:
    """Refuse an answer of which a row cannot be read."""
    if wrong.any():
        first = wrong.arg_true().item(0)
        raise MalformedAnswerError(
            f"FRED: {wrong.sum()} {what} cannot be read, the first is {str(rows[first])[:_SHOWN]}"
        )
