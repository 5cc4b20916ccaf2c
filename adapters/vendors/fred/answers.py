"""Reading FRED's rows: days, and values that are text.

What belongs here: from the rows of an answer to frames, and to rows that hold no value.
What does not: asking (client.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from adapters.vendors.json_body import text_column
from market_data.errors import MalformedAnswerError
from market_data.schemas import UTC

MISSING = "."
"""What FRED writes where there is no value."""
BAD_VALUE = "bad_value"
"""The reason of a row whose value is no number."""
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_DECIMAL = r"^-?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})$"
"""What FRED writes. Neither "nan" nor "inf", neither "1e5" nor "0x1p3" nor "1_000"."""
_RELEASE = r"^[1-9][0-9]{0,8}$"
_SHOWN = 200


def texts(rows: Sequence[dict[str, Any]], *names: str) -> pl.DataFrame:
    """Fields of rows as texts, null where a row has not the field."""
    return pl.DataFrame([text_column(name, [row.get(name) for row in rows]) for name in names])


def day(name: str) -> pl.Expr:
    """A text as a date; null where it is none."""
    text = pl.col(name)
    read = text.str.to_date("%Y-%m-%d", strict=False)
    return pl.when(text.str.contains(_DAY)).then(read)


def is_decimal(name: str) -> pl.Expr:
    """Whether a text is a plain decimal number; null where there is no text."""
    return pl.col(name).str.contains(_DECIMAL)


def vintages(
    rows: Sequence[dict[str, Any]], series: str, since: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every value of an answer with all of its vintages, and the rows whose value is no number.

    Args:
        rows: of the answer, no two of one day and period.
        series: FRED's name of it.
        since: first day of the real-time period that was asked for.

    Returns:
        Columns seen, period (Date), value (null where FRED says that there is none); and rows of
        REJECTED_ROWS.

    Raises:
        MalformedAnswerError: a row tells no day, or one before `since`.
    """
    told = texts(rows, "realtime_start", "date", "value")
    read = told.select(
        seen=day("realtime_start"),
        period=day("date"),
        value=pl.when(is_decimal("value")).then("value").cast(pl.Float64, strict=False),
        bad=pl.col("value").ne_missing(pl.lit(MISSING))
        & ~is_decimal("value").fill_null(value=False),
        row=pl.struct(told.columns).struct.json_encode(),
    )
    wrong = pl.any_horizontal(pl.col("seen", "period").is_null()) | (pl.col("seen") < since)
    _refuse(rows, read.select(wrong).to_series(), "observations")
    rejected = read.filter("bad").select(
        pl.lit(series).alias("symbol"),
        pl.col("seen").cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(UTC).alias("ts"),
        pl.lit(BAD_VALUE).alias("reasons"),
        "row",
    )
    return read.filter(~pl.col("bad")).select("seen", "period", "value"), rejected


def release_dates(
    rows: Sequence[dict[str, Any]], release: int | None = None, name: str | None = None
) -> pl.DataFrame:
    """Columns release (Int64), name, session of an answer about dates.

    Args:
        rows: of the answer, no two of one release and day.
        release: the only one that was asked about; None where all were.
        name: the release's, where the rows do not tell it.

    Raises:
        MalformedAnswerError: a row tells no release or no day, or is about another release.
    """
    told = texts(rows, "release_id", "release_name", "date")
    number = pl.col("release_id")
    read = told.select(
        release=pl.when(number.str.contains(_RELEASE)).then(number).cast(pl.Int64, strict=False),
        name=pl.col("release_name") if name is None else pl.lit(name),
        session=day("date"),
    )
    wrong = pl.any_horizontal(pl.col("release", "name", "session").is_null())
    if release is not None:
        wrong |= pl.col("release") != release
    _refuse(rows, read.select(wrong.fill_null(value=True)).to_series(), "release dates")
    return read


def vintage_days(rows: Sequence[str], since: date) -> list[date]:
    """The days on which values of a series were given or changed, in their order.

    Args:
        rows: of the answer.
        since: first day that was asked for.

    Raises:
        MalformedAnswerError: one of them is no day, or lies before the first.
    """
    read = pl.DataFrame([text_column("date", rows)]).select(day("date")).to_series().sort()
    if read.null_count() or (read < since).any():
        raise MalformedAnswerError(f"FRED: vintage dates since {since} cannot be read")
    days: list[date] = read.to_list()
    return days


def _refuse(rows: Sequence[dict[str, Any]], wrong: pl.Series, what: str) -> None:
    """Refuse an answer of which a row cannot be read."""
    if wrong.any():
        first = wrong.arg_true().item(0)
        raise MalformedAnswerError(
            f"FRED: {wrong.sum()} {what} cannot be read, the first is {str(rows[first])[:_SHOWN]}"
        )
